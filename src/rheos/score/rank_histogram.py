"""Rank histogram: r = #{X_m < y} + Uniform{0, ..., #{X_m = y}}, flat over 0..M for a reliable ensemble.

Hamill, "Interpretation of rank histograms for verifying ensemble forecasts", Monthly Weather Review 2001.
A U means too narrow, a dome too wide, a slope biased. Flatness is summed up by
Delta = sum_r (h_r - n/(M + 1))^2 / (n M/(M + 1)), 1 on average when reliable and cases are independent.
"""

import numpy as np

from rheos.core.keys import Key, Purpose
from rheos.score.bootstrap import resampled_means, usual_block
from rheos.score.entries import as_pair, missing


def ranks(ensemble: np.ndarray, truth: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rank of the truth among the members, ties broken at random.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        seed: of the ties; the same seed gives the same ranks.

    Returns:
        `(*shape)` float64 in 0..M, NaN where missing.
    """
    members, value = as_pair(ensemble, truth)
    below = (members < value).sum(0)
    ties = (members == value).sum(0)
    uniform = Key.of(seed).at(Purpose.BOOTSTRAP).uniform(value.shape)[0].numpy()
    return np.where(missing(members, value), np.nan, below + np.floor(uniform * (ties + 1)))


def rank_histogram(rank: np.ndarray, members: int) -> np.ndarray:
    """Counts of the ranks 0..M, int64 `(M + 1,)`; missing ones are left out."""
    seen = rank[~np.isnan(rank)].astype(np.int64)
    return np.bincount(seen, minlength=members + 1)


def unevenness(histogram: np.ndarray) -> float:
    """Delta: 1 on average for a reliable ensemble and independent cases; NaN for an empty histogram."""
    cases, bins = histogram.sum(), len(histogram)
    if cases == 0:
        return float("nan")
    expected = cases / bins
    return float(((histogram - expected) ** 2).sum() / (expected * (bins - 1)))


def flatness(histograms: np.ndarray, draws: int = 2000, seed: int = 0) -> float:
    """How often a reliable ensemble would have a rank histogram as uneven: a p-value by block bootstrap.

    The windows' histograms are moved so that their mean is flat, then whole blocks of neighboring windows are
    drawn: what is left is how much chance alone, with the windows' dependence, bends the mean.

    Args:
        histograms: `(windows, bins)`, in order of time, bins of equal probability.
        draws: bootstrap draws.
        seed: of the draws.

    Returns:
        In (0, 1]; NaN for fewer than 3 windows, or none with a case.
    """
    seen = np.asarray(histograms, np.float64)
    seen = seen[seen.sum(1) > 0]
    if len(seen) < 3:
        return float("nan")
    shares = seen / seen.sum(1, keepdims=True)
    bent = shares.mean(0) - 1 / shares.shape[1]
    # Blocks of l among n windows vary less than as many independent blocks would, by 1 - l/n.
    missed = 1 - usual_block(len(shares)) / len(shares)
    chance = resampled_means(shares - shares.mean(0), draws, seed=seed) / np.sqrt(missed)
    as_bent = (np.square(chance).sum(1) >= np.square(bent).sum() * (1 - 1e-12)).sum()
    return float((1 + as_bent) / (1 + draws))


def pit(rank: np.ndarray, members: int, seed: int = 0) -> np.ndarray:
    """Probability integral transform from ranks, uniform in (0, 1) when reliable: (r + U) / (M + 1)."""
    uniform = Key.of(seed).at(Purpose.BOOTSTRAP, 1).uniform(np.shape(rank))[0].numpy()
    return (rank + uniform) / (members + 1)
