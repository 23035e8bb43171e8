"""Seasonal persistence: x_{o+h} = x_{o+h-kp}, k the fewest cycles of period p, plus residual paths.

The period is the one of the layout's with the lowest mean absolute error, in standard deviations, on the
training span. Without a usable period it is persistence. The seasonal naive method: Hyndman and
Athanasopoulos, "Forecasting: principles and practice", 2021, section 5.2; its residual paths are Rheos' own.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rheos.baseline.history import season
from rheos.baseline.method import PathBaseline
from rheos.baseline.paths import PathEnsemble, Rule, Span
from rheos.baseline.persistence import LastValue
from rheos.data.dataset import Dataset

_TRIALS = 200


@dataclass(frozen=True, slots=True)
class LastCycle:
    """The last cycle of a period, repeated."""

    period: int

    @property
    def warmup(self) -> int:
        """One cycle."""
        return self.period

    def center(self, history: np.ndarray, horizon: int, columns: np.ndarray) -> np.ndarray:
        """Repeat the last cycle."""
        return season(history, self.period, horizon)


def training_error(span: Span, period: int, horizon: int, first: int) -> float:
    """Mean |x - season| / standard deviation over evenly spaced origins from `first` on; NaN where none."""
    origins = np.linspace(first, len(span.values) - horizon, _TRIALS).round().astype(int)
    errors = []
    for origin in np.unique(origins):
        cycles = span.values[max(0, origin - 2 * period) : origin]
        error = np.abs(span.values[origin : origin + horizon] - season(cycles, period, horizon)) / span.scale
        seen = ~np.isnan(error)
        if seen.any():
            errors.append(error[seen].mean())
    return float(np.mean(errors)) if errors else float("nan")


class Seasonal(PathBaseline):
    """The last cycle of the best period, with residual paths of the same phase."""

    kind: Literal["seasonal"] = "seasonal"
    adds: ClassVar[bool] = True

    def fit(self, dataset: Dataset, horizon: int) -> PathEnsemble:
        """See :class:`rheos.baseline.method.Baseline`."""
        spans = [Span.of(recording, dataset.layout.frequency) for recording in dataset.recordings]
        shortest = min(len(span.values) for span in spans)
        usable = [p for p in dataset.layout.periods if p > 1 and shortest - horizon >= 2 * p]
        rule: Rule = LastValue()
        if usable:
            some = spans[:: max(1, len(spans) // 8)]
            errors = [np.mean([training_error(s, p, horizon, max(usable)) for s in some]) for p in usable]
            rule = LastCycle(usable[int(np.nanargmin(errors))] if np.isfinite(errors).any() else usable[0])
        return PathEnsemble.fit(dataset, horizon, spans, [rule] * len(spans), self.recent)
