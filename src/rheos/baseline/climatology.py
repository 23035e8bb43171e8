"""Climatology: X_m = x[o_m : o_m + H], whole spans of the training data that start at the forecast's phase.

It knows the calendar and nothing of today. Which period defines the phase is chosen on the training span.
The reference forecast of Murphy, Weather and Forecasting 7, 1992, as an ensemble of whole spans.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rheos.baseline.method import PathBaseline
from rheos.baseline.paths import PathEnsemble, Span
from rheos.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class NoRule:
    """Forecasts nothing, so that a residual path about the mean is a span of the data itself."""

    warmup: int = 0
    period: int = 1

    def center(self, history: np.ndarray, horizon: int, columns: np.ndarray) -> np.ndarray:
        """Unknown everywhere: the training mean takes its place."""
        return np.full((horizon, len(columns)), np.nan)


class Climatology(PathBaseline):
    """Whole spans of the training data that start at the same phase."""

    kind: Literal["climatology"] = "climatology"
    adds: ClassVar[bool] = True

    def fit(self, dataset: Dataset, horizon: int) -> PathEnsemble:
        """See :class:`rheos.baseline.method.Baseline`."""
        spans = [Span.of(recording, dataset.layout.frequency) for recording in dataset.recordings]
        return PathEnsemble.fit(dataset, horizon, spans, [NoRule()] * len(spans), self.recent)
