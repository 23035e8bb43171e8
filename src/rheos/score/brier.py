"""Brier score: BS = (p - o)^2, fair BS = (p - o)^2 - p (1 - p)/(M - 1); its mean is REL - RES + UNC.

Murphy, "A new vector partition of the probability score", Journal of Applied Meteorology 1973; the fair
form is Ferro, QJRMS 2014. p is the fraction of members above the threshold, o whether the truth is.
"""

from typing import NamedTuple

import numpy as np

from rheos.score.crps import Estimator
from rheos.score.entries import as_pair, missing


class BrierParts(NamedTuple):
    """Murphy's partition; the score is `reliability - resolution + uncertainty`."""

    reliability: float
    resolution: float
    uncertainty: float


def exceedance(
    ensemble: np.ndarray, truth: np.ndarray, threshold: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast probability and outcome of "above the threshold".

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        threshold: a number or `(*shape)`.

    Returns:
        Probability and outcome (0 or 1), each `(*shape)`, NaN where missing.
    """
    members, value = as_pair(ensemble, truth)
    hidden = missing(members, value)
    probability = np.where(hidden, np.nan, (members > threshold).mean(0))
    return probability, np.where(hidden, np.nan, value > threshold)


def brier_score(
    ensemble: np.ndarray,
    truth: np.ndarray,
    threshold: float | np.ndarray,
    estimator: Estimator = "fair",
) -> np.ndarray:
    """Brier score of every entry; a single member's is (p - o)^2 for either estimator.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        threshold: a number or `(*shape)`; the event is "above it".
        estimator: "fair" (unbiased in the number of members) or "plain".

    Returns:
        `(*shape)`, NaN where missing.
    """
    probability, outcome = exceedance(ensemble, truth, threshold)
    score = (probability - outcome) ** 2
    count = len(ensemble)
    if estimator == "fair" and count > 1:
        score = score - probability * (1 - probability) / (count - 1)
    return score


def brier_parts(probability: np.ndarray, outcome: np.ndarray) -> BrierParts:
    """Partition of the plain Brier score over the distinct probabilities that were issued; exact.

    Args:
        probability: `(*shape)`, NaN missing.
        outcome: `(*shape)`, 0 or 1, NaN missing.
    """
    seen = ~(np.isnan(probability) | np.isnan(outcome))
    issued, group = np.unique(probability[seen], return_inverse=True)
    happened = np.asarray(outcome, np.float64)[seen]
    count = np.bincount(group)
    frequency = np.bincount(group, weights=happened) / count
    base, cases = happened.mean(), len(happened)
    return BrierParts(
        float((count * (issued - frequency) ** 2).sum() / cases),
        float((count * (frequency - base) ** 2).sum() / cases),
        float(base * (1 - base)),
    )
