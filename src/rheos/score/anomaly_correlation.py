"""Anomaly correlation: ACC = sum w f' o' / sqrt(sum w f'^2 sum w o'^2), anomalies from a climatology.

The area's mean anomaly is not removed; one number a time, averaged last (as WeatherBench 2 does; Rasp et
al., JAMES 2024, eq. 8).
"""

from collections.abc import Sequence

import numpy as np


def anomaly_correlation(
    forecast: np.ndarray,
    truth: np.ndarray,
    climatology: np.ndarray,
    weights: np.ndarray | None = None,
    axes: int | Sequence[int] = (-2, -1),
) -> np.ndarray:
    """Correlation of forecast and observed anomalies over space.

    Args:
        forecast: `(*shape)`, one forecast, usually the ensemble mean.
        truth: `(*shape)`, NaN missing.
        climatology: broadcastable to `(*shape)`.
        weights: broadcastable to `(*shape)`; None: equal.
        axes: the spatial axes.

    Returns:
        float64 array of the axes left; NaN where an anomaly is 0 throughout.
    """
    ours = np.asarray(forecast, np.float64) - climatology
    theirs = np.asarray(truth, np.float64) - climatology
    seen = ~(np.isnan(ours) | np.isnan(theirs))
    weight = np.where(seen, 1.0 if weights is None else weights, 0.0)
    ours, theirs = np.where(seen, ours, 0.0), np.where(seen, theirs, 0.0)
    axis = tuple(axes) if isinstance(axes, Sequence) else axes
    cross, left, right = (np.sum(weight * p, axis) for p in (ours * theirs, ours**2, theirs**2))
    scale = np.sqrt(left * right)
    return np.divide(cross, scale, out=np.full(np.shape(scale), np.nan), where=scale > 0)
