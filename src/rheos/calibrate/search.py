"""The search behind affine calibration: argmin over (shift, scale) of mean |shift + scale d - r| - scale S.

d = y_m - c are the members about their center, r = truth - c, S half the mean difference of two members.
The fair CRPS takes members for independent, but c holds each member of its block of B: left as it is, a
perfect ensemble would be widened by some 2/B. So y_m is set against the mean of the *other* members,
c - d/(B - 1), which turns its d's scale into scale + (scale - 1)/(B - 1): a perfect ensemble has its
optimum at 0 and 1. The mean is jointly convex, so its minimum over the shift, a median, is convex in the
scale: a golden section finds it, for all leads and channels at once.
"""

from dataclasses import dataclass, replace

import numpy as np

from rheos.calibrate.kept_share import Kept
from rheos.score import aggregate, crps

_LOWEST, _HIGHEST = 0.2, 5.0
_STEPS = 16
_ENTRIES = 16_000
_GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Errors:
    """Forecasts about their centers.

    Attributes:
        deviation: d, `(window, member, lead, channel, cell)`.
        target: r, `(window, lead, channel, cell)`, NaN missing.
        half_spread: S, `(window, lead, channel, cell)`.
        own_share: 1/(B - 1) for the B members that the center is the mean of, else 0, `(member,)`.
        gap: the anchor less the center, like `target`.
    """

    deviation: np.ndarray
    target: np.ndarray
    half_spread: np.ndarray
    own_share: np.ndarray
    gap: np.ndarray

    @classmethod
    def of(
        cls, ensemble: np.ndarray, truth: np.ndarray, block: int, anchor: np.ndarray | None = None
    ) -> "Errors":
        """Set members `(window, member, lead, channel, cell)` against the mean of the first `block`.

        Args:
            ensemble: the members.
            truth: what came, `(window, lead, channel, cell)`.
            block: how many members the center is the mean of.
            anchor: like the truth; None: the center itself.
        """
        center = ensemble[:, :block].mean(1)
        deviation = ensemble - center[:, None]
        # The fair CRPS about 0 is mean |d| - S.
        spread = np.abs(deviation).mean(1) - crps(np.moveaxis(deviation, 1, 0), np.zeros(truth.shape))
        target = np.where(np.isnan(spread), np.nan, truth - center)
        share = np.where(np.arange(deviation.shape[1]) < block, 1 / (block - 1), 0.0)
        gap = np.where(np.isnan(target), np.nan, 0.0 if anchor is None else anchor - center)
        return cls(deviation, target, spread, share, gap)

    def windows(self, index: np.ndarray) -> "Errors":
        """Some windows."""
        whole = (self.deviation, self.target, self.half_spread, self.gap)
        deviation, target, spread, gap = (part[index] for part in whole)
        return Errors(deviation, target, spread, self.own_share, gap)

    @property
    def of_center(self) -> np.ndarray:
        """Deviations of the members that the center is the mean of."""
        return self.deviation[:, : np.count_nonzero(self.own_share)]

    def toward_anchor(self, kept: Kept | None) -> "Errors":
        """With centers that keep a part of their way from the anchor; None: all of it."""
        if kept is None:
            return self
        gap = kept.of(self.gap)
        return replace(self, target=self.target - (self.gap - gap), gap=gap)

    def scaled(self, scale: np.ndarray) -> np.ndarray:
        """Deviations of members set against the others' mean and scaled by `(lead, channel)`."""
        own = self.own_share[:, None, None]
        return (scale + (scale - 1) * own)[..., None] * self.deviation

    def thinned(self) -> "Errors":
        """Fewer members, then fewer cells, where a lead and channel has more entries than needed."""
        windows, members, _, _, cells = self.deviation.shape
        keep = min(members, max(8, _ENTRIES // (windows * cells)))
        some = max(1, min(cells, _ENTRIES // (windows * keep)))
        cell = np.unique(np.linspace(0, cells - 1, some).astype(int))
        deviation = self.deviation[:, :keep][..., cell]
        target, spread, gap = (part[..., cell] for part in (self.target, self.half_spread, self.gap))
        return Errors(deviation, target, spread, self.own_share[:keep], gap)


def crps_after(errors: Errors, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Fair CRPS of the calibrated ensemble, `(window, lead, channel, cell)`, NaN where missing.

    Args:
        errors: of some windows.
        shift: `(lead, channel)`.
        scale: `(lead, channel)`.
    """
    distance = np.abs(shift[..., None] + errors.scaled(scale) - errors.target[:, None]).mean(1)
    return distance - scale[..., None] * errors.half_spread


def best_affine(errors: Errors) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale `(lead, channel)` of the lowest mean fair CRPS; 0 and 1 where nothing is observed."""
    thin = errors.thinned()
    size = thin.target.shape[1:3]
    low, high = np.full(size, np.log(_LOWEST)), np.full(size, np.log(_HIGHEST))
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = _profile(thin, left), _profile(thin, right)
    for _ in range(_STEPS):
        lower = at_left < at_right
        low, high = np.where(lower, low, left), np.where(lower, right, high)
        fresh = np.where(lower, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        value = _profile(thin, fresh)
        left, right = np.where(lower, fresh, right), np.where(lower, left, fresh)
        at_left, at_right = np.where(lower, value, at_right), np.where(lower, at_left, value)
    scale = np.exp((low + high) / 2)
    shift = _median_shift(thin, scale)
    known = np.isfinite(shift)
    return np.where(known, shift, 0.0), np.where(known, scale, 1.0)


def _profile(errors: Errors, log_scale: np.ndarray) -> np.ndarray:
    scale = np.exp(log_scale)
    return aggregate(crps_after(errors, _median_shift(errors, scale), scale), axes=(0, 3))


def _median_shift(errors: Errors, scale: np.ndarray) -> np.ndarray:
    """The shift that minimizes the mean distance: median of r - scale d, `(lead, channel)`."""
    gap = errors.target[:, None] - errors.scaled(scale)
    flat = np.sort(gap.transpose(2, 3, 0, 1, 4).reshape(*scale.shape, -1), -1)
    # NaN are sorted last.
    count = (~np.isnan(flat)).sum(-1)
    middle = np.stack(((np.maximum(count, 1) - 1) // 2, np.minimum(count // 2, flat.shape[-1] - 1)), -1)
    return np.take_along_axis(flat, middle, -1).mean(-1)


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Average over leads within `width` of each, fewer at the ends: `(lead, channel)`."""
    leads = np.arange(len(values))
    near = np.abs(leads[:, None] - leads) <= width
    return near @ values / near.sum(1, keepdims=True)
