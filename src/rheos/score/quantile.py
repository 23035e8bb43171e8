"""Weighted quantile loss and CRPS-sum as GluonTS computes them: ratios of sums, quantiles by nearest rank.

    wQL_q = sum 2 |(x_q - z) (1[z <= x_q] - q)| / sum |z|,   x_q = sorted members [round((M - 1) q)]

Salinas et al., "High-dimensional multivariate forecasting with low-rank Gaussian copula processes",
NeurIPS 2019; the rule is that of gluonts' SampleForecast and MultivariateEvaluator. It leaves out the
tails, so it is not the CRPS and never belongs in one column with it.
"""

from collections.abc import Sequence

import numpy as np

from rheos.score.entries import as_pair, missing

LEVELS_19: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(1, 20))
LEVELS_9: tuple[float, ...] = tuple(round(0.1 * i, 1) for i in range(1, 10))


def sample_quantile(ensemble: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Members nearest in rank to each level, halves to even, nothing interpolated: `(level, *shape)`."""
    ordered = np.sort(np.asarray(ensemble, np.float64), axis=0)
    return ordered[np.round((len(ordered) - 1) * np.asarray(levels)).astype(int)]


def quantile_loss(ensemble: np.ndarray, truth: np.ndarray, levels: Sequence[float] = LEVELS_19) -> np.ndarray:
    """Twice the pinball loss of every entry and level.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        levels: 19 levels 0.05, ..., 0.95 (the multivariate literature) or `LEVELS_9`.

    Returns:
        `(level, *shape)`, NaN where missing.
    """
    members, value = as_pair(ensemble, truth)
    quantile = sample_quantile(members, levels)
    level = np.asarray(levels).reshape(-1, *(1,) * value.ndim)
    loss = 2 * np.abs((quantile - value) * ((value <= quantile) - level))
    return np.where(missing(members, value), np.nan, loss)


def weighted_quantile_loss(
    ensemble: np.ndarray, truth: np.ndarray, levels: Sequence[float] = LEVELS_19
) -> float:
    """Mean over levels of the loss summed over all entries, over the truth's summed magnitude.

    All windows enter at once (say `(member, window, lead_time, channel)`): the ratio is one of sums.

    Args:
        ensemble: `(member, *shape)`, raw units.
        truth: `(*shape)`, NaN missing.
        levels: as in :func:`quantile_loss`.

    Returns:
        A number without unit; NaN where nothing is observed or all of it is 0.
    """
    loss = quantile_loss(ensemble, truth, levels)
    scored = ~np.isnan(loss[0])
    magnitude = np.abs(np.asarray(truth, np.float64)[scored]).sum()
    return float(loss[:, scored].sum(1).mean() / magnitude) if magnitude > 0 else float("nan")


def crps_sum(ensemble: np.ndarray, truth: np.ndarray, levels: Sequence[float] = LEVELS_19) -> float:
    """CRPS-sum: the weighted quantile loss of the sum over channels, the last axis.

    Args:
        ensemble: `(member, ..., channel)`, raw units, the same for all channels.
        truth: `(..., channel)`; a sum with a missing channel is missing.
        levels: as in :func:`quantile_loss`.
    """
    members, value = as_pair(ensemble, truth)
    return weighted_quantile_loss(members.sum(-1), value.sum(-1), levels)
