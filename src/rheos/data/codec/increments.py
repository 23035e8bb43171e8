"""Increments: x_0 at a frame = raw - last observed raw value before it.

Without gaps these are first differences. With gaps the difference spans the gap, so that the map stays
one to one on what is observed: raw = start + the sum of the observed increments up to the frame, start
being the last observed value of the history. First differences are those of Box and Jenkins, "Time
series analysis: forecasting and control", 1970; going over gaps is Rheos' own.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rheos.data.codec.base import Codec, Fitted, State
from rheos.data.codec.scale import moments
from rheos.data.dataset import Dataset


class Increments(Codec):
    """First differences, for series that wander."""

    kind: Literal["increments"] = "increments"

    def fit_targets(self, dataset: Dataset) -> "FittedIncrements":
        """Measure the mean of each channel, the start of windows whose history is missing."""
        values = np.concatenate([np.asarray(r.values, np.float64) for r in dataset.recordings])
        mean, _ = moments(values, (0, *range(2, values.ndim)))
        return FittedIncrements(config=self, mean=mean)

    def restore_targets(self, arrays: dict[str, np.ndarray]) -> "FittedIncrements":
        """The inverse of `target_arrays`."""
        return FittedIncrements(config=self, mean=arrays["mean"])


def _fill_forward(values: np.ndarray) -> np.ndarray:
    """Along frames (axis 1), each missing value becomes the last observed one, NaN before the first."""
    shape = (1, -1, *(1,) * (values.ndim - 2))
    steps = np.arange(values.shape[1]).reshape(shape)
    newest = np.maximum.accumulate(np.where(np.isfinite(values), steps, 0), axis=1)
    return np.take_along_axis(values, newest, axis=1)


@dataclass(frozen=True, kw_only=True)
class FittedIncrements(Fitted):
    """Increments with the training mean of each channel, broadcastable to one frame."""

    config: Increments
    mean: np.ndarray

    @property
    def pointwise(self) -> bool:
        """False: an increment needs the value before."""
        return False

    @property
    def lookback(self) -> int:
        """One frame is used up."""
        return 1

    def state(self, history: np.ndarray) -> State:
        """The last observed value of each entry, the training mean where there is none."""
        last = _fill_forward(np.asarray(history, np.float64))[:, -1]
        return {"start": np.where(np.isfinite(last), last, self.mean)}

    def _increments(self, values: np.ndarray, start: np.ndarray) -> np.ndarray:
        whole = np.concatenate([start[:, None], np.asarray(values, np.float64)], axis=1)
        return whole[:, 1:] - _fill_forward(whole)[:, :-1]

    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """Differences to the last observed value, the first to the state's."""
        return self._increments(values, state["start"])

    def encode_past(self, values: np.ndarray, state: State) -> np.ndarray:
        """Differences within the run; the first observed value of each entry has none."""
        return self._increments(values, np.full(values[:, 0].shape, np.nan))

    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """Start plus the running sum; missing increments stay missing and add nothing."""
        coded = np.asarray(values, np.float64)
        missing = np.isnan(coded)
        total = state["start"][:, None] + np.where(missing, 0.0, coded).cumsum(1)
        return np.where(missing, np.nan, total)

    def log_det(self, values: np.ndarray, state: State) -> np.ndarray:
        """0: a unit lower triangular map."""
        return np.where(np.isfinite(values), 0.0, np.nan)

    def target_arrays(self) -> dict[str, np.ndarray]:
        """The mean."""
        return {"mean": self.mean}
