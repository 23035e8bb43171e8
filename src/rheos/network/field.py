"""Field backbone: a U-Net over space, each of its blocks followed by mixing along frames at every pixel.

Video diffusion U-Net (arXiv:2204.03458, section 3) with factorized space and time: residual blocks work on
single frames; then every pixel's frames are mixed, by a convolution on fine grids and by attention on coarse
ones, gated by 0 at the start. A light level at full resolution keeps detail while the body works on patches
of pixels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.network.attention import Attention
from rheos.network.embedding import LevelEmbedding, PositionEmbedding
from rheos.network.field_block import (
    FrameConvolution,
    GridConvolution,
    GridNorm,
    Periodic,
    ResidualBlock,
    complete,
)
from rheos.network.inputs import entry_inputs, frame_inputs, levels_of, until_of
from rheos.network.linear_path import LinearPath
from rheos.network.modulation import Modulated, zeroed
from rheos.network.shapes import Shapes

_HEAD_WIDTH = 16


class Stage(nn.Module):
    """Residual blocks on one grid, each followed by mixing along frames."""

    def __init__(
        self, inputs: int, width: int, condition: int, blocks: int, attends: bool, periodic: Periodic
    ) -> None:
        super().__init__()
        self.space = nn.ModuleList(
            ResidualBlock(inputs if i == 0 else width, width, condition, periodic) for i in range(blocks)
        )
        heads = max(1, width // _HEAD_WIDTH)
        self.time = nn.ModuleList(
            Modulated(
                Attention(width, heads, axis=1) if attends else FrameConvolution(width), width, condition
            )
            for _ in range(blocks)
        )

    def forward(self, grid: Tensor, condition: Tensor) -> Tensor:
        """Map `(b * f, y, x, inputs)` under `(b, f, condition)` to `(b * f, y, x, width)`."""
        for space, time in zip(self.space, self.time, strict=True):
            grid = space(grid, condition.flatten(0, 1))
            tokens = grid.reshape(*condition.shape[:2], -1, grid.shape[-1])
            grid = time(tokens, condition[:, :, None]).reshape(grid.shape)
        return grid


class Merge(nn.Module):
    """Squares of `factor` x `factor` pixels become one, on a grid of any size."""

    def __init__(self, inputs: int, outputs: int, factor: int, periodic: Periodic) -> None:
        super().__init__()
        self.factor = factor
        self.periodic = periodic
        self.project = nn.Linear(factor * factor * inputs, outputs)

    def forward(self, grid: Tensor) -> Tensor:
        """Map `(n, y, x, inputs)` to `(n, ceil(y / factor), ceil(x / factor), outputs)`."""
        k = self.factor
        grid = complete(grid, k, self.periodic)
        return self.project(grid.unflatten(2, (-1, k)).unflatten(1, (-1, k)).transpose(2, 3).flatten(3))


class Split(nn.Module):
    """One pixel becomes `factor` x `factor`, cut to the size of a finer grid: the way back from Merge."""

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.project = nn.Linear(inputs, factor * factor * outputs)

    def forward(self, grid: Tensor, like: Tensor) -> Tensor:
        """Map `(n, y / factor, x / factor, inputs)` to `(n, y, x, outputs)`, y and x those of `like`."""
        k = self.factor
        fine = self.project(grid).unflatten(3, (k, k, -1)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return fine[:, : like.shape[1], : like.shape[2]]


class UNet(nn.Module):
    """Stages on ever coarser grids and back, with skips."""

    def __init__(
        self, widths: tuple[int, ...], condition: int, blocks: int, attention_from: int, periodic: Periodic
    ) -> None:
        super().__init__()
        levels = range(len(widths))

        def stage(inputs: int, level: int) -> Stage:
            return Stage(inputs, widths[level], condition, blocks, level >= attention_from, periodic)

        self.down = nn.ModuleList(stage(widths[i], i) for i in levels)
        self.merge = nn.ModuleList(Merge(widths[i], widths[i + 1], 2, periodic) for i in levels[:-1])
        self.split = nn.ModuleList(Split(widths[i + 1], widths[i], 2) for i in levels[:-1])
        self.up = nn.ModuleList(stage(2 * widths[i], i) for i in levels[:-1])

    def forward(self, grid: Tensor, condition: Tensor) -> Tensor:
        """Map `(b * f, y, x, widths[0])` under `(b, f, condition)` to the same shape."""
        skips: list[Tensor] = []
        for down, merge in zip(self.down, self.merge, strict=False):
            skips.append(down(grid, condition))
            grid = merge(skips[-1])
        grid = self.down[-1](grid, condition)
        for skip, split, up in zip(skips[::-1], self.split[::-1], self.up[::-1], strict=True):
            grid = up(torch.cat((split(grid, skip), skip), dim=-1), condition)
        return grid


class FieldNet(nn.Module):
    """A network for clips `(b, P + S, channel, y, x)` or `(b, P + S, channel, x)` on any grid.

    Built by :class:`rheos.network.config.FieldNetwork`.
    """

    def __init__(
        self,
        shapes: Shapes,
        *,
        patch: int,
        widths: tuple[int, ...],
        blocks: int,
        attention_from: int,
        detail: int,
        rank: int,
    ) -> None:
        """Build for clips of the given shapes.

        Args:
            shapes: sizes of the clips and their context; the grid's size is free.
            patch: side of the squares of pixels that the body sees as one.
            widths: channels of the body's stages, finest first.
            blocks: residual blocks of a stage.
            attention_from: first stage whose frames are mixed by attention instead of convolution.
            detail: channels at full resolution.
            rank: rank of the linear path.
        """
        super().__init__()
        self.shapes = shapes
        self.channel_levels, self.two_levels = shapes.channel_levels, shapes.two_levels
        wraps = shapes.periodic or (False,) * len(shapes.space)
        self.periodic: Periodic = (wraps[0], wraps[1]) if len(wraps) == 2 else (False, wraps[0])
        condition = 2 * max(widths)
        self.embed_level = LevelEmbedding((shapes.levels + 1) * (1 + shapes.two_levels), condition)
        self.embed_frames = nn.Linear(shapes.frame_inputs, condition)
        self.embed_position = PositionEmbedding(shapes.frames, condition)
        inputs = shapes.channels * shapes.entry_inputs + shapes.coordinates
        self.enter = GridConvolution(inputs, detail, self.periodic)
        self.merge = Merge(detail, widths[0], patch, self.periodic)
        self.body = UNet(widths, condition, blocks, attention_from, self.periodic)
        self.split = Split(widths[0], detail, patch)
        self.norm = GridNorm(detail)
        self.film = zeroed(nn.Linear(condition, 2 * detail))
        self.leave = GridConvolution(detail, shapes.channels, self.periodic)
        zeroed(self.leave.convolution)
        self.linear = LinearPath(
            shapes.frames * inputs, shapes.frames * shapes.channels, rank, two_levels=shapes.two_levels
        )

    @property
    def stages(self) -> nn.ModuleList:
        """The modules whose outputs are hidden features, of clip after clip."""
        return self.body.down

    def _condition(self, x: Tensor, level: Tensor, context: Context, until: Tensor | None) -> Tensor:
        """What each frame is told, `(b, f, condition)`: levels, calendar, covariates, place."""
        levels = [part for each in (level, until) if each is not None for part in (each, _lowest(each))]
        leads = torch.arange(x.shape[1], device=x.device, dtype=x.dtype) - self.shapes.history
        return functional.silu(
            self.embed_level(torch.cat(levels, dim=-1))
            + self.embed_frames(frame_inputs(x, level.amin(2), context, self.shapes))
            + self.embed_position(leads)
        )

    def _grid(self, x: Tensor, context: Context) -> Tensor:
        """Inputs of every pixel, `(b, f, y, x, inputs)`."""
        entries = entry_inputs(x, context, self.shapes).flatten(2, 3)
        if self.shapes.coordinates:
            where = context.coordinates
            if where is None:
                where = x.new_zeros(self.shapes.coordinates, *x.shape[3:])
            entries = torch.cat((entries, where.expand(*x.shape[:2], *where.shape)), dim=2)
        return entries.reshape(*entries.shape[:3], -1, x.shape[-1]).permute(0, 1, 3, 4, 2)

    def forward(self, x: Tensor, level: Tensor, context: Context, until: Tensor | None = None) -> Tensor:
        """Map a seen clip `(b, f, channel, *space)` and level `(b, f)`, or `(b, f, channel)`, to its shape.

        Where a step ends, `until`, is like the level.

        Raises:
            IncompatibleError: clip or context are not of the sizes the network was built for.
        """
        if x.shape[1] != self.shapes.frames or x.ndim != 3 + len(self.shapes.space):
            raise IncompatibleError(
                f"a clip of shape {tuple(x.shape)} reached a field network built for {self.shapes.frames} "
                f"frames and {len(self.shapes.space)} spatial axes; build it with the Shapes of this data."
            )
        level = levels_of(level, x, self.shapes)
        until = until_of(until, level, x, self.shapes)
        condition = self._condition(x, level, context, until)
        grid = self._grid(x, context)
        detail = self.enter(grid.flatten(0, 1).contiguous())
        body = self.split(self.body(self.merge(detail), condition), detail)
        scale, shift = self.film(condition.flatten(0, 1))[:, None, None].chunk(2, dim=-1)
        hidden = torch.addcmul(shift, self.norm(detail + body), 1 + scale)
        answer = self.leave(functional.silu(hidden)).permute(0, 3, 1, 2).reshape(x.shape)
        pixels = grid.movedim(1, 3).flatten(1, 2).flatten(2)
        ends = None if until is None else until.amin((1, 2))[:, None]
        linear = self.linear(pixels, level.amin((1, 2))[:, None], until=ends)
        return answer + linear.transpose(1, 2).reshape(x.shape)


def _lowest(level: Tensor) -> Tensor:
    """The clip's lowest level, for each frame `(b, f, 1)`."""
    return level.amin((1, 2), keepdim=True).expand(*level.shape[:2], 1)
