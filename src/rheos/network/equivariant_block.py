"""Blocks of nodes that carry numbers h and vectors V: what turns the vectors turns their answers.

Among agents of a frame (EGNN, arXiv:2102.09844, eqs. 3-6, with vectors as in PaiNN, arXiv:2102.03150):

    m_ij = phi(h_i, h_j, |x_i - x_j|^2),   h_i += mean_j m_ij,
    V_i += mean_j [ a(m_ij) V_j + c(m_ij) (x_i - x_j) / (1 + |x_i - x_j|) ]

along the frames of an agent, attention by h that also mixes V (GeoTDM, arXiv:2410.13027, section 4.2); then
h += f(h, |W V|), V += g(h) W V. No block has a bias on V, nor mixes its axes.
"""

import torch
from torch import Tensor, nn

from rheos.network.modulation import AdaptiveNorm, zeroed

# Below this squared distance, in coded units, two agents are in one place.
_NEAR = 1e-4


def lengths(vectors: Tensor) -> Tensor:
    """Squared lengths of vectors `(..., d)`, on a scale that keeps sizes apart and small."""
    square = vectors.square().sum(-1)
    return torch.log1p(square / _NEAR) / 8


class AmongAgents(nn.Module):
    """Messages between the agents of one frame."""

    def __init__(self, width: int, vectors: int, geometries: int) -> None:
        super().__init__()
        self.norm = AdaptiveNorm(width, width)
        self.own = nn.Linear(width, width)
        self.other = nn.Linear(width, width, bias=False)
        self.apart = nn.Linear(geometries, width, bias=False)
        self.message = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.scalar = zeroed(nn.Linear(width, width))
        self.gates = zeroed(nn.Linear(width, vectors * (1 + geometries)))

    def forward(
        self, h: Tensor, v: Tensor, condition: Tensor, apart: list[Tensor], pairs: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Add what the others say.

        Args:
            h: numbers `(b, f, n, width)`.
            v: vectors `(b, f, n, vectors, d)`.
            condition: `(b, f, 1, width)`.
            apart: for each geometry x_i - x_j `(b, f, n, n, d)`.
            pairs: share of each pair in the mean `(b, f, n, n)`, 0 for an agent and itself.
        """
        normed = self.norm(h, condition)
        near = torch.stack([lengths(part) for part in apart], dim=-1)
        message = self.message(
            self.own(normed)[:, :, :, None] + self.other(normed)[:, :, None] + self.apart(near)
        )
        kept = pairs[..., None]
        gates = (self.gates(message) * kept).unflatten(-1, (-1, v.shape[3]))
        v = v + torch.einsum("bfijc,bfjcd->bficd", gates[..., 0, :], v)
        for place, part in enumerate(apart):
            unit = part / (1 + (part.square().sum(-1, keepdim=True) + _NEAR).sqrt())
            v = v + torch.einsum("bfijc,bfijd->bficd", gates[..., 1 + place, :], unit)
        return h + self.scalar((message * kept).sum(3)), v


class AlongFrames(nn.Module):
    """Attention along the frames of one agent, of numbers and of vectors."""

    def __init__(self, width: int, vectors: int, heads: int, frames: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = AdaptiveNorm(width, width)
        self.parts = nn.Linear(width, 3 * width)
        self.lag = nn.Parameter(torch.zeros(heads, 2 * frames - 1))
        self.out = zeroed(nn.Linear(width, width))
        self.mix = nn.Linear(vectors, vectors, bias=False)
        self.merge = zeroed(nn.Linear(vectors, vectors, bias=False))

    def forward(self, h: Tensor, v: Tensor, condition: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Add what the other frames say; frames `present` `(b, f, n)` is 0 in say nothing."""
        query, key, value = self.parts(self.norm(h, condition)).unflatten(-1, (3, self.heads, -1)).unbind(3)
        logits = torch.einsum("btnhk,bsnhk->bnhts", query, key) / query.shape[-1] ** 0.5
        steps = torch.arange(h.shape[1], device=h.device)
        logits = logits + self.lag[:, steps[:, None] - steps + len(steps) - 1]
        absent = present.transpose(1, 2)[:, :, None, None] == 0
        weights = torch.softmax(logits.masked_fill(absent, -1e4), dim=-1).masked_fill(absent, 0.0)
        found = torch.einsum("bnhts,bsnhk->btnhk", weights, value).flatten(3)
        mixed = self.mix(v.transpose(3, 4)).unflatten(-1, (self.heads, -1))
        moved = torch.einsum("bnhts,bsndhc->btndhc", weights, mixed).flatten(4)
        return h + self.out(found), v + self.merge(moved).transpose(3, 4)


class WithinNode(nn.Module):
    """Lengths of a node's vectors inform its numbers, and these weigh the vectors."""

    def __init__(self, width: int, vectors: int, expansion: int) -> None:
        super().__init__()
        self.norm = AdaptiveNorm(width, width)
        self.mix = nn.Linear(vectors, vectors, bias=False)
        self.perceptron = nn.Sequential(
            nn.Linear(width + vectors, expansion * width),
            nn.GELU(),
            zeroed(nn.Linear(expansion * width, width + vectors)),
        )

    def forward(self, h: Tensor, v: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Map numbers `(b, f, n, width)` and vectors `(b, f, n, vectors, d)`."""
        mixed = self.mix(v.transpose(3, 4)).transpose(3, 4)
        change = self.perceptron(torch.cat((self.norm(h, condition), lengths(mixed)), dim=-1))
        scalar, gate = change.split((h.shape[-1], v.shape[3]), dim=-1)
        return h + scalar, v + gate[..., None] * mixed
