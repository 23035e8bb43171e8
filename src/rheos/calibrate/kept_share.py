"""How much of what a network adds to its anchor holds true: c' = a + b (c - a), b by least squares.

d = c - a is what the mean c of an ensemble adds to the anchor a, r = y - a what there was to add, both in
units of the root mean square of r by lead and channel. What channels have in common, their mean, and what
each has beside it are told apart, each with a share of its own: of many variables the one is often right
where the other is not, and their sum would suffer. Over held-out windows, of either part,

    b = sum d r / sum (d^2 - v),

v being the variance of c, a mean of few members: without it d would seem to be more than it is (errors in
variables; Fuller, "Measurement error models", 1987). A network that learned noise beside the law has b < 1.
Its error e is known by the jackknife over blocks of windows. Before any data each share from none to all is
as likely, and the two are rather alike, 0.15 apart: what is kept is the mean of the law of both, b being
normal with deviation e, cut to [0, 1].
"""

from dataclasses import dataclass, replace

import numpy as np

_SHARES = np.linspace(0.0, 1.0, 201)

_Estimate = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Kept:
    """Shares of an ensemble's way from its anchor that are kept.

    Attributes:
        unit: the size of what there was to add, `(lead, channel)`, above 0, NaN where that was nothing.
        common: b of what channels have in common, their mean in these units, in [0, 1].
        own: b of what each channel has beside it; of a single one, the same as `common`.
    """

    unit: np.ndarray
    common: float = 1.0
    own: float = 1.0

    def __str__(self) -> str:
        if self.unit.shape[1] == 1:
            return f"{self.common:.0%}"
        return f"{self.common:.0%} of what variables have in common and {self.own:.0%} of the rest"

    def of(self, way: np.ndarray) -> np.ndarray:
        """What is kept of ways from the anchor, `(..., lead, channel, cell)`, NaN where there is none."""
        unit = self.unit[..., None]
        return self.own * way + (self.common - self.own) * np.nan_to_num(unit) * _mean(way / unit)

    def at(self, leads: np.ndarray) -> "Kept":
        """At some leads."""
        return replace(self, unit=self.unit[leads])


def kept_share(
    gap: np.ndarray, target: np.ndarray, chance: np.ndarray, folds: list[np.ndarray]
) -> list[Kept]:
    """The shares to keep: by all windows, then by all but each block.

    Args:
        gap: the anchor less the center, `(window, lead, channel, cell)`, NaN where the truth is missing.
        target: the truth less the center, like it.
        chance: deviations of the members that the center is the mean of, `(window, member, lead, channel,
            cell)`.
        folds: the windows of each block.
    """
    wanted, known = target - gap, np.isfinite(target)
    squares = np.nansum(wanted**2, axis=(0, 3)) / np.maximum(known.sum((0, 3)), 1)
    unit = np.sqrt(np.where(squares > 0, squares, np.nan))
    chance = np.where(known[:, None], chance, np.nan)
    parts = [part / unit[..., None] for part in (-gap, wanted, chance)]
    means = [_mean(part) for part in parts]
    common = _estimates(means, folds)
    if unit.shape[1] == 1:
        return [Kept(unit, *_likely(one, None)) for one in common]
    own = _estimates([part - mean for part, mean in zip(parts, means, strict=True)], folds)
    return [Kept(unit, *_likely(*pair)) for pair in zip(common, own, strict=True)]


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over channels that are known, 0 where none is: `(..., 1, cell)`."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(-2, keepdims=True)
    return np.asarray(total / np.maximum(known.sum(-2, keepdims=True), 1))


def _estimates(parts: list[np.ndarray], folds: list[np.ndarray]) -> list[_Estimate]:
    """b and its error by all windows and by all but each block; parts are d, r and d's members."""
    added, wanted, chance = parts
    axes = tuple(range(1, added.ndim))
    both = np.nansum(added * wanted, axis=axes)
    along = np.nansum(added**2 - chance.var(1, ddof=1) / chance.shape[1], axis=axes)
    pairs = [(both.sum() - both[fold].sum(), along.sum() - along[fold].sum()) for fold in folds]
    if min(total for _, total in [*pairs, (0.0, along.sum())]) <= 0:
        # No more than the chance of few members lies between mean and anchor: nothing is known of b.
        return [(0.5, np.inf)] * (len(folds) + 1)
    found = np.array([one / total for one, total in pairs])
    error = np.sqrt((len(folds) - 1) / len(folds) * ((found - found.mean()) ** 2).sum())
    return [(one, error) for one in (both.sum() / along.sum(), *found.tolist())]


def _likely(common: _Estimate, own: _Estimate | None) -> tuple[float, float]:
    """The means of both shares' law; without `own` the same for both."""
    one = _away(common)
    if own is None:
        likely = np.exp(one.min() - one)
        mean = float((_SHARES * likely).sum() / likely.sum())
        return mean, mean
    away = one[:, None] + _away(own)
    both = np.exp(away.min() - away) * _ALIKE
    both /= both.sum()
    return float(_SHARES @ both.sum(1)), float(both.sum(0) @ _SHARES)


def _away(estimate: _Estimate) -> np.ndarray:
    """Half the square of how far each share is from the one found, in units of its error."""
    found, error = estimate
    return np.asarray((_SHARES - found) ** 2 / (2 * max(error, 1e-9) ** 2))


def _alike(deviation: float) -> np.ndarray:
    """A law of two shares, each as likely as any other, which are rather alike: `(common, own)`."""
    one, other = _SHARES[:, None], _SHARES
    # Reflected at 0 and 1, it leaves each of them uniform.
    apart = (one - other, one + other, 2.0 - one - other)
    return np.asarray(sum(np.exp(-(gap**2) / (2 * deviation**2)) for gap in apart))


_ALIKE = _alike(0.15)
