"""Ridge regression from moments, its penalty chosen by forecasting each block of time from those before it.

With standardized features, (R + diag(lambda)) w = r, R their correlations, r their covariances with the
target (Hoerl and Kennard, "Ridge regression", Technometrics 1970). Every sum comes from the moment
matrices sum z z^T, z = (features, 1, target), of the blocks, so the data are passed once: the residual of
weights v = (w, intercept, -1) on a block with moments M is v^T M v.

The choice is prequential (Dawid, "Present position and potential developments", JRSS A 1984): a block
between two others is easier than the one after the last, most of all for what the calendar teaches. The
residual's size is that of blocks left out, which are fitted with about as much data as the forecasts are.
Among as many candidates one is a little better than none by chance, so no regression is what a difference
below 2 % means.
"""

import numpy as np
import torch

_TINY = 1e-12
_HURDLE = 0.02  # of the squares without a regression


def solve(moments: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Ridge weights from moments.

    Args:
        moments: `(..., p + 2, p + 2)`, sum of z z^T with z = (features, 1, target).
        penalties: `(L, ..., p)` or `(L, ..., 1)`, the middle axes broadcasting to those of the moments, in
            units of the number of targets: 1 halves the weight of a feature uncorrelated with the others.

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
        shrunk = correlation + penalty[..., None] * eye
        weights[i, ..., :p] = _solution(shrunk, target)[..., 0] * inverse
    weights[..., p] = mean[..., p + 1] - (weights[..., :p] * mean[..., :p]).sum(-1)
    return weights


def forward(blocks: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Squared residuals on each block of weights from the blocks before it, summed.

    Args:
        blocks: `(blocks, ..., p + 2, p + 2)` moments of each block of time, oldest first.
        penalties: see :func:`solve`.

    Returns:
        `(L + 1, ...)`, the last one of no regression at all; all equal where there is one block only.
    """
    first = max(1, len(blocks) // 3)
    square = np.zeros((len(penalties) + 1, *blocks.shape[1:-2]))
    for k in range(first, len(blocks)):
        square[:-1] += _square(blocks[k], solve(blocks[:k].sum(0), penalties))
        square[-1] += blocks[k, ..., -1, -1]
    return square


def chosen(square: np.ndarray) -> np.ndarray:
    """The number of the least of :func:`forward`'s squares; the last one, unless another is 2 % below it.

    Args:
        square: `(L + 1, ...)`.
    """
    return np.concatenate([square[:-1], (1.0 - _HURDLE) * square[-1:]]).argmin(0)


def leave_out(blocks: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Squared residuals on each block of weights from all others, summed: `(L, ...)`.

    Args:
        blocks: as for :func:`forward`.
        penalties: see :func:`solve`.
    """
    total = blocks.sum(0)
    return np.asarray(sum(_square(block, solve(total - block, penalties)) for block in blocks))


def _square(moments: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """v^T M v, `(L, ...)`, never below 0."""
    full = np.concatenate([weights, -np.ones((*weights.shape[:-1], 1))], axis=-1)
    product = torch.from_numpy(moments) @ torch.from_numpy(full[..., None])
    return np.maximum((product.numpy()[..., 0] * full).sum(-1), 0.0)


def _solution(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    # torch's threads are the user's to set; numpy's own are not and stall where processes share cores.
    return torch.linalg.solve(torch.from_numpy(matrix), torch.from_numpy(right)).numpy()
