"""Variogram score: VS_p = sum_ij w_ij (|y_i - y_j|^p - mean_m |X_mi - X_mj|^p)^2 over the full double sum.

Scheuerer and Hamill, "Variogram-based proper scoring rules for probabilistic forecasts of multivariate
quantities", Monthly Weather Review 2015, eq. 3. Every pair counts twice, as in scoringrules; papers that
sum over i < j print half of it. It sees wrong dependence, which the energy score hardly does.
"""

import numpy as np

from rheos.score.entries import as_pair, missing


def variogram_score(
    ensemble: np.ndarray, truth: np.ndarray, p: float = 0.5, weights: np.ndarray | None = None
) -> np.ndarray:
    """Variogram score of vectors, the last axis.

    Args:
        ensemble: `(member, *cases, variable)`.
        truth: `(*cases, variable)`; pairs with a missing variable are left out.
        p: order of the variogram.
        weights: `(variable, variable)`, such as 1 / distance; None: 1.

    Returns:
        `(*cases)`, NaN where no pair is observed.
    """
    members, value = as_pair(ensemble, truth)
    hidden = missing(members, value)
    size = value.shape[-1]
    weight = np.ones((size, size)) if weights is None else np.asarray(weights, np.float64)
    out = np.zeros(value.shape[:-1])
    # One variable against all the others at a time: memory stays that of the ensemble.
    for i in range(size):
        observed = np.abs(value[..., i : i + 1] - value) ** p
        expected = (np.abs(members[..., i : i + 1] - members) ** p).mean(0)
        gap = weight[i] * (observed - expected) ** 2
        out += np.where(hidden | hidden[..., i : i + 1], 0.0, gap).sum(-1)
    return np.where((~hidden).sum(-1) > 1, out, np.nan)
