"""x_t = u_t + t * start: from a state that is known, at t = 1, to the data, at t = 0.

The first term of the Follmer forecaster's interpolant (Chen et al. 2024, arXiv 2403.13724, equation 8) and of
one-sided stochastic interpolants from a known start (Albergo, Boffi, Vanden-Eijnden 2023, arXiv 2303.08797).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.time_field import expand, expand_each, rows_of
from rheos.process.coordinates.base import Coordinates, Seen


class Bridge(Coordinates):
    """Clips leave the context's anchor as their time falls; data are seen as they are."""

    kind: Literal["bridge"] = "bridge"

    def to_seen(self, u: Tensor, t: Tensor, context: Context) -> Tensor:
        """U + t * start.

        Raises:
            IncompatibleError: the context has no anchor to start from.
        """
        return self.seen_at(t[None], u)[0](u, context)

    def seen_at(self, times: Tensor, like: Tensor) -> list[Seen]:
        """One operation a time."""
        return [_OnTheWay(share) for share in expand_each(times, like)]

    def to_canonical(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """X - t * start.

        Raises:
            IncompatibleError: the context has no anchor to start from.
        """
        return x - expand(t, x) * _start(context)

    def linear(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """`e` itself."""
        return e

    def log_det(self, t: Tensor, shape: Sequence[int], context: Context) -> Tensor:
        """0."""
        return torch.zeros(shape[0], dtype=torch.float64)

    @property
    def causal(self) -> bool:
        """Every entry stands for itself."""
        return True


def _start(context: Context) -> Tensor:
    if context.anchor is None:
        raise IncompatibleError(
            "a bridge starts from Context.anchor, which is None; give one or use plain coordinates."
        )
    return context.anchor


@dataclass(frozen=True, slots=True)
class _OnTheWay(Seen):
    """U + share * start."""

    share: Tensor

    def __call__(self, u: Tensor, context: Context) -> Tensor:
        """One operation."""
        return torch.addcmul(u, self.share, _start(context))

    def rows(self, part: slice) -> Seen:
        """The shares of some clips."""
        return _OnTheWay(rows_of(self.share, part))
