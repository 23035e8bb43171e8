"""CRPS = mean_m |X_m - y| - sum_mn |X_m - X_n| / (2 M^2), fair with 2 M (M - 1).

Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 2007; the fair
form is Ferro, "Fair scores for ensemble forecasts", QJRMS 2014, eq. 2: its mean does not depend on M.
"""

from typing import Literal

import numpy as np

from rheos.score.entries import as_pair

Estimator = Literal["fair", "plain"]

# Both O(M log M): by sorted members, never by all pairs.
_SORTED_FORM = {"fair": "pwm", "plain": "qd"}


def crps(ensemble: np.ndarray, truth: np.ndarray, estimator: Estimator = "fair") -> np.ndarray:
    """Continuous ranked probability score of every entry, in the truth's units; lower is better.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        estimator: "fair" (unbiased in the number of members, may be negative) or "plain" (of the
            empirical distribution). A single member has no spread to be fair about: both are |X - y|.

    Returns:
        `(*shape)`, NaN where missing.
    """
    import scoringrules

    members, value = as_pair(ensemble, truth)
    if len(members) == 1:
        return np.abs(members[0] - value)
    return np.asarray(scoringrules.crps_ensemble(value, members, m_axis=0, estimator=_SORTED_FORM[estimator]))


def threshold_weighted_crps(
    ensemble: np.ndarray, truth: np.ndarray, threshold: float, estimator: Estimator = "fair"
) -> np.ndarray:
    """CRPS that only sees what lies above a threshold: CRPS of max(X, q) at max(y, q).

    Gneiting and Ranjan, "Comparing density forecasts using threshold- and quantile-weighted scoring
    rules", JBES 2011. Proper, unlike scoring only the cases that turned out extreme.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        threshold: q, in the truth's units.
        estimator: as in :func:`crps`.

    Returns:
        `(*shape)`, NaN where missing.
    """
    members, value = as_pair(ensemble, truth)
    return crps(np.maximum(members, threshold), np.maximum(value, threshold), estimator)
