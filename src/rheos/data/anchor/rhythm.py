"""Rhythm: s_(h, p) = s_h r_p, the residual's scale by lead times its ratio r_p at phase p of a cycle.

What an anchor leaves unexplained depends on the hour as much as on the lead: radiation has no error at
night, demand little before dawn. r_p is the root mean square of residual / s_h over training windows, by
the target frame's place in the shortest cycle of the calendar, drawn toward 1 as far as a phase was seldom
seen; a cell of a field is drawn toward its channel. Periodic autoregression has the same variance by
season (Pagano, "On periodic and multiple autoregressions", Annals of Statistics 1978).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_MOST_PHASES = 48
_LOWEST = 0.05
_CHANNEL_PRIOR, _CELL_PRIOR = 2.0, 10.0  # turns of the cycle that the ratio drawn toward is worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Ratios of the scale by phase.

    Attributes:
        columns: `(2,)` columns of the calendar that hold sine and cosine of the cycle.
        ratio: `(phases, *features)` float32, positive, mean square about 1.
    """

    columns: np.ndarray
    ratio: np.ndarray

    def phase(self, calendar: np.ndarray) -> np.ndarray:
        """The phase of each frame, ints of the shape of `calendar` `(..., k)` without its last axis."""
        return _phase(calendar, self.columns, len(self.ratio))

    def __call__(self, batch: WindowBatch) -> np.ndarray:
        """Ratios of the future frames `(b, S, *features)`."""
        return self.ratio[self.phase(batch.calendar[:, batch.history.shape[1] :])]

    @classmethod
    def measure(
        cls,
        source: WindowSource,
        batches: Iterable[WindowBatch],
        forecast: Callable[[WindowBatch], np.ndarray],
        scale: np.ndarray,
    ) -> "Rhythm | None":
        """Measure on training windows.

        Args:
            source: gives the calendar.
            batches: the windows.
            forecast: the anchor's future `(b, S, *features)`.
            scale: `(S, *features)`, the residual's scale by lead.

        Returns:
            None where the calendar holds no cycle.
        """
        columns, phases = cycle(source)
        if phases < 2:
            return None
        square, count = np.zeros((2, phases, *source.features))
        for batch in batches:
            residual = (batch.future - forecast(batch)) / scale
            phase = _phase(batch.calendar[:, batch.history.shape[1] :], columns, phases)
            seen = np.isfinite(residual)
            np.add.at(square, phase, np.where(seen, residual, 0.0) ** 2)
            np.add.at(count, phase, seen)
        # A frame is forecast at every lead, but is only one observation.
        ratio = _ratio(square / source.spec.horizon, count / source.spec.horizon)
        return cls(columns=columns, ratio=ratio.astype(np.float32))


def cycle(source: WindowSource) -> tuple[np.ndarray, int]:
    """Columns of sine and cosine of the calendar's shortest cycle, and its phases; no columns without one."""
    found = source.shortest_cycle
    if found is None:
        return np.zeros(0, int), 0
    name, frames = found
    columns = [source.calendar_names.index(f"{name}_{wave}1") for wave in ("sin", "cos")]
    return np.array(columns), min(_MOST_PHASES, frames)


def _phase(calendar: np.ndarray, columns: np.ndarray, phases: int) -> np.ndarray:
    sine, cosine = calendar[..., columns[0]], calendar[..., columns[1]]
    turn = np.arctan2(sine, cosine).astype(np.float64) / (2 * np.pi)
    return np.round(turn * phases).astype(np.int64) % phases


def _ratio(square: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Ratios from squares and counts `(phases, *features)`, shrunk, with mean square 1 over the cycle."""
    space = tuple(range(2, square.ndim))
    channel = _drawn(
        square.sum(space, keepdims=True), count.sum(space, keepdims=True), np.ones(()), _CHANNEL_PRIOR
    )
    cell = _drawn(square, count, channel, _CELL_PRIOR) if space else channel
    return np.maximum(np.sqrt(cell), _LOWEST)


def _drawn(square: np.ndarray, count: np.ndarray, toward: np.ndarray, prior: float) -> np.ndarray:
    """Mean squares over those of the whole cycle, drawn toward others worth `prior` observations."""
    total, seen = square.sum(0), count.sum(0)
    usual = np.where(total > 0, total, 1.0) / np.maximum(seen, 1.0)
    mean = (square / usual + prior * toward) / (count + prior)
    weight = (count + prior) / (count + prior).sum(0)
    return np.asarray(mean / (weight * mean).sum(0))
