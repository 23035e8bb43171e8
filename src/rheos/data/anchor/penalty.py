"""Ridge regression from moments, its penalty chosen by leaving out one block of time at a time.

With standardized features, (R + lambda I) w = r, R their correlations, r their covariances with the
target (Hoerl and Kennard, "Ridge regression", Technometrics 1970). Every sum comes from the moment
matrices sum z z^T, z = (features, 1, target), of the blocks, so the data are passed once: the residual of
weights v = (w, intercept, -1) on a block with moments M is v^T M v.
"""

from dataclasses import dataclass

import numpy as np
import torch

_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Solutions:
    """Ridge solutions of many regressions at several penalties.

    Attributes:
        weights: `(L, ..., p + 1)`, of the raw features, intercept last.
        square: `(L, ...)` summed squared residuals on the blocks left out.
        count: `(...)` how many targets those sums hold.
    """

    weights: np.ndarray
    square: np.ndarray
    count: np.ndarray


def solve(moments: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Ridge weights from moments.

    Args:
        moments: `(..., p + 2, p + 2)`, sum of z z^T with z = (features, 1, target).
        penalties: `(L,)`, or `(L, n)` for the n regressions of the last leading axis, in units of the
            number of targets: 1 halves the weight of a feature uncorrelated with the others.

    Returns:
        `(L, ..., p + 1)` weights of the raw features, intercept last.
    """
    p = moments.shape[-1] - 2
    count = np.maximum(moments[..., p, p], 1.0)[..., None]
    mean = moments[..., p, :] / count
    spread = moments / count[..., None] - mean[..., :, None] * mean[..., None, :]
    variance = np.diagonal(spread, axis1=-2, axis2=-1)[..., :p]
    square = np.diagonal(moments, axis1=-2, axis2=-1)[..., :p] / count
    varies = variance > _TINY * np.maximum(square, _TINY)
    inverse = np.where(varies, 1.0 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
    correlation = spread[..., :p, :p] * inverse[..., :, None] * inverse[..., None, :]
    target = (spread[..., :p, p + 1] * inverse)[..., None]
    eye = np.eye(p)
    weights = np.empty((len(penalties), *moments.shape[:-2], p + 1))
    for i, penalty in enumerate(penalties):
        shrunk = correlation + np.asarray(penalty)[..., None, None] * eye
        weights[i, ..., :p] = _solution(shrunk, target)[..., 0] * inverse
    weights[..., p] = mean[..., p + 1] - (weights[..., :p] * mean[..., :p]).sum(-1)
    return weights


def leave_out(blocks: np.ndarray, penalties: np.ndarray) -> Solutions:
    """Solutions on all blocks, and their residuals on each block when it is left out.

    Args:
        blocks: `(blocks, ..., p + 2, p + 2)` moments of each block of time.
        penalties: see :func:`solve`.

    Returns:
        L + 1 solutions: the last one is all zeros, no regression at all.
    """
    total = blocks.sum(0)
    weights = solve(total, penalties)
    square = np.zeros(weights.shape[:-1])
    for block in blocks:
        square += _square(block, solve(total - block, penalties))
    return Solutions(
        weights=np.concatenate([weights, np.zeros_like(weights[:1])]),
        square=np.concatenate([square, total[None, ..., -1, -1]]),
        count=total[..., -2, -2],
    )


def _square(moments: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """v^T M v, `(L, ...)`, never below 0."""
    full = np.concatenate([weights, -np.ones((*weights.shape[:-1], 1))], axis=-1)
    product = torch.from_numpy(moments) @ torch.from_numpy(full[..., None])
    return np.maximum((product.numpy()[..., 0] * full).sum(-1), 0.0)


def _solution(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    # torch's threads are the user's to set; numpy's own are not and stall where processes share cores.
    return torch.linalg.solve(torch.from_numpy(matrix), torch.from_numpy(right)).numpy()
