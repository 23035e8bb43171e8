"""Persistence: x_{o+h} = x_{o-1} for every lead h, plus residual paths of the same phase.

The reference forecast of Murphy, Weather and Forecasting 7, 1992; its residual paths are Rheos' own.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rheos.baseline.history import last_observed
from rheos.baseline.method import PathBaseline
from rheos.baseline.paths import PathEnsemble, Span
from rheos.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class LastValue:
    """The last observed value of every column, forever."""

    warmup: int = 1
    period: int = 1

    def center(self, history: np.ndarray, horizon: int, columns: np.ndarray) -> np.ndarray:
        """Repeat the last value."""
        return np.broadcast_to(last_observed(history), (horizon, len(columns)))


class Persistence(PathBaseline):
    """The last value, with the residual paths it left at training origins of the same phase."""

    kind: Literal["persistence"] = "persistence"
    adds: ClassVar[bool] = True

    def fit(self, dataset: Dataset, horizon: int) -> PathEnsemble:
        """See :class:`rheos.baseline.method.Baseline`."""
        spans = [Span.of(recording, dataset.layout.frequency) for recording in dataset.recordings]
        return PathEnsemble.fit(dataset, horizon, spans, [LastValue()] * len(spans), self.recent)
