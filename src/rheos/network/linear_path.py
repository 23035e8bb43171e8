"""Linear path of low rank: B (g(level) * A z).

For Gaussian data E[u_0 | u_t, history] is linear in everything known, z, with gains that depend on the level
alone; so this path answers a ridge forecast's share at once and leaves the rest to the backbone.
"""

from torch import Tensor, nn
from torch.nn import functional

from rheos.network.embedding import LevelEmbedding
from rheos.network.modulation import zeroed


class LinearPath(nn.Module):
    """From all inputs of a channel (or a pixel) to all its frames; 0 at the start.

    Without bias it only adds up its inputs: what turns them turns its answer.
    """

    def __init__(self, inputs: int, outputs: int, rank: int, bias: bool = True) -> None:
        super().__init__()
        self.level = LevelEmbedding(1, rank)
        self.gain = zeroed(nn.Linear(rank, rank))
        self.reduce = nn.Linear(inputs, rank, bias=bias)
        self.expand = zeroed(nn.Linear(rank, outputs, bias=bias))

    def forward(self, inputs: Tensor, level: Tensor) -> Tensor:
        """Map `(b, n, inputs)` at the clip's lowest level `(b, 1)` to `(b, n, outputs)`."""
        gain = 1 + self.gain(functional.silu(self.level(level)))
        return self.expand(gain[:, None] * self.reduce(inputs))
