"""The two halves of an autoencoder of patches, both on the coarse grid, both 0 before they are trained.

code = linear code + E(patches),   patches = linear patches + D(code)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rheos.core.keys import Key


class Convolution(nn.Module):
    """A 3 x 3 convolution that keeps the grid's size: periodic axes are wrapped, zeros lie beyond others."""

    def __init__(self, inputs: int, outputs: int, periodic: tuple[bool, bool]) -> None:
        super().__init__()
        self.periodic = periodic
        # Its weights are drawn by a key, so that no global random state is read or changed.
        self.convolution = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3)

    def forward(self, grid: Tensor) -> Tensor:
        """Map `(n, inputs, y, x)` to `(n, outputs, y, x)`."""
        for axis, wraps in zip((2, 3), self.periodic, strict=True):
            first, last = grid.narrow(axis, 0, 1), grid.narrow(axis, grid.shape[axis] - 1, 1)
            ends = (last, first) if wraps else (torch.zeros_like(first), torch.zeros_like(first))
            grid = torch.cat((ends[0], grid, ends[1]), axis)
        return self.convolution(grid)


class Half(nn.Sequential):
    """Three convolutions, the last one 0 at the start."""

    def __init__(self, inputs: int, width: int, outputs: int, periodic: tuple[bool, bool]) -> None:
        super().__init__(
            Convolution(inputs, width, periodic),
            nn.SiLU(),
            Convolution(width, width, periodic),
            nn.SiLU(),
            Convolution(width, outputs, periodic),
        )


class Coder(nn.Module):
    """E and D; weights follow from the seed alone.

    Args:
        entries: of a patch.
        codes: numbers that a patch becomes.
        width: channels inside.
        periodic: which axes of the grid close on themselves.
        seed: of the weights.
    """

    def __init__(
        self, entries: int, codes: int, width: int, periodic: tuple[bool, bool], seed: int = 0
    ) -> None:
        super().__init__()
        self.encoder = Half(entries, width, codes, periodic)
        self.decoder = Half(codes, width, entries, periodic)
        key = Key.of(seed, 1, "coder")
        with torch.no_grad():
            for number, (name, weights) in enumerate(self.named_parameters()):
                first = weights.ndim > 1 and ".4." not in name
                drawn = key.at(key.purpose, number).normal(weights.shape)[0]
                weights.copy_(drawn / weights[0].numel() ** 0.5 if first else torch.zeros_like(weights))

    def loss(self, patches: Tensor, linear: "Linear", noise: Tensor, penalty: float) -> Tensor:
        """Mean squared error of what noisy codes are decoded to, and `penalty` times the codes' mean square.

        Args:
            patches: `(n, entries, y, x)`, centered, of unit variance, 0 where nothing exists.
            linear: the linear code that E and D add to.
            noise: `(n, codes, y, x)`, what is added to the codes.
            penalty: weight of the codes' mean square.
        """
        alive = linear.exists.amax(0)
        codes = (linear.encode(patches) + self.encoder(patches)) * alive
        noisy = codes + noise * alive
        error = (linear.decode(noisy) + self.decoder(noisy) - patches) * linear.exists
        size = linear.exists.sum() * len(patches)
        return error.square().sum() / size + penalty * codes.square().mean()


class Linear(nn.Module):
    """The linear code between patches of unit variance and codes, fixed.

    Args:
        forth: `(codes, entries)`.
        back: `(entries, codes)`.
        exists: `(entries, y, x)`, 1 where an entry is ever observed.
    """

    def __init__(self, forth: Tensor, back: Tensor, exists: Tensor) -> None:
        super().__init__()
        self.forth, self.back, self.exists = forth[..., None, None], back[..., None, None], exists

    def encode(self, patches: Tensor) -> Tensor:
        """Codes `(n, codes, y, x)`."""
        return functional.conv2d(patches, self.forth)

    def decode(self, codes: Tensor) -> Tensor:
        """Patches `(n, entries, y, x)`."""
        return functional.conv2d(codes, self.back)
