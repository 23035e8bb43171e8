"""x_b | h ~ sum_k w_k N(r_k + S_k x_a, S_k), x_a = F(h): a light bridge's plan, its start a network's answer.

Korotin, Gushchin, Burnaev 2024, arXiv 2310.01174, for the plan; S_k = D_k + U_k U_k', so by Woodbury's
identity C = I + U' D^-1 U is all that is factored:

    (D + U U')^-1 = D^-1 - D^-1 U C^-1 U' D^-1,   |D + U U'| = |D| |C|.

Entries that are missing drop out of D and U, which leaves the law of the others.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.denoise.in_coordinates import InCoordinates
from rheos.process.bridge_plan import BridgePlan
from rheos.process.coordinates import Coordinates, Identity

_LEAST = 1e-4  # of a diagonal: clips that are all one have no likeliest
_LEVEL = 20.0
_APART = 0.3  # of components at the beginning, in deviations


class BridgeNetwork(nn.Module):
    """A backbone that answers with the start of a history, and the mixture that starts tilt."""

    def __init__(self, backbone: nn.Module, entries: int, process: BridgePlan) -> None:
        """Join them.

        Args:
            backbone: any network of clips, called once, on a clip of which nothing but the history is known.
            entries: n, of the future frames of a clip.
            process: says how many components, and of which rank.
        """
        super().__init__()
        count, rank = process.components, min(process.rank, entries)
        self.backbone = backbone
        self.log_weights = nn.Parameter(torch.zeros(count))
        self.centers = nn.Parameter(torch.zeros(count, entries))
        self.log_diagonals = nn.Parameter(torch.zeros(count, entries))
        self.factors = nn.Parameter(torch.zeros(count, entries, rank))

    @property
    def diagonals(self) -> Tensor:
        """D_k, `(k, n)`."""
        return _LEAST + self.log_diagonals.exp()

    def begin(self, clips: Float[Tensor, "b n"], key: Key) -> None:
        """Put all components near the Gaussian of these clips: principal components and what they leave.

        Args:
            clips: in the coordinates of the plan.
            key: one row; where the centers are.
        """
        flat = clips.detach().to("cpu", torch.float64)
        away = flat - flat.mean(0)
        count, rank = self.centers.shape[0], self.factors.shape[2]
        _, spread, axes = torch.linalg.svd(away / max(1, len(flat) - 1) ** 0.5, full_matrices=False)
        found = min(rank, len(spread))
        factors = torch.zeros(self.factors.shape[1:], dtype=torch.float64)
        factors[:, :found] = axes[:found].mT * spread[:found]
        variance = away.square().mean(0)
        left = (variance - factors.square().sum(1)).clamp(min=0.0) + 0.05 * variance + 1e-3
        z = key.at(Purpose.DATA).normal((count, rank + 1), torch.float64)[0]
        shift = z[:, :rank] @ factors.mT + z[:, rank:] * left.sqrt() / max(1, len(left)) ** 0.5
        with torch.no_grad():
            self.centers.copy_(flat.mean(0) + (_APART * shift if count > 1 else 0.0))
            self.log_diagonals.copy_(left.log().expand(count, -1))
            self.factors.copy_(factors.expand(count, -1, -1))


class BridgeDenoiser(InCoordinates):
    """The law of what comes given a history, from one call of a network."""

    def __init__(
        self, network: BridgeNetwork, process: BridgePlan, coordinates: Coordinates | None = None
    ) -> None:
        """Wrap a network; by default in the clips' own coordinates, else in those given, entry by entry."""
        super().__init__(Identity() if coordinates is None else coordinates)
        self.network = network
        self.process = process

    def start(self, context: Context, like: Float[Tensor, "b f c *space"]) -> Float[Tensor, "b n"]:
        """x_a of each history: what the backbone answers where of the future nothing is known.

        Args:
            context: of the clips.
            like: a clip of the shape, dtype and device wanted.
        """
        past = context.history_frames
        seen = self.read(torch.zeros_like(like), context)
        if context.history is not None and past:
            seen = torch.cat((context.history.to(like), seen[:, past:]), 1)
        level = like.new_full(like.shape[:2], -_LEVEL)
        level[:, :past] = _LEVEL
        answer: Tensor = self.network.backbone(seen, level, context)
        return answer[:, past:].flatten(1)

    def spread(self, start: Float[Tensor, "b n"]) -> Float[Tensor, "b k n"]:
        """S_k x_a."""
        net = self.network
        inner = torch.einsum("bn,knr->bkr", start, net.factors)
        return net.diagonals * start[:, None] + torch.einsum("bkr,knr->bkn", inner, net.factors)

    def plan(self, start: Float[Tensor, "b n"]) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k n"]]:
        """Logarithms of the weights, and the means, of what comes from each start."""
        net, spread = self.network, self.spread(start)
        shares = 0.5 * (spread * start[:, None]).sum(2) + start @ net.centers.mT
        return torch.log_softmax(net.log_weights + shares, 1), net.centers + spread

    def log_likelihood(
        self, start: Float[Tensor, "b n"], end: Float[Tensor, "b n"], present: Float[Tensor, "b n"]
    ) -> Float[Tensor, " b"]:
        """log p(x_b | x_a) of the entries that are present, by 1 and 0.

        Args:
            start: x_a.
            end: x_b, anything finite where missing.
            present: which entries count.
        """
        net, (shares, means) = self.network, self.plan(start)
        diagonals, rank = net.diagonals, net.factors.shape[2]
        away = (end[:, None] - means) * present[:, None]
        scaled = away / diagonals
        outer = net.factors[..., :, None] * (net.factors / diagonals[..., None])[..., None, :]
        inner = torch.einsum("bn,knrs->bkrs", present, outer)
        root = torch.linalg.cholesky(inner + torch.eye(rank, dtype=end.dtype, device=end.device))
        tied = torch.einsum("bkn,knr->bkr", scaled, net.factors)
        joint = torch.linalg.solve_triangular(root, tied[..., None], upper=False)[..., 0]
        squares = (away * scaled).sum(2) - joint.square().sum(2)
        volume = present @ (2.0 * math.pi * diagonals).log().mT
        volume = volume + 2.0 * root.diagonal(dim1=2, dim2=3).log().sum(2)
        return torch.logsumexp(shares - 0.5 * (squares + volume), 1)

    def draw(
        self, context: Context, key: Key, like: Float[Tensor, "b f c *space"]
    ) -> Float[Tensor, "b f c *space"]:
        """Clips in their own units, from the plan itself: one call, no step.

        Args:
            context: of the clips.
            key: one row a clip.
            like: a clip of the shape, dtype and device wanted.
        """
        net, past = self.network, context.history_frames
        shares, means = self.plan(self.start(context, like))
        w = key.at(Purpose.DATA).uniform((1,)).to(shares.device)
        chosen = (shares.double().exp().cumsum(1) < w).sum(1).clamp(max=shares.shape[1] - 1)
        rows, (count, rank) = torch.arange(len(like), device=chosen.device), net.factors.shape[1:]
        own = key.at(Purpose.START).normal((count,), like.dtype, like.device)
        common = key.at(Purpose.NOISE).normal((rank,), like.dtype, like.device)
        joint = torch.einsum("br,knr->bkn", common, net.factors)
        drawn = (means + joint)[rows, chosen] + net.diagonals[chosen].sqrt() * own
        u0 = torch.cat((torch.zeros_like(like[:, :past]), drawn.reshape(like[:, past:].shape)), 1)
        clips = self.read(u0, context)
        if context.history is None or past == 0:
            return clips
        return torch.cat((context.history.to(clips), clips[:, past:]), 1)
