"""x_t = scale * u_t + anchor: x_t = anchor + alpha (x_0 - anchor) + sigma scale z.

Mean-reverting diffusion (Luo et al. 2023, arXiv 2301.11699) and GeoTDM's prior (Han et al. 2024): the
process starts from a forecast at hand (persistence, the last season) instead of from zero.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.process.coordinates.base import Coordinates


class Anchored(Coordinates):
    """Canonical clips are deviations from the context's anchor, in units of its scale."""

    kind: Literal["anchored"] = "anchored"

    def to_seen(self, u: Tensor, t: Tensor, context: Context) -> Tensor:
        """Scale * u + anchor.

        Raises:
            IncompatibleError: the context has no anchor.
        """
        if context.anchor is None:
            raise IncompatibleError(_NO_ANCHOR)
        if context.anchor_scale is None:
            return u + context.anchor
        return torch.addcmul(context.anchor, context.anchor_scale, u)

    def to_canonical(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """(x - anchor) / scale.

        Raises:
            IncompatibleError: the context has no anchor.
        """
        if context.anchor is None:
            raise IncompatibleError(_NO_ANCHOR)
        deviation = x - context.anchor
        return deviation if context.anchor_scale is None else deviation / context.anchor_scale

    def linear(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """Scale * e."""
        return e if context.anchor_scale is None else e * context.anchor_scale

    def metric(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """E itself: the scale is the canonical clip's unit, and far leads must not drown near ones."""
        return e

    def log_det(self, t: Tensor, shape: Sequence[int], context: Context) -> Tensor:
        """Sum of log |scale| over each clip."""
        if context.anchor_scale is None:
            return torch.zeros(shape[0], dtype=torch.float64)
        scale = context.anchor_scale.to(device="cpu", dtype=torch.float64)
        return torch.log(scale.abs()).expand(*shape).flatten(1).sum(1)

    @property
    def causal(self) -> bool:
        """Every entry stands for itself."""
        return True


_NO_ANCHOR = "anchored coordinates need Context.anchor, which is None; give one or use plain coordinates."
