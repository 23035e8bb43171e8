"""Fractions skill score: FSS = 1 - sum (p - o)^2 / (sum p^2 + sum o^2), shares of a box above a threshold.

o is the share in the truth, p that in the forecast: Roberts and Lean, "Scale-selective verification of
rainfall accumulations from high-resolution forecasts of convective events", MWR 2008; of an ensemble its mean
over the members (Duc, Saito and Seko, "Spatial-temporal fractions verification for high-resolution ensemble
forecasts", Tellus A 2013). 1 is perfect, and a forecast is useful above 0.5 + f/2, f the share of all cells
observed above the threshold. Sums go over all cases before the ratio, never the mean of ratios: the score is
made of parts, which add up.
"""

from dataclasses import dataclass

import numpy as np

from rheos.core.errors import InputError
from rheos.score.entries import as_pair, missing


@dataclass(frozen=True, slots=True)
class Fractions:
    """What a fractions skill score is made of; of more cases by adding up.

    Attributes:
        error: sum of (p - o)^2.
        reference: sum of p^2 + o^2.
    """

    error: float = 0.0
    reference: float = 0.0

    def __add__(self, other: "Fractions") -> "Fractions":
        return Fractions(self.error + other.error, self.reference + other.reference)

    @property
    def skill(self) -> float:
        """The score; NaN where the threshold was reached neither in the forecasts nor in the truth."""
        return 1 - self.error / self.reference if self.reference > 0 else float("nan")


def fractions(ensemble: np.ndarray, truth: np.ndarray, threshold: float, size: int) -> Fractions:
    """Parts of the fractions skill score of the event "at or above the threshold".

    Outside the field, and where a cell is missing in the truth or in a member, nothing is above.

    Args:
        ensemble: `(member, *cases, y, x)`; a single forecast is an ensemble of one.
        truth: `(*cases, y, x)`, NaN missing.
        threshold: in the truth's units.
        size: cells of a side of the box, odd, so that it has a middle.

    Raises:
        InputError: the size is not odd, or the arrays are no fields.
    """
    from scipy.ndimage import uniform_filter

    members, value = as_pair(ensemble, truth)
    if size < 1 or size % 2 == 0 or value.ndim < 2:
        raise InputError(
            f"a box of {size} cells on a field of shape {value.shape}; give an odd size and (y, x)."
        )
    seen = ~missing(members, value)
    chance = np.where(seen, (members >= threshold).mean(0), 0.0)
    outcome = np.where(seen, value >= threshold, 0.0)
    box = (1,) * (value.ndim - 2) + (size, size)
    p, o = (uniform_filter(share, box, mode="constant") for share in (chance, outcome))
    return Fractions(float(((p - o) ** 2).sum()), float((p**2 + o**2).sum()))
