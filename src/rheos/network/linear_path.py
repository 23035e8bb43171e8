"""Linear path of low rank: B (g(level) * A z).

For Gaussian data E[u_0 | u_t, history] is linear in everything known, z, with gains that depend on the level
alone; so this path answers a ridge forecast's share at once and leaves the rest to the backbone.
"""

from torch import Tensor, nn
from torch.nn import functional

from rheos.network.embedding import LevelEmbedding
from rheos.network.modulation import zeroed


class LinearPath(nn.Module):
    """From all inputs of a channel (or a pixel) to all its frames; 0 at the start."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.level = LevelEmbedding(1, rank)
        self.gain = zeroed(nn.Linear(rank, rank))
        self.reduce = nn.Linear(inputs, rank)
        self.expand = zeroed(nn.Linear(rank, outputs))

    def forward(self, inputs: Tensor, level: Tensor) -> Tensor:
        """Map `(b, n, inputs)` at the lowest level of the clip `(b, 1)`, or of each, to `(b, n, outputs)`."""
        gain = 1 + self.gain(functional.silu(self.level(level[..., None])))
        return self.expand(gain * self.reduce(inputs))
