"""Blocks of nodes that carry numbers h and vectors V: what turns the vectors turns their answers.

Among agents of a frame (EGNN, arXiv:2102.09844, eqs. 3-6, with vectors as in PaiNN, arXiv:2102.03150):

    m_ij = phi(h_i, h_j, |x_i - x_j|^2),   h_i += mean_j m_ij,
    V_i += mean_j [ a(m_ij) V_j + c(m_ij) (x_i - x_j) / (1 + |x_i - x_j|) ]

along the frames of an agent, attention by h that also mixes V (GeoTDM, arXiv:2410.13027, section 4.2); then
h += f(h, |W V|), V += g(h) W V. No block has a bias on V, nor mixes its axes.

A row is an agent of a clip; the agents of all clips lie one after the other, so that nobody is computed who
is not there. Rows are told the condition of their clip.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rheos.network.modulation import AdaptiveNorm, zeroed

# Below this squared distance, in coded units, two agents are in one place.
_NEAR = 1e-4


def lengths(vectors: Tensor, axis: int = -1) -> Tensor:
    """Squared lengths of vectors along `axis`, on a scale that keeps sizes apart and small."""
    square = vectors.square().sum(axis)
    return torch.log1p(square / _NEAR) / 8


@dataclass(frozen=True, slots=True)
class Company:
    """Whom each row hears, the same in all blocks.

    Attributes:
        other: rows of the others `(r, k)`.
        share: of each in the mean, `(r, k, f, 1)`, 0 where one of the two is not there.
        near: sizes of x_i - x_j for each geometry `(r, k, f, geometries)`.
        away: (x_i - x_j) / (1 + |x_i - x_j|) for each geometry `(r, k, f, d, 1)`.
    """

    other: Tensor
    share: Tensor
    near: Tensor
    away: tuple[Tensor, ...]

    @classmethod
    def of(cls, geometries: list[Tensor], other: Tensor, share: Tensor) -> "Company":
        """From places `(r, f, d)` of each geometry."""
        apart = [places[:, None] - places[other] for places in geometries]
        near = torch.stack([lengths(part) for part in apart], dim=-1)
        away = (part / (1 + (part.square().sum(-1, keepdim=True) + _NEAR).sqrt()) for part in apart)
        return cls(other, share[..., None], near, tuple(part[..., None] for part in away))

    def heard(self, values: Tensor) -> Tensor:
        """What belongs to the others, `(r, k, ...)`, of the rows' values `(r, ...)`."""
        return values.index_select(0, self.other.flatten()).unflatten(0, self.other.shape)


class RowNorm(AdaptiveNorm):
    """Layer normalization of rows, then the scale and shift of the condition of their clip."""

    def of_rows(self, h: Tensor, condition: Tensor, clip: Tensor) -> Tensor:
        """Map `(r, f, width)`; the condition `(b, f, condition)`, the clip of each row `(r)`."""
        scale, shift = self.modulation(condition).index_select(0, clip).chunk(2, dim=-1)
        return torch.addcmul(shift, self.norm(h), 1 + scale)


class AmongAgents(nn.Module):
    """Messages between the agents of one frame."""

    def __init__(self, width: int, vectors: int, geometries: int) -> None:
        super().__init__()
        self.norm = RowNorm(width, width)
        self.own = nn.Linear(width, width)
        self.other = nn.Linear(width, width, bias=False)
        self.apart = nn.Linear(geometries, width, bias=False)
        self.message = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.scalar = zeroed(nn.Linear(width, width))
        self.gates = zeroed(nn.Linear(width, vectors * (1 + geometries)))

    def forward(
        self, h: Tensor, v: Tensor, condition: Tensor, clip: Tensor, company: Company
    ) -> tuple[Tensor, Tensor]:
        """Add what the others say.

        Args:
            h: numbers `(r, f, width)`.
            v: vectors `(r, f, d, vectors)`.
            condition: `(b, f, width)`.
            clip: of each row, `(r)`.
            company: whom each row hears.
        """
        normed = self.norm.of_rows(h, condition, clip)
        said = self.own(normed)[:, None] + company.heard(self.other(normed)) + self.apart(company.near)
        message = self.message(said)
        gates = (self.gates(message) * company.share)[..., None, :].split(v.shape[3], dim=-1)
        moved = gates[0] * company.heard(v)
        for gate, away in zip(gates[1:], company.away, strict=True):
            moved = torch.addcmul(moved, gate, away)
        return h + self.scalar((message * company.share).sum(1)), v + moved.sum(1)


class AlongFrames(nn.Module):
    """Attention along the frames of one agent, of numbers and of vectors."""

    def __init__(self, width: int, vectors: int, heads: int, frames: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = RowNorm(width, width)
        self.parts = nn.Linear(width, 3 * width)
        self.lag = nn.Parameter(torch.zeros(heads, 2 * frames - 1))
        self.out = zeroed(nn.Linear(width, width))
        self.mix = nn.Linear(vectors, vectors, bias=False)
        self.merge = zeroed(nn.Linear(vectors, vectors, bias=False))

    def forward(
        self, h: Tensor, v: Tensor, condition: Tensor, clip: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Add what the other frames say; frames `present` `(r, f)` is 0 in say nothing."""
        parts = self.parts(self.norm.of_rows(h, condition, clip)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        logits = query @ key.mT / query.shape[-1] ** 0.5
        steps = torch.arange(h.shape[1], device=h.device)
        logits = logits + self.lag[:, steps[:, None] - steps + len(steps) - 1]
        absent = present[:, None, None] == 0
        weights = torch.softmax(logits.masked_fill(absent, -1e4), dim=-1).masked_fill(absent, 0.0)
        mixed = self.mix(v).unflatten(-1, (self.heads, -1)).permute(0, 3, 1, 2, 4)
        both = weights @ torch.cat((value, mixed.flatten(3)), dim=-1)
        found, moved = both.split((value.shape[-1], both.shape[-1] - value.shape[-1]), dim=-1)
        moved = moved.unflatten(-1, mixed.shape[3:]).permute(0, 2, 3, 1, 4).flatten(3)
        return h + self.out(found.transpose(1, 2).flatten(2)), v + self.merge(moved)


class WithinNode(nn.Module):
    """Lengths of a node's vectors inform its numbers, and these weigh the vectors."""

    def __init__(self, width: int, vectors: int, expansion: int) -> None:
        super().__init__()
        self.norm = RowNorm(width, width)
        self.mix = nn.Linear(vectors, vectors, bias=False)
        self.perceptron = nn.Sequential(
            nn.Linear(width + vectors, expansion * width),
            nn.GELU(),
            zeroed(nn.Linear(expansion * width, width + vectors)),
        )

    def forward(self, h: Tensor, v: Tensor, condition: Tensor, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Map numbers `(r, f, width)` and vectors `(r, f, d, vectors)`."""
        mixed = self.mix(v)
        told = torch.cat((self.norm.of_rows(h, condition, clip), lengths(mixed, axis=-2)), dim=-1)
        scalar, gate = self.perceptron(told).split((h.shape[-1], v.shape[3]), dim=-1)
        return h + scalar, torch.addcmul(v, gate[..., None, :], mixed)
