"""How much of what a network adds to its anchor holds true: c' = a + b (c - a), b by least squares.

d = c - a is what the mean c of an ensemble adds to the anchor a, r = y - a what there was to add. Over
held-out windows

    b = sum w d r / sum w (d^2 - v),    w = 1 / mean r^2 by lead and channel,

v being the variance of c, a mean of few members: without it d would seem to be more than it is (errors in
variables; Fuller, "Measurement error models", 1987). A network that learned noise beside the law has b < 1.
Its error e is known by the jackknife over blocks of windows, and before any data each share from none to all
is as likely: what is kept is the mean of b's normal law with deviation e, cut to [0, 1].

The same is asked of the means of d and r over the channels, in units of the root of 1 / w, and the greater
of both shares is kept: of many variables what they have in common is often right where what each has beside
it is not, and their sum would suffer.
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
    added = np.where(known, -errors.gap, 0.0)
    wanted = np.where(known, errors.target, 0.0) + added
    squares = (wanted**2).sum((0, 3), keepdims=True)
    unit = np.sqrt(np.where(squares > 0, squares, np.inf) / np.maximum(known.sum((0, 3), keepdims=True), 1))
    added, wanted = added / unit, wanted / unit
    chance = np.where(known[:, None], errors.deviation, 0.0) / unit
    channels = np.maximum(known.sum(2), 1)
    common = (added.sum(2) / channels, wanted.sum(2) / channels, chance.sum(3) / channels[:, None])
    block = int(np.count_nonzero(errors.own_share))
    found = [_kept(*parts, block, folds) for parts in ((added, wanted, chance), common)]
    return max(found, key=lambda kept: kept.share)


def _kept(
    added: np.ndarray, wanted: np.ndarray, chance: np.ndarray, block: int, folds: list[np.ndarray]
) -> Kept:
    """The share of d to keep, `(window, ...)`; the members' deviations from it are `chance`."""
    axes = tuple(range(1, added.ndim))
    both = (added * wanted).sum(axes)
    along = (added**2 - chance.var(1, ddof=1) / block).sum(axes)
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
