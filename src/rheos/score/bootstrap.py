"""Is one forecast better than another? Paired circular block bootstrap over windows.

    skill = 1 - mean(ours) / mean(theirs), resampled over whole blocks of neighboring windows

Politis and Romano, "A circular block-resampling procedure for stationary data", 1992. Pairs stay
together, because a hard window is hard for both; blocks, because neighboring windows are alike.
"""

from typing import NamedTuple

import numpy as np

from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose


class Interval(NamedTuple):
    """An estimate and the ends of its interval; the ends are NaN where there are fewer than 3 windows."""

    value: float
    low: float
    high: float


def usual_block(windows: int) -> int:
    """Windows a block: the cube root of their number, rounded up."""
    return int(np.ceil(windows ** (1 / 3) - 1e-9))


def resampled_means(
    scores: np.ndarray, draws: int = 2000, block: int | None = None, seed: int = 0
) -> np.ndarray:
    """Means over windows of resampled series of windows.

    Args:
        scores: `(windows, k)`, finite, in order of time; the k scores of a window stay together.
        draws: how many resampled series.
        block: windows a block; None: the cube root of their number, rounded up.
        seed: of the draws.

    Returns:
        `(draws, k)`.
    """
    windows = len(scores)
    length = min(block or usual_block(windows), windows)
    count = -(-windows // length)
    first = Key.of(seed, draws).at(Purpose.BOOTSTRAP).integers(windows, count).numpy()
    index = (first[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :windows] % windows
    return scores[index].mean(1)


def _paired(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    pair = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if pair[0].shape != pair[1].shape or pair[0].ndim != 1:
        raise InputError(
            f"scores to compare must be rows over the same windows, not {pair[0].shape} and {pair[1].shape}."
        )
    both = np.stack(pair, 1)
    return both[~np.isnan(both).any(1)]


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def skill(
    ours: np.ndarray,
    theirs: np.ndarray,
    level: float = 0.9,
    draws: int = 2000,
    block: int | None = None,
    seed: int = 0,
) -> Interval:
    """Skill against a reference: 1 is perfect, 0 no better, below 0 worse.

    Args:
        ours: mean score of each window `(windows,)`, in order of time, lower is better; NaN missing.
        theirs: the reference's, same windows.
        level: of the interval.
        draws: bootstrap draws.
        block: windows a block; None: the cube root of their number.
        seed: of the draws.

    Raises:
        InputError: the two do not cover the same windows.
    """
    scores = _paired(ours, theirs)
    if len(scores) == 0:
        return Interval(np.nan, np.nan, np.nan)
    value = float(1 - scores[:, 0].mean() / scores[:, 1].mean())
    if len(scores) < 3:
        return Interval(value, np.nan, np.nan)
    means = resampled_means(scores, draws, block, seed)
    return Interval(value, *_ends(1 - means[:, 0] / means[:, 1], level))


def mean_difference(
    ours: np.ndarray,
    theirs: np.ndarray,
    level: float = 0.9,
    draws: int = 2000,
    block: int | None = None,
    seed: int = 0,
) -> Interval:
    """Mean of ours minus theirs with its interval, in the score's units; arguments as in :func:`skill`."""
    scores = _paired(ours, theirs)
    if len(scores) == 0:
        return Interval(np.nan, np.nan, np.nan)
    gap = scores[:, :1] - scores[:, 1:]
    if len(gap) < 3:
        return Interval(float(gap.mean()), np.nan, np.nan)
    return Interval(float(gap.mean()), *_ends(resampled_means(gap, draws, block, seed), level))
