"""Bootstrap random walk: x_{o+h} = x_{o-1} + sum_{i<=h} d_i, d_i increments of the training span.

Increments are drawn one frame at a time with replacement, all channels together, drift kept. On exchange
rates it is level with the published models. The random walk of Meese and Rogoff, J. Int. Econ. 14, 1983,
its members by the bootstrap (Efron, Ann. Stat. 7, 1979).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rheos.baseline.history import last_observed
from rheos.baseline.method import Baseline
from rheos.baseline.paths import Span, check
from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.data.dataset import Dataset, Recording

_LOOK_BACK = 512


@dataclass(frozen=True, slots=True)
class Walk:
    """A fitted random walk.

    Attributes:
        horizon: frames to forecast.
        spans: training span of every sequence, by name.
        steps: of every sequence, the frames whose increment is drawn, by name.
    """

    horizon: int
    spans: dict[str, Span]
    steps: dict[str, np.ndarray]

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """As :meth:`rheos.baseline.method.FittedBaseline.forecast`."""
        check(self.spans, recording, origin)
        span, steps = self.spans[recording.name], self.steps[recording.name]
        history = recording.values[max(0, origin - _LOOK_BACK) : origin]
        last = last_observed(history.reshape(len(history), -1))
        last = np.where(np.isnan(last), span.mean, last)
        picks = steps[key.at(Purpose.BOOTSTRAP).integers(len(steps), self.horizon).numpy()]
        out = np.empty((len(key), self.horizon, span.values.shape[1]), recording.values.dtype)
        here = np.broadcast_to(last, (len(key), len(last)))
        for lead in range(self.horizon):
            increment = span.values[picks[:, lead]] - span.values[picks[:, lead] - 1]
            here = here + np.where(np.isnan(increment), 0.0, increment)
            out[:, lead] = here
        return out.reshape(len(key), self.horizon, *recording.values.shape[1:])


class RandomWalk(Baseline):
    """Sums of increments drawn from the training span, channels together."""

    kind: Literal["random_walk"] = "random_walk"
    adds: ClassVar[bool] = True

    def fit(self, dataset: Dataset, horizon: int) -> Walk:
        """See :class:`rheos.baseline.method.Baseline`."""
        spans, steps = {}, {}
        for recording in dataset.recordings:
            span = Span.of(recording, dataset.layout.frequency)
            alive = np.isfinite(span.mean)
            seen = ~np.isnan(span.values[:, alive])
            share = (seen[1:] & seen[:-1]).mean(1) if alive.any() else np.zeros(len(span.values) - 1)
            # Complete increments where there are any; else those known for half the columns or more.
            known = share == 1 if (share == 1).sum() > 1 else share >= 0.5
            spans[span.name], steps[span.name] = span, 1 + np.flatnonzero(known)
            if not known.any():
                raise InputError(
                    f"sequence {span.name!r} has no two observed frames in a row to take an increment from; "
                    "give more data."
                )
        return Walk(horizon, spans, steps)
