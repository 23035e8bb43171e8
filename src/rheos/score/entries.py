"""What every score shares: the pair it takes, what counts as missing, and how entries become one number.

An ensemble is `(member, *shape)`, members always on axis 0; the truth is `(*shape)`. Both are read as
float64. An entry whose truth is NaN, or any of whose members is, is missing: its score is NaN. Scores
are per entry; `aggregate` is the last step and a separate one.
"""

from collections.abc import Sequence

import numpy as np

from rheos.core.errors import InputError


def as_pair(ensemble: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64, checked against each other.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`.

    Raises:
        InputError: there is no member, or the shapes do not belong together.
    """
    members, value = np.asarray(ensemble, np.float64), np.asarray(truth, np.float64)
    if members.ndim == 0 or len(members) == 0 or members.shape[1:] != value.shape:
        raise InputError(
            f"an ensemble of shape {members.shape} does not fit a truth of shape {value.shape}; "
            "it must be (member, *truth's shape) with at least one member."
        )
    return members, value


def missing(ensemble: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Where there is nothing to score, bool `(*shape)`."""
    return np.isnan(truth) | np.isnan(ensemble).any(0)


def aggregate(
    per_entry: np.ndarray,
    weights: np.ndarray | None = None,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Weighted mean of what is not missing: `sum w s / sum w` over the entries with a score.

    Args:
        per_entry: scores `(*shape)`, NaN where missing.
        weights: broadcastable to `(*shape)`, not negative (:func:`rheos.score.area_weights`); None: equal.
        axes: axes to average over; None: all.

    Returns:
        float64 array of the axes left; NaN where nothing is left to average.
    """
    scores = np.asarray(per_entry, np.float64)
    seen = ~np.isnan(scores)
    mass = seen if weights is None else np.where(seen, np.asarray(weights, np.float64), 0.0)
    axis = tuple(axes) if isinstance(axes, Sequence) else axes
    total = np.sum(np.where(seen, scores, 0.0) * mass, axis=axis)
    weight = np.sum(mass, axis=axis, dtype=np.float64)
    return np.divide(total, weight, out=np.full(np.shape(total), np.nan), where=weight > 0)
