"""Energy score: ES = mean_m |X_m - y| - sum_mn |X_m - X_n| / (2 M^2), Euclidean norms, fair with 2 M (M - 1).

Gneiting and Raftery, JASA 2007, eq. 22. It judges joint forecasts: whole windows, maps, paths.
"""

import numpy as np

from rheos.score.crps import Estimator
from rheos.score.entries import as_pair, missing


def energy_score(
    ensemble: np.ndarray, truth: np.ndarray, estimator: Estimator = "fair", *, per_entry: bool = False
) -> np.ndarray:
    """Energy score of vectors, the last axis.

    Memory is that of the ensemble: pairs are never stored, so whole fields may be one vector.

    Args:
        ensemble: `(member, *cases, variable)`.
        truth: `(*cases, variable)`; missing variables are left out of their case.
        estimator: "fair" or "plain"; a single member's score is its distance.
        per_entry: divide by the root of the number of observed variables, so that sizes compare.

    Returns:
        `(*cases)`, NaN where nothing is observed.
    """
    from scipy.spatial.distance import cdist, pdist

    members, value = as_pair(ensemble, truth)
    count = len(members)
    pairs = count * (count - 1 if estimator == "fair" else count)
    out = np.full(value.shape[:-1], np.nan)
    for case in np.ndindex(out.shape):
        vectors, target = members[(slice(None), *case)], value[case]
        seen = ~missing(vectors, target)
        if not seen.any():
            continue
        vectors = vectors[:, seen]
        score = cdist(vectors, target[None, seen]).mean()
        if count > 1:
            score -= pdist(vectors).sum() / pairs
        out[case] = score / np.sqrt(seen.sum()) if per_entry else score
    return out
