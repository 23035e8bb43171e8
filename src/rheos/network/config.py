"""Configurations of the backbones: small, frozen, built into a module by `.build(shapes, seed)`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from rheos.core.errors import IncompatibleError
from rheos.core.method import Method
from rheos.network.shapes import Shapes

# Beyond this many tokens a row, activations outgrow memory before arithmetic outgrows patience.
_TOKENS_KEPT = 4096
_PATCHES = 16


@contextmanager
def _initialization(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed, leaving the caller's random state as it was."""
    state = torch.random.get_rng_state()
    # Only the CPU generator: torch.manual_seed would also reseed every accelerator.
    torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.random.set_rng_state(state)


class SeriesNetwork(Method):
    """Attention over frames and channels, for tables of series.

    Attributes:
        width: size of a token.
        depth: number of blocks.
        heads: attention heads.
        expansion: hidden size of the perceptrons, in widths.
        rank: rank of the linear path.
        patch: frames a token; None: so many that a clip has about 16 tokens a channel.
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

        if shapes.space:
            raise IncompatibleError(
                f"the series network takes clips (b, f, channel) but the data has spatial axes {shapes.space}"
                "; use network.kind=field."
            )
        if self.width % self.heads:
            raise IncompatibleError(
                f"network.width={self.width} does not divide by network.heads={self.heads}; change one."
            )
        patch = self.patch or max(1, round(shapes.frames / _PATCHES))
        tokens = shapes.channels * -(-shapes.frames // patch)
        with _initialization(seed):
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
