"""Displacement errors of trajectories: distances between where agents are forecast and where they went.

ADE = mean over frames of |x_s - y_s|, FDE = |x_S - y_S|, of the mean member or of the best of K:

    mean: mean_m ADE_m,    best of K: min_m ADE_m

(Gupta et al. 2018, "Social GAN", arXiv 1803.10892, section 4). The least of K rewards spread and is no proper
score: it falls when members are drawn too far apart. Say K, and give a proper score beside it.
"""

from typing import NamedTuple

import numpy as np

from rheos.core.errors import InputError
from rheos.score.entries import as_pair


class Displacement(NamedTuple):
    """Errors in the truth's units, each `(*cases)`, NaN where missing.

    Attributes:
        ade: mean over members of the mean distance over frames.
        fde: mean over members of the distance in the last frame.
        best_ade: least mean distance of any member.
        best_fde: least distance in the last frame of any member, not of the one that has the least ADE.
    """

    ade: np.ndarray
    fde: np.ndarray
    best_ade: np.ndarray
    best_fde: np.ndarray


def distances(ensemble: np.ndarray, truth: np.ndarray, space: int = -2) -> np.ndarray:
    """Euclidean distance of every member from the truth, `(member, *cases)`, NaN where missing.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing; an axis of it is space.
        space: which, from the end; the default suits `(..., space, agent)`.
    """
    members, value = as_pair(ensemble, truth)
    return np.asarray(np.sqrt(((members - value) ** 2).sum(space)))


def displacement(ensemble: np.ndarray, truth: np.ndarray, frames: int = 0, space: int = -2) -> Displacement:
    """Average and final displacement errors, of the mean and of the best member.

    Args:
        ensemble: `(member, *shape)`, such as `(member, window, frame, space, agent)`.
        truth: `(*shape)`, NaN missing.
        frames: axis of the truth that holds the frames, from the start.
        space: axis of the truth that holds the coordinates, from the end.

    Returns:
        Errors of every other case. An agent that is missing in some frame has no score: what is left
        of its path would be another, shorter task.

    Raises:
        InputError: shapes do not fit, or the two axes are the same.
    """
    value = np.asarray(truth)
    if value.ndim < 2 or frames % value.ndim == space % value.ndim:
        raise InputError(
            f"a truth of shape {value.shape} needs an axis of frames and one of space; axes {frames} and "
            f"{space} were named."
        )
    far = distances(ensemble, truth, space)
    # Space may stand before the frames, whose place then moves up.
    axis = 1 + frames % value.ndim - (space % value.ndim < frames % value.ndim)
    last = np.take(far, -1, axis)
    average = far.mean(axis)
    final = np.where(np.isnan(average), np.nan, last)
    return Displacement(average.mean(0), final.mean(0), average.min(0), final.min(0))
