"""Members that go on from their own last frames, of which no more are kept than windows look back on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from rheos.data.calendar import extend, joined, through
from rheos.data.dataset import Dataset
from rheos.data.windows import WindowBatch
from rheos.forecast.model import FittedModel


class Continuation:
    """Windows of members' own continuations; memory does not grow with their length.

    Args:
        model: says how far windows look back.
        dataset: where the members started from.
        recording: which of its recordings.
        origin: index of the members' first frame.
        members: how many.
    """

    def __init__(
        self, model: FittedModel, dataset: Dataset, recording: int, origin: int, members: int
    ) -> None:
        spec = model.recipe.window
        self._model, self._frequency, self._layout = model, dataset.layout.frequency, dataset.layout
        self._recording = dataset.recordings[recording]
        self._origin, self._here, self._ahead = origin, origin, spec.horizon
        self._most = spec.reach + max(spec.horizon, model.codec.lookback)
        first = max(0, origin - self._most)
        before = np.asarray(self._recording.values[first:origin], np.float32)
        self._values = np.broadcast_to(before, (members, *before.shape))
        self._stamps = self._recording.stamps[first:]

    def add(self, values: np.ndarray) -> None:
        """Take the members' next frames `(members, frames, *features)`, raw units."""
        # A copy, so that no view holds on to older frames.
        longer = np.concatenate([self._values, values], axis=1)
        self._values = longer[:, -self._most :].copy()
        self._here += values.shape[1]
        gone = longer.shape[1] - self._values.shape[1]
        first = self._here - self._values.shape[1]
        recorded = self._recording.stamps
        # Two stamps say how the others follow.
        known = gone + 2
        self._stamps = (
            recorded[first:]
            if first + 2 <= len(recorded)
            else through(self._stamps, self._frequency, known)[gone:known]
        )

    def window(self) -> WindowBatch:
        """The window of each member whose first future frame is the one after its last.

        Raises:
            InputError: a covariate that must be known ahead is missing.
        """
        first, last = self._here - self._values.shape[1], self._here + self._ahead
        stamps = through(self._stamps, self._frequency, last - first)
        copies = tuple(
            replace(
                self._recording,
                stamps=stamps,
                values=_whole(values, last - first),
                known_future=_whole(self._recording.known_future[first:last], last - first),
                past=_whole(self._recording.past[first : max(first, self._origin)], last - first),
            )
            for values in self._values
        )
        source = self._model.bare_source(Dataset(layout=self._layout, recordings=copies))
        here = self._here - first
        source.at(0, here)  # raises where a covariate that must be known ahead is missing
        return source.gather(np.arange(len(copies)), np.full(len(copies), here))


def coming(stamps: pd.Index, frequency: str | None, origin: int) -> Iterator[Any]:
    """The stamps from frame `origin` on, without end."""
    yield from stamps[origin:]
    last = stamps[-2:]
    while True:
        following = extend(last, frequency, 1)
        yield following[0]
        last = joined(last[-1:], following)


def _whole(values: np.ndarray, frames: int) -> np.ndarray:
    """Values continued with NaN to a number of frames."""
    missing = np.full((frames - len(values), *values.shape[1:]), np.nan, np.float32)
    return np.concatenate([np.asarray(values, np.float32), missing])
