"""Seasonal: anchor_s = x_(s - lag), the value one period earlier.

Each channel takes the lag of the window specification with the smallest squared error on the training
windows; where that value is missing, or there are no lags, the last observed value stands in. The seasonal
naive method: Hyndman and Athanasopoulos, "Forecasting: principles and practice", 2021, section 5.2.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rheos.data.anchor.base import Anchor, FittedAnchor, chunks, last_observed, residual_scale, some
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch


class Seasonal(Anchor):
    """The value one seasonal period earlier, the best period of each channel.

    Attributes:
        most_windows: how many training windows are looked at.
    """

    kind: Literal["seasonal"] = "seasonal"
    most_windows: int = 20000

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedSeasonal":
        """Choose the lags and measure the scale."""
        used = some(indices, self.most_windows)
        plain = FittedSeasonal(scale=np.ones(0, np.float32), lag=_best_lag(source, used))
        return FittedSeasonal(scale=residual_scale(source, used, plain.future), lag=plain.lag)

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedSeasonal":
        """The inverse of `numbers`."""
        return FittedSeasonal(scale=scale, lag=numbers["lag"])


def _best_lag(source: WindowSource, indices: np.ndarray) -> np.ndarray:
    """Number of the best lag `(C,)`; -1 where there is none."""
    lags, channels = len(source.spec.lags), source.features[0]
    square = np.zeros((lags, channels))
    count = np.zeros((lags, channels))
    if not lags:
        return np.full(channels, -1)
    for batch in chunks(source, indices):
        earlier = batch.lagged[:, batch.history.shape[1] :].astype(np.float64)
        error = earlier - batch.future[:, :, None]
        axes = (0, 1, *range(4, error.ndim))
        square += np.nansum(error**2, axis=axes)
        count += np.isfinite(error).sum(axes)
    mean = np.where(count > 0, square / np.maximum(count, 1), np.inf)
    return mean.argmin(0)


@dataclass(frozen=True, kw_only=True)
class FittedSeasonal(FittedAnchor):
    """The seasonal anchor with the lag's number of each channel `(C,)`, -1 for none."""

    lag: np.ndarray

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The value one period earlier, or the last observed one."""
        last = np.broadcast_to(last_observed(batch.history)[:, None], batch.future.shape)
        earlier = batch.lagged[:, batch.history.shape[1] :]
        if (self.lag < 0).any():
            return last.copy()
        chosen = np.stack([earlier[:, :, k, c] for c, k in enumerate(self.lag)], axis=2)
        return np.where(np.isfinite(chosen), chosen, last)

    def numbers(self) -> dict[str, np.ndarray]:
        """Lags."""
        return {"lag": self.lag}
