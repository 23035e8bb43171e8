"""Parts of the field backbone, on arrays `(n, y, x, width)`: the memory order in which frames, pixels and
tokens are views of each other.

A residual block per frame (GroupNorm, SiLU, FiLM; arXiv:2105.05233, section 3) with the grid's own boundary:
circular along periodic axes, zeros beyond the others.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rheos.network.modulation import zeroed

Periodic = tuple[bool, bool]


def complete(grid: Tensor, multiple: int, periodic: Periodic) -> Tensor:
    """Lengthen the axes of `(n, y, x, width)` to a multiple: wrapped if periodic, else repeating the edge."""
    for axis, wraps in zip((1, 2), periodic, strict=True):
        size = grid.shape[axis]
        if size % multiple:
            index = torch.arange(size + -size % multiple, device=grid.device)
            grid = grid.index_select(axis, index % size if wraps else index.clamp(max=size - 1))
    return grid


class GridConvolution(nn.Module):
    """A 3x3 convolution that keeps the grid's size and knows its boundary."""

    def __init__(self, inputs: int, outputs: int, periodic: Periodic) -> None:
        super().__init__()
        self.periodic = periodic
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=(int(not periodic[0]), int(not periodic[1])))

    def forward(self, grid: Tensor) -> Tensor:
        """Map `(n, y, x, inputs)` to `(n, y, x, outputs)`."""
        if self.periodic[0]:
            grid = torch.cat((grid[:, -1:], grid, grid[:, :1]), dim=1)
        if self.periodic[1]:
            grid = torch.cat((grid[:, :, -1:], grid, grid[:, :, :1]), dim=2)
        return self.convolution(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class GridNorm(nn.Module):
    """GroupNorm over groups of channels and the whole grid of a frame."""

    def __init__(self, width: int, group: int = 8) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(max(1, width // group), width)

    def forward(self, grid: Tensor) -> Tensor:
        """Map `(n, y, x, width)` to the same shape."""
        return self.norm(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ResidualBlock(nn.Module):
    """Two convolutions under a condition of each frame, the second one 0 at the start."""

    def __init__(self, inputs: int, width: int, condition: int, periodic: Periodic) -> None:
        super().__init__()
        self.enter = nn.Sequential(GridNorm(inputs), nn.SiLU(), GridConvolution(inputs, width, periodic))
        self.norm = GridNorm(width)
        self.film = zeroed(nn.Linear(condition, 2 * width))
        self.leave = GridConvolution(width, width, periodic)
        zeroed(self.leave.convolution)
        self.shortcut = nn.Identity() if inputs == width else nn.Linear(inputs, width)

    def forward(self, grid: Tensor, condition: Tensor) -> Tensor:
        """Map `(n, y, x, inputs)` under `(n, condition)` to `(n, y, x, width)`."""
        scale, shift = self.film(condition)[:, None, None].chunk(2, dim=-1)
        hidden = torch.addcmul(shift, self.norm(self.enter(grid)), 1 + scale)
        return self.shortcut(grid) + self.leave(functional.silu(hidden))


class FrameConvolution(nn.Module):
    """A (3, 1, 1) convolution along frames of `(b, f, pixel, width)`, zeros beyond the clip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(3 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `(b, f, pixel, width)` to the same shape."""
        beyond = torch.zeros_like(tokens[:, :1])
        before = torch.cat((beyond, tokens[:, :-1]), dim=1)
        after = torch.cat((tokens[:, 1:], beyond), dim=1)
        return self.mix(torch.cat((before, tokens, after), dim=-1))
