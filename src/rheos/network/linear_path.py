"""Linear path of low rank: y_n = B (g(level) * h_n), h_n = A z_n, and beside it what channels have in common.

For Gaussian data E[u_0 | u_t, history] is linear in everything known, z, with gains that depend on the level
alone; so this path answers a ridge forecast's share at once and leaves the rest to the backbone. Where the
rows are channels they also meet in a few modes j,

    y_n = B (g(level) * h_n + sum_j s_nj g_j(level) * sum_m r_mj h_m),

r and s linear maps of what tells channels apart, r_j of norm 1. A covariance K along frames times R between
channels, K = E diag(k) E', R = Q diag(q) Q', asks for just that: E for A' and B, Q for r and s, and a gain
for each k_i q_j.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rheos.network.embedding import LevelEmbedding, stacked
from rheos.network.modulation import zeroed

# What the channels of wide tables have in common is a matter of few factors.
_MODES = 16


class ChannelModes(nn.Module):
    """What each channel takes from the modes of all of them; 0 at the start."""

    def __init__(self, rank: int, width: int, channels: int) -> None:
        super().__init__()
        self.modes = min(channels, _MODES)
        self.gain = zeroed(nn.Linear(rank, self.modes * rank))
        self.gather = nn.Linear(width, self.modes, bias=False)
        self.scatter = zeroed(nn.Linear(width, self.modes, bias=False))

    def forward(self, reduced: Tensor, told: Tensor, channels: Tensor) -> Tensor:
        """Map `(b, n, ..., rank)`, told of levels `(b, 1 or n, ..., rank)`, to that; channels `(n, k)`."""
        loadings = functional.normalize(self.gather(channels), dim=0)
        gain = 1 + self.gain(told).unflatten(-1, (self.modes, -1))
        common = torch.einsum("bn...r,nj->b...jr", reduced, loadings)[:, None]
        return torch.einsum("bn...jr,nj->bn...r", gain * common, self.scatter(channels))


class LinearPath(nn.Module):
    """From all inputs of a channel (or a pixel) to all its frames; 0 at the start.

    Without bias it only adds up its inputs: what turns them turns its answer.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        rank: int,
        modes: ChannelModes | None = None,
        bias: bool = True,
        two_levels: bool = False,
    ) -> None:
        super().__init__()
        self.level = LevelEmbedding(1 + two_levels, rank)
        self.gain = zeroed(nn.Linear(rank, rank))
        self.reduce = nn.Linear(inputs, rank, bias=bias)
        self.expand = zeroed(nn.Linear(rank, outputs, bias=bias))
        self.modes = modes

    def forward(
        self, inputs: Tensor, level: Tensor, channels: Tensor | None = None, until: Tensor | None = None
    ) -> Tensor:
        """Map `(b, n, inputs)` at the lowest level of the clip `(b, 1)`, or of each, to `(b, n, outputs)`.

        Args:
            inputs: of each row.
            level: of each clip, or of each row.
            channels: what tells the rows apart, `(n, width)`; needed where they meet in modes.
            until: the level where a step ends, like `level`; given where the path knows two levels.
        """
        told = functional.silu(self.level(stacked(level, until)))
        reduced = self.reduce(inputs)
        hidden = (1 + self.gain(told)) * reduced
        if self.modes is not None and channels is not None:
            hidden = hidden + self.modes(reduced, told, channels)
        return self.expand(hidden)
