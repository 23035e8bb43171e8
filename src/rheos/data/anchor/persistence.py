"""Persistence: anchor_s = rho_s * last observed value; rho = 1, or fitted by least squares.

In coded units the training mean is 0, so damping (rho_s < 1) is the AR(1) forecast of each lead:
rho_s = sum(x_s * last) / sum(last^2) over the training windows, kept inside [0, 1].
Damped persistence: Murphy, Weather and Forecasting 7, 1992.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rheos.data.anchor.base import Anchor, FittedAnchor, chunks, last_observed, residual_scale, some
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch


class Persistence(Anchor):
    """The last observed value, optionally damped towards the mean.

    Attributes:
        damped: fit a damping of each lead and channel.
        most_windows: how many training windows are looked at.
    """

    kind: Literal["persistence"] = "persistence"
    damped: bool = False
    most_windows: int = 20000

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedPersistence":
        """Measure damping and scale."""
        used = some(indices, self.most_windows)
        damping = np.ones((source.spec.horizon, source.features[0]))
        if self.damped:
            damping = _damping(source, used)
        plain = FittedPersistence(scale=np.ones(0, np.float32), damping=damping.astype(np.float32))
        return FittedPersistence(scale=residual_scale(source, used, plain.future), damping=plain.damping)

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedPersistence":
        """The inverse of `numbers`."""
        return FittedPersistence(scale=scale, damping=numbers["damping"])


def _damping(source: WindowSource, indices: np.ndarray) -> np.ndarray:
    """rho `(S, C)`."""
    product = np.zeros((source.spec.horizon, source.features[0]))
    square = np.zeros_like(product)
    for batch in chunks(source, indices):
        last = last_observed(batch.history).astype(np.float64)[:, None]
        future = batch.future.astype(np.float64)
        axes = (0, *range(3, future.ndim))
        product += np.nansum(future * last, axis=axes)
        square += np.where(np.isfinite(future), last**2, 0.0).sum(axes)
    return np.clip(product / np.where(square > 0, square, 1.0), 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class FittedPersistence(FittedAnchor):
    """Persistence with its damping `(S, C)`."""

    damping: np.ndarray

    def future(self, batch: WindowBatch) -> np.ndarray:
        """Damping times the last value."""
        last = last_observed(batch.history)[:, None]
        return last * self.damping.reshape(1, *self.damping.shape, *(1,) * (last.ndim - 3))

    def numbers(self) -> dict[str, np.ndarray]:
        """Damping."""
        return {"damping": self.damping}
