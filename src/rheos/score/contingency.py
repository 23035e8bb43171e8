"""Scores of "at or above the threshold": hits H, misses M, false alarms F and correct negatives C.

    CSI = H / (H + M + F)      POD = H / (H + M)     FAR = F / (H + F)     bias = (H + F) / (H + M)
    HSS = 2 (H C - M F) / ((H + M)(M + C) + (H + F)(F + C))
    ETS = (H - R) / (H + M + F - R),   R = (H + M)(H + F) / n

Wilks, "Statistical Methods in the Atmospheric Sciences", ch. 9. Counts are added up over a whole test set and
divided once; the mean over images of their own ratios is another number, and a noisy one.
"""

from dataclasses import dataclass

import numpy as np

from rheos.score.entries import as_pair, missing


@dataclass(frozen=True, slots=True)
class Contingency:
    """Counts of forecasts and outcomes; of more cases by adding up. Ratios of nothing are NaN.

    Attributes:
        hits: forecast and observed.
        misses: observed only.
        false_alarms: forecast only.
        correct_negatives: neither.
    """

    hits: float = 0.0
    misses: float = 0.0
    false_alarms: float = 0.0
    correct_negatives: float = 0.0

    def __add__(self, other: "Contingency") -> "Contingency":
        return Contingency(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_alarms + other.false_alarms,
            self.correct_negatives + other.correct_negatives,
        )

    @property
    def csi(self) -> float:
        """Critical success index, or threat score."""
        return _ratio(self.hits, self.hits + self.misses + self.false_alarms)

    @property
    def pod(self) -> float:
        """Probability of detection."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float:
        """False alarm ratio."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def bias(self) -> float:
        """How often forecast for how often observed."""
        return _ratio(self.hits + self.false_alarms, self.hits + self.misses)

    @property
    def hss(self) -> float:
        """Heidke skill score: against as many right by chance."""
        h, m, f, c = self.hits, self.misses, self.false_alarms, self.correct_negatives
        return _ratio(2 * (h * c - m * f), (h + m) * (m + c) + (h + f) * (f + c))

    @property
    def ets(self) -> float:
        """Equitable threat score: CSI without the hits of chance."""
        h, m, f = self.hits, self.misses, self.false_alarms
        chance = _ratio((h + m) * (h + f), h + m + f + self.correct_negatives)
        return _ratio(h - chance, h + m + f - chance)


def contingency(ensemble: np.ndarray, truth: np.ndarray, threshold: float) -> Contingency:
    """Counts of every member against the truth, missing entries left out.

    To count an ensemble's mean, give it as the one member: `ensemble.mean(0)[None]`. The two say different
    things, so say which was counted.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, NaN missing.
        threshold: in the truth's units.
    """
    members, value = as_pair(ensemble, truth)
    seen = ~missing(members, value)
    said, came = (members >= threshold)[:, seen], (value >= threshold)[seen]
    return Contingency(
        float((said & came).sum()),
        float((~said & came).sum()),
        float((said & ~came).sum()),
        float((~said & ~came).sum()),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
