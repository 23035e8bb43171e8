"""Central intervals: how often they hold the truth, and how wide they are.

The q-quantile is taken at position q (M + 1) among the sorted members (Weibull's rule; linear in
between): the truth of a reliable ensemble is exchangeable with its members, so it lies below X_(k) with
probability k/(M + 1) and the coverage is the nominal one for any M. Where q (M + 1) < 1 the outermost
member has to do: a 90 % interval of fewer than 19 members covers (M - 1)/(M + 1) at best.
"""

import numpy as np

from rheos.score.entries import as_pair, missing


def central_interval(ensemble: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the central interval, each `(*shape)`.

    Args:
        ensemble: `(member, *shape)`.
        level: nominal coverage in (0, 1).
    """
    tail = (1 - level) / 2
    members = np.asarray(ensemble, np.float64)
    low, high = np.quantile(members, [tail, 1 - tail], axis=0, method="weibull")
    return low, high


def covered(ensemble: np.ndarray, truth: np.ndarray, level: float = 0.9) -> np.ndarray:
    """1 where the central interval holds the truth, else 0; NaN where missing. Its mean is the coverage.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        level: nominal coverage in (0, 1).
    """
    members, value = as_pair(ensemble, truth)
    low, high = central_interval(members, level)
    return np.where(missing(members, value), np.nan, (low <= value) & (value <= high))


def interval_width(ensemble: np.ndarray, truth: np.ndarray, level: float = 0.9) -> np.ndarray:
    """Width of the central interval where the truth is observed, NaN elsewhere."""
    members, value = as_pair(ensemble, truth)
    low, high = central_interval(members, level)
    return np.where(missing(members, value), np.nan, high - low)
