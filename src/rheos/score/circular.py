"""CRPS of directions: mean_m a(X_m, y) - sum_mn a(X_m, X_n) / (2 M^2), fair with 2 M (M - 1).

a is the angular distance. Grimit, Gneiting, Berrocal and Johnson, "The continuous ranked probability score
for circular variables and its application to mesoscale forecast ensemble verification", QJRMS 2006. Where all
lies on one half of the circle it is the CRPS of numbers.
"""

import numpy as np

from rheos.core.circle import signed
from rheos.score.crps import Estimator
from rheos.score.entries import as_pair


def circular_crps(
    ensemble: np.ndarray, truth: np.ndarray, period: float = 360.0, estimator: Estimator = "fair"
) -> np.ndarray:
    """CRPS on the circle of every entry, in the truth's units, at most half a period; lower is better.

    Memory is that of the ensemble: pairs are never stored.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        period: of the circle.
        estimator: "fair" or "plain", as in :func:`rheos.score.crps`.

    Returns:
        `(*shape)`, NaN where missing.
    """
    members, value = as_pair(ensemble, truth)
    count = len(members)
    score = np.abs(signed(members - value, period)).mean(0)
    if count == 1:
        return score
    pairs = np.zeros_like(value)
    # Each pair once for every way round the members: as many shifts one way as the other.
    for shift in range(1, count // 2 + 1):
        once = 0.5 if 2 * shift == count else 1.0
        pairs += 2 * once * np.abs(signed(members - np.roll(members, shift, axis=0), period)).sum(0)
    return score - pairs / (2 * count * (count - 1 if estimator == "fair" else count))
