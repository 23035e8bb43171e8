"""How much of what a network adds to its anchor holds true: c' = a + b (c - a), b by least squares.

d = c - a is what the mean c of an ensemble adds to the anchor a, r = y - a what there was to add. Over
held-out windows

    b = sum w d r / sum w (d^2 - v),    w = 1 / mean r^2 by lead and channel,

v being the variance of c, a mean of few members: without it d would seem to be more than it is (errors in
variables; Fuller, "Measurement error models", 1987). A network that learned noise beside the law has b < 1.
Its error e is known by the jackknife over blocks of windows, and before any data each share from none to all
is as likely: what is kept is the mean of b's normal law with deviation e, cut to [0, 1].
"""

from typing import NamedTuple

import numpy as np

from rheos.calibrate.search import Errors

_SHARES = np.linspace(0.0, 1.0, 201)


class Kept(NamedTuple):
    """Shares of an ensemble's way from the anchor that are kept.

    Attributes:
        share: by all windows, in [0, 1].
        without: by all but each block, `(blocks,)`.
    """

    share: float
    without: np.ndarray


def kept_share(errors: Errors, folds: list[np.ndarray]) -> Kept:
    """The share to keep.

    Args:
        errors: of held-out windows, with their anchor.
        folds: the windows of each block.
    """
    known = np.isfinite(errors.target)
    added, doubt = (np.where(known, part, 0.0) for part in (-errors.gap, errors.doubt))
    wanted = np.where(known, errors.target, 0.0) + added
    squares = (wanted**2).sum((0, 3), keepdims=True)
    weight = known.sum((0, 3), keepdims=True) / np.where(squares > 0, squares, np.inf)
    both = (weight * added * wanted).sum((1, 2, 3))
    along = (weight * (added**2 - doubt)).sum((1, 2, 3))
    pairs = [(both.sum() - both[fold].sum(), along.sum() - along[fold].sum()) for fold in folds]
    if min(total for _, total in [*pairs, (0.0, along.sum())]) <= 0:
        # No more than the chance of few members lies between mean and anchor: nothing is known of b.
        return Kept(_mean_share(0.5, np.inf), np.full(len(folds), _mean_share(0.5, np.inf)))
    found = np.array([one / total for one, total in pairs])
    error = np.sqrt((len(folds) - 1) / len(folds) * ((found - found.mean()) ** 2).sum())
    without = np.array([_mean_share(one, error) for one in found])
    return Kept(_mean_share(both.sum() / along.sum(), error), without)


def _mean_share(found: float, error: float) -> float:
    """The mean of a normal law cut to [0, 1]."""
    away = (_SHARES - found) ** 2 / (2 * max(error, 1e-9) ** 2)
    likely = np.exp(away.min() - away)
    return float((_SHARES * likely).sum() / likely.sum())
