"""x_b | h ~ sum_k w_k N(r_k + S_k x_a, S_k), x_a = F(h): a light bridge's plan, its start a network's answer.

Korotin, Gushchin, Burnaev 2024, arXiv 2310.01174, for the plan; S_k = D_k + U_k U_k', so by Woodbury's
identity C = I + U' D^-1 U is all that is factored:

    (D + U U')^-1 = D^-1 - D^-1 U C^-1 U' D^-1,   |D + U U'| = |D| |C|.

Entries that are missing drop out of D and U, which leaves the law of the others. With y ~ N(0, I) behind U_k,
x_b = r_k + S_k x_a + U_k y + D_k^(1/2) z, and what is known of x_b is known of y: of precision C, and of mean
C^-1 U' D^-1 (x_b - r_k - S_k x_a), all of the known entries; so forecasts given values are exact as well.
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
        return answer[:, past:].flatten(1).to(like)

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

    def believed(
        self, start: Float[Tensor, "b n"], end: Float[Tensor, "b n"], present: Float[Tensor, "b n"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k r"], Float[Tensor, "b k r r"]]:
        """What some entries of x_b say of the rest, by x_b = r_k + S_k x_a + U_k y + D_k^(1/2) z.

        Args:
            start: x_a.
            end: x_b, anything finite where not present.
            present: which entries are known, by 1 and 0.

        Returns:
            log p(k, the known entries | x_a); the mean of y given those and k; the factor L of its precision
            C = L L'.
        """
        # Half precision has no factors of matrices.
        with torch.autocast(end.device.type, enabled=False):
            net, (shares, means) = self.network, self.plan(start)
            diagonals, rank = net.diagonals, net.factors.shape[2]
            away = (end[:, None] - means) * present[:, None]
            scaled = away / diagonals
            outer = net.factors[..., :, None] * (net.factors / diagonals[..., None])[..., None, :]
            inner = torch.einsum("bn,knrs->bkrs", present, outer)
            root = torch.linalg.cholesky(inner + torch.eye(rank, dtype=end.dtype, device=end.device))
            tied = torch.einsum("bkn,knr->bkr", scaled, net.factors)[..., None]
            joint = torch.linalg.solve_triangular(root, tied, upper=False)
            squares = (away * scaled).sum(2) - joint.square().sum((2, 3))
            volume = present @ (2.0 * math.pi * diagonals).log().mT
            volume = volume + 2.0 * root.diagonal(dim1=2, dim2=3).log().sum(2)
            mean = torch.linalg.solve_triangular(root.mT, joint, upper=True)[..., 0]
            return shares - 0.5 * (squares + volume), mean, root

    def log_likelihood(
        self, start: Float[Tensor, "b n"], end: Float[Tensor, "b n"], present: Float[Tensor, "b n"]
    ) -> Float[Tensor, " b"]:
        """log p(x_b | x_a) of the entries that are present.

        Args:
            start: x_a.
            end: x_b, anything finite where missing.
            present: which entries count, by 1 and 0.
        """
        return torch.logsumexp(self.believed(start, end, present)[0], 1)

    def draw(
        self, context: Context, key: Key, like: Float[Tensor, "b f c *space"]
    ) -> Float[Tensor, "b f c *space"]:
        """Clips in their own units, from the plan itself: one call, no step.

        Entries that the context's scope gives are held, and the rest is drawn given them, exactly.

        Args:
            context: of the clips.
            key: one row a clip.
            like: a clip of the shape, dtype and device wanted.
        """
        net, past = self.network, context.history_frames
        start, known, seen = self.start(context, like), *self._known(context, like)
        shares, mean, root = self.believed(start, seen, known)
        w = key.at(Purpose.DATA).uniform((1,)).to(shares.device)
        chosen = (torch.softmax(shares.double(), 1).cumsum(1) < w).sum(1).clamp(max=shares.shape[1] - 1)
        rows, (count, rank) = torch.arange(len(like), device=chosen.device), net.factors.shape[1:]
        own = key.at(Purpose.START).normal((count,), like.dtype, like.device)
        common = key.at(Purpose.NOISE).normal((rank,), like.dtype, like.device)
        turned = torch.linalg.solve_triangular(root[rows, chosen].mT, common[..., None], upper=True)[..., 0]
        joint = torch.einsum("br,knr->bkn", mean[rows, chosen] + turned, net.factors)
        drawn = (self.plan(start)[1] + joint)[rows, chosen] + net.diagonals[chosen].sqrt() * own
        drawn = torch.where(known > 0, seen, drawn)
        u0 = torch.cat((torch.zeros_like(like[:, :past]), drawn.reshape(like[:, past:].shape)), 1)
        clips = self.read(u0, context)
        if context.history is None or past == 0:
            return clips
        return torch.cat((context.history.to(clips), clips[:, past:]), 1)

    def _known(self, context: Context, like: Tensor) -> tuple[Tensor, Tensor]:
        """Which entries of the future the scope gives, by 1 and 0, and what they are; each `(b, n)`."""
        if context.scope is None or context.observation is None:
            return (torch.zeros_like(like[:, context.history_frames :]).flatten(1),) * 2
        given = context.scope.mask(context.scope.given, like).expand(like.shape).to(like)
        seen = self.canonical(context.observation.to(like), context)
        past = context.history_frames
        return given[:, past:].flatten(1), seen[:, past:].flatten(1)
