"""Spread against skill: SSR = sqrt((M + 1)/M mean var) / sqrt(mean (mean_m X_m - y)^2), 1 when reliable.

Fortin et al., "Why should ensemble spread match the RMSE of the ensemble mean?", Journal of
Hydrometeorology 2014, eq. 15. Means come before the roots; the variance has M - 1 below, and
(M + 1)/M makes a perfect ensemble of any size score 1.
"""

from collections.abc import Sequence

import numpy as np

from rheos.score.entries import aggregate, as_pair, missing

Axes = int | Sequence[int] | None


def squared_error(ensemble: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared error of the ensemble mean, `(*shape)`, NaN where missing."""
    members, value = as_pair(ensemble, truth)
    return (members.mean(0) - value) ** 2


def rmse(
    ensemble: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None, axes: Axes = None
) -> np.ndarray:
    """Root of the mean squared error of the ensemble mean: mean over `axes` first, then the root."""
    return np.sqrt(aggregate(squared_error(ensemble, truth), weights, axes))


def spread(
    ensemble: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None, axes: Axes = None
) -> np.ndarray:
    """Root mean ensemble variance with the factor (M + 1)/M, where the truth is observed.

    NaN for a single member, which has no variance.
    """
    members, value = as_pair(ensemble, truth)
    count = len(members)
    if count == 1:
        return np.full_like(aggregate(value, weights, axes), np.nan)
    variance = members.var(0, ddof=1) * (count + 1) / count
    return np.sqrt(aggregate(np.where(missing(members, value), np.nan, variance), weights, axes))


def spread_skill(
    ensemble: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None, axes: Axes = None
) -> np.ndarray:
    """Spread-skill ratio over `axes`: below 1 the ensemble is too narrow, above 1 too wide.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        weights: broadcastable to `(*shape)`; None: equal.
        axes: axes of `(*shape)` to average over; None: all.

    Returns:
        float64 array of the axes left.
    """
    error = rmse(ensemble, truth, weights, axes)
    return np.divide(
        spread(ensemble, truth, weights, axes), error, out=np.full(np.shape(error), np.nan), where=error > 0
    )
