"""Configurations of the backbones: small, frozen, built into a module by `.build(shapes, seed)`."""

import math
from typing import Literal

from pydantic import Field
from torch import nn

from rheos.core.errors import IncompatibleError
from rheos.core.initialization import initialization
from rheos.core.method import Method
from rheos.network.shapes import Shapes

# Beyond this many tokens a row, activations outgrow memory before arithmetic outgrows patience.
_TOKENS_KEPT = 4096
# A row has about this many tokens: wide tables are cut into longer patches.
_PATCHES, _FEWEST_PATCHES, _TOKENS = 16, 3, 256
# Cells of the body's finest grid that two CPU cores still train on in minutes.
_GRID_CELLS, _TINY_GRID = 1200, 256


def _patch_of(space: tuple[int, ...]) -> int:
    """Side of a patch of pixels: 1 on tiny grids, else the least power of 2 that leaves few patches."""
    if math.prod(space) <= _TINY_GRID:
        return 1
    patch = 2
    while math.prod(-(-size // patch) for size in space) > _GRID_CELLS:
        patch *= 2
    return patch


def _check_numbers(shapes: Shapes, name: str) -> None:
    """Raise where clips hold tokens, for a network that takes numbers.

    Raises:
        IncompatibleError: they do.
    """
    if shapes.values:
        raise IncompatibleError(
            f"network.kind={name} takes clips of numbers, but these hold tokens; use network.kind=series."
        )


def _check_series(shapes: Shapes, width: int, heads: int) -> None:
    """Raise where a network for series cannot be built.

    Raises:
        IncompatibleError: the clips have spatial axes, or the width does not divide by the heads.
    """
    if shapes.space:
        raise IncompatibleError(
            f"the series network takes clips (b, f, channel) but the data has spatial axes {shapes.space}"
            "; use network.kind=field."
        )
    if width % heads:
        raise IncompatibleError(
            f"network.width={width} does not divide by network.heads={heads}; change one."
        )


class SeriesNetwork(Method):
    """Attention over frames and channels, for tables of series.

    F = head(blocks(tokens)) + B (g(level) * A z), z all inputs of a channel: attention along time, then along
    channels, beside a linear path.

    CSDI (arXiv 2107.03502) in patches of frames (arXiv 2211.14730) under AdaLN-zero (arXiv 2212.09748).

    Attributes:
        width: size of a token.
        depth: number of blocks.
        heads: attention heads.
        expansion: hidden size of the perceptrons, in widths.
        rank: rank of the linear path.
        patch: frames a token; None: so many that a channel has about 16 tokens, fewer in wide tables.
        recompute: save memory in training by computing blocks twice; None: where there are many tokens.
    """

    kind: Literal["series"] = "series"
    width: int = Field(default=64, ge=2)
    depth: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    expansion: int = Field(default=2, ge=1)
    rank: int = Field(default=64, ge=1)
    patch: int | None = Field(default=None, ge=1)
    recompute: bool | None = None

    def build(self, shapes: Shapes, seed: int = 0) -> nn.Module:
        """A network for clips of these shapes, its weights set by the seed alone.

        Raises:
            IncompatibleError: the clips have spatial axes, or the width does not divide by the heads.
        """
        from rheos.network.series import SeriesNet

        _check_series(shapes, self.width, self.heads)
        patches = min(_PATCHES, max(_FEWEST_PATCHES, _TOKENS // shapes.channels))
        patch = self.patch or max(1, round(shapes.frames / patches))
        tokens = shapes.channels * -(-shapes.frames // patch)
        with initialization(seed):
            return SeriesNet(
                shapes,
                patch=patch,
                width=self.width,
                depth=self.depth,
                heads=self.heads,
                expansion=self.expansion,
                rank=self.rank,
                recompute=tokens > _TOKENS_KEPT if self.recompute is None else self.recompute,
            )


class CausalSeriesNetwork(Method):
    """Attention over past frames only, for tables of series that are forecast frame after frame.

    softmax(q_i k_j / sqrt(d) + b(min(i - j, reach - 1))) v_j over j <= i with i - j < reach or j < sinks.

    Places are relative (T5, arXiv 1910.10683) and the first frames stay (StreamingLLM, arXiv 2309.17453).

    History must be clean (`process.history=clean`). With `times=per_frame`, `process=plain` and `anchor=none`
    a forecast streams at a constant cost a frame.

    Attributes:
        width: size of a token.
        depth: number of blocks.
        heads: attention heads.
        expansion: hidden size of the perceptrons, in widths.
        rank: rank of the linear path.
        reach: frames that a frame sees, itself included; None: as many as a clip has.
        sinks: first frames, of a clip or a stream, that all frames see.
    """

    kind: Literal["causal"] = "causal"
    width: int = Field(default=64, ge=2)
    depth: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    expansion: int = Field(default=2, ge=1)
    rank: int = Field(default=64, ge=1)
    reach: int | None = Field(default=None, ge=1)
    sinks: int = Field(default=1, ge=0)

    def build(self, shapes: Shapes, seed: int = 0) -> nn.Module:
        """A network for clips of these channels and contexts, its weights set by the seed alone.

        Raises:
            IncompatibleError: the clips have spatial axes, or the width does not divide by the heads.
        """
        from rheos.network.causal import CausalSeriesNet

        _check_numbers(shapes, self.kind)
        _check_series(shapes, self.width, self.heads)
        with initialization(seed):
            return CausalSeriesNet(
                shapes,
                width=self.width,
                depth=self.depth,
                heads=self.heads,
                expansion=self.expansion,
                rank=self.rank,
                reach=self.reach or shapes.frames,
                sinks=self.sinks,
            )


class FieldNetwork(Method):
    """A U-Net over space with mixing along frames, for fields and video on any grid.

    y_k = x_k + gate mix_k(x_1, ..., x_F) at every pixel, after each residual block on single frames.

    Video diffusion's factorized space and time (arXiv 2204.03458).

    The defaults train on two CPU cores; for a GPU take base=64, multipliers=[1, 2, 4, 4], blocks=2, patch=1.

    Attributes:
        base: channels of the finest stage.
        multipliers: channels of each stage, in bases, finest first.
        blocks: residual blocks of a stage.
        attention_from: first stage whose frames are mixed by attention instead of convolution.
        patch: side of the squares of pixels the body sees as one; None: by the size of the grid.
        detail: channels at full resolution.
        rank: rank of the linear path.
    """

    kind: Literal["field"] = "field"
    base: int = Field(default=32, ge=2)
    multipliers: tuple[int, ...] = Field(default=(1, 2, 2), min_length=1)
    blocks: int = Field(default=1, ge=1)
    attention_from: int = Field(default=1, ge=0)
    patch: int | None = Field(default=None, ge=1)
    detail: int = Field(default=16, ge=1)
    rank: int = Field(default=32, ge=1)

    def build(self, shapes: Shapes, seed: int = 0) -> nn.Module:
        """A network for clips of these shapes, its weights set by the seed alone.

        Raises:
            IncompatibleError: the clips have not one or two spatial axes.
        """
        from rheos.network.field import FieldNet

        _check_numbers(shapes, self.kind)
        if len(shapes.space) not in (1, 2):
            raise IncompatibleError(
                f"the field network takes one or two spatial axes but the data has {len(shapes.space)}; "
                "use network.kind=series for tables."
            )
        with initialization(seed):
            return FieldNet(
                shapes,
                patch=self.patch or _patch_of(shapes.space),
                widths=tuple(self.base * multiplier for multiplier in self.multipliers),
                blocks=self.blocks,
                attention_from=self.attention_from,
                detail=self.detail,
                rank=self.rank,
            )


class EquivariantNetwork(Method):
    """Messages among agents and attention along frames that turn with space, for trajectories.

    F(Q x + c) = Q F(x) for any rotation or reflection Q and shift c, and agents in any order.

    GeoTDM (Han et al. 2024, arXiv 2410.13027).

    The defaults train on two CPU cores; for a GPU take width=64, depth=4, neighbors=16.

    Answers turn, shift and change places with the agents where coordinates share a scale (`codec` of kind
    `scale` with `isotropic=true`) and the anchor does the same (`anchor=geometric`).

    Attributes:
        width: numbers of an agent in a frame.
        vectors: vectors of an agent in a frame.
        depth: number of blocks.
        heads: attention heads.
        expansion: hidden size of the perceptrons, in widths.
        rank: rank of the linear path.
        neighbors: how many others an agent hears at most, the nearest in the history.
    """

    kind: Literal["equivariant"] = "equivariant"
    width: int = Field(default=32, ge=2)
    vectors: int = Field(default=16, ge=1)
    depth: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    expansion: int = Field(default=2, ge=1)
    rank: int = Field(default=32, ge=1)
    neighbors: int = Field(default=6, ge=1)

    def build(self, shapes: Shapes, seed: int = 0) -> nn.Module:
        """A network for clips of these shapes and any number of agents, its weights set by the seed alone.

        Raises:
            IncompatibleError: the clips are no trajectories, or a size does not divide by the heads.
        """
        from rheos.network.equivariant import EquivariantNet

        if len(shapes.space) != 1 or shapes.channels not in (2, 3):
            raise IncompatibleError(
                f"the equivariant network takes clips (b, f, space, agent) of 2 or 3 dimensions, but the "
                f"data has {shapes.channels} channels and spatial axes {shapes.space}; use "
                "network.kind=series or field."
            )
        for name, size in (("width", self.width), ("vectors", self.vectors)):
            if size % self.heads:
                raise IncompatibleError(
                    f"network.{name}={size} does not divide by network.heads={self.heads}; change one."
                )
        if shapes.static % shapes.space[0]:
            raise IncompatibleError(
                f"the data has {shapes.static} constants for {shapes.space[0]} agents, and the equivariant "
                "network takes the same of every agent; give them with roles.COLUMN=static."
            )
        with initialization(seed):
            return EquivariantNet(
                shapes,
                width=self.width,
                vectors=self.vectors,
                depth=self.depth,
                heads=self.heads,
                expansion=self.expansion,
                rank=self.rank,
                neighbors=self.neighbors,
            )
