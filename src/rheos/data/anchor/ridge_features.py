"""What the ridge anchor looks at: features known at the origin, for every lead and entry.

Values enter relative to the last observed one, so that a missing value, put to 0, means "as now". A
series sees its recent past, its seasonal past around the target, the calendar of the target, covariates
and the other channels; a cell of a field sees a few of them, its neighbors, and the field's leading
patterns.
"""

from dataclasses import dataclass

import numpy as np

from rheos.data.anchor.base import last_observed
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_CHANNELS = 32
_PATTERNS = 8
_FIELD_PATTERNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which features are built; integer arrays and one matrix, stored with the anchor.

    Attributes:
        recent: how many frames before the last one each recent value lies.
        lag_recent: the same for the seasonal values around the origin.
        neighbors: steps around the target at which seasonal values are taken.
        calendar: columns of the target's calendar used.
        pairs: `(m, 2)` columns of the calendar whose products are used.
        day, week: columns that say the hour and the weekday, which modulate other features.
        patterns: `(k, entries)` weights that sum the last frame up; k may be 0.
        closed: for each spatial axis of a field, whether it is periodic.
        field: whether cells of a field are forecast.
    """

    recent: np.ndarray
    lag_recent: np.ndarray
    neighbors: np.ndarray
    calendar: np.ndarray
    pairs: np.ndarray
    day: np.ndarray
    week: np.ndarray
    patterns: np.ndarray
    closed: np.ndarray
    field: np.ndarray

    @classmethod
    def of(cls, source: WindowSource, batch: WindowBatch, most_recent: int) -> "Plan":
        """Decide from the layout, the window sizes and the training windows."""
        names = list(source.calendar_names)
        history = source.spec.history
        space = len(source.features) - 1
        closed = (*source.layout.periodic, *(False,) * space)[:space]

        def columns(*starts: str) -> np.ndarray:
            return np.array([i for i, n in enumerate(names) if n.startswith(starts)], int)

        day, weekend = columns("day_"), columns("weekend")
        if space:
            steps = np.arange(1, min(3, history))
            calendar = np.array([i for i, n in enumerate(names) if n[-1] in "12"], int)
            return cls(
                recent=steps,
                lag_recent=np.zeros(1, int),
                neighbors=np.zeros(1, int),
                calendar=calendar,
                pairs=np.zeros((0, 2), int),
                day=day[:0],
                week=day[:0],
                patterns=_patterns(batch, _FIELD_PATTERNS, 0),
                closed=np.array(closed, bool),
                field=np.array(True),
            )
        season = columns("year_sin1", "year_cos1")
        pairs = [(a, b) for a in day for b in weekend] + [(a, b) for a in day[:4] for b in season]
        return cls(
            recent=_thinned(history, most_recent),
            lag_recent=_thinned(history, 6),
            neighbors=np.array([-1, 0, 1]),
            calendar=np.arange(len(names)),
            pairs=np.array(pairs, int).reshape(-1, 2),
            day=day[:2],
            week=columns("week_"),
            patterns=_patterns(batch, _PATTERNS, _CHANNELS),
            closed=np.zeros(0, bool),
            field=np.array(False),
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All parts by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def count(self, batch: WindowBatch) -> int:
        """p, how many features a batch of this kind gives."""
        return self.build(batch.rows(slice(0, 1)), np.zeros(1, int)).shape[-1]

    def groups(self, batch: WindowBatch) -> np.ndarray:
        """What each feature is, `(p,)`: 0 the entry's own past, 1 the target's calendar alone, 2 all else."""
        row = batch.rows(slice(0, 1))
        own = sum(part.shape[-1] for part in self._own(row, np.zeros(1, int)))
        modulated = (2 * len(self.day) + len(self.week)) if batch.lagged.shape[2] else 0
        group = np.full(self.count(batch), 2)
        group[: own - modulated * batch.lagged.shape[2]] = 0
        group[own : own + len(self.calendar) + len(self.pairs)] = 1
        return group

    def build(self, batch: WindowBatch, items: np.ndarray, room: int = 0) -> np.ndarray:
        """Features `(m, S, b, p)` float64 of some entries of a frame, finite.

        Args:
            batch: b windows.
            items: `(m,)` numbers of the entries in a flattened frame.
            room: columns left for the caller to fill in at the end.
        """
        parts = [*self._own(batch, items), *self._target(batch), *self._common(batch)]
        if self.field:
            parts.append(_around(batch, items, self.closed))
        shape = (len(items), batch.future.shape[1], len(batch))
        out = np.empty((*shape, sum(part.shape[-1] for part in parts) + room))
        start = 0
        for part in parts:
            stop = start + part.shape[-1]
            out[..., start:stop] = part
            start = stop
        return out

    def _own(self, batch: WindowBatch, items: np.ndarray) -> list[np.ndarray]:
        """The entry's own recent and seasonal past, modulated by the target's hour and weekday."""
        rows, frames = batch.history.shape[:2]
        history = batch.history.reshape(rows, frames, -1)[..., items].astype(np.float64)
        last = last_observed(history)
        history -= last[:, None]
        parts = [last.T[:, None, :, None], _mean(history).T[:, None, :, None]]
        parts.append(np.transpose(history[:, frames - 1 - self.recent], (2, 0, 1))[:, None])
        if batch.lagged.shape[2]:
            lagged = batch.lagged.reshape(*batch.lagged.shape[:3], -1)[..., items].astype(np.float64)
            parts += self._seasonal(lagged - last[:, None, None], batch.calendar[:, frames:], frames)
        return [np.nan_to_num(part) for part in parts]

    def _seasonal(self, lagged: np.ndarray, calendar: np.ndarray, frames: int) -> list[np.ndarray]:
        """From seasonal values `(b, F, K, m)` relative to the last one: `(m, S or 1, b, p)`."""
        rows, total, _, entries = lagged.shape
        origin = np.transpose(lagged[:, frames - 1 - self.lag_recent], (3, 0, 1, 2))
        mean = np.transpose(_mean(lagged), (2, 0, 1))
        at = np.minimum(np.arange(frames, total)[:, None] + self.neighbors, total - 1)
        around = np.transpose(lagged[:, at], (4, 1, 0, 2, 3)).reshape(entries, total - frames, rows, -1)
        center = np.transpose(lagged[:, frames:], (3, 1, 0, 2))
        error = np.transpose(lagged[:, frames - 1], (2, 0, 1))[:, None]
        clock = np.swapaxes(calendar, 0, 1)[None].astype(np.float64)
        parts = [origin.reshape(entries, 1, rows, -1), mean[:, None], around]
        parts += [center * clock[..., [column]] for column in (*self.day, *self.week)]
        parts += [error * clock[..., [column]] for column in self.day]
        return parts

    def _target(self, batch: WindowBatch) -> list[np.ndarray]:
        """Calendar and known covariates of the target frame, `(1, S, b, p)`."""
        frames = batch.history.shape[1]
        clock = np.swapaxes(batch.calendar[:, frames:], 0, 1)[None].astype(np.float64)
        parts = [clock[..., self.calendar], clock[..., self.pairs[:, 0]] * clock[..., self.pairs[:, 1]]]
        known = np.nan_to_num(batch.known_future.astype(np.float64))
        if known.shape[-1]:
            ahead = np.swapaxes(known[:, frames:], 0, 1)[None]
            parts += [ahead, ahead**2, known[:, frames - 1][None, None]]
            parts += [ahead * clock[..., [c]] for c in (*self.day, *self.week)]
        return parts

    def _common(self, batch: WindowBatch) -> list[np.ndarray]:
        """What all entries and leads share, `(1, 1, b, p)`: other channels, past covariates, statics."""
        frames = batch.history.shape[1]
        parts = [batch.static]
        steps = [step for step in (0, 1, 2, 5) if step < frames]
        parts += [batch.past[:, frames - 1 - step] for step in steps]
        if len(self.patterns):
            flat = batch.history.reshape(len(batch), frames, -1)
            last = last_observed(batch.history).reshape(len(batch), -1)
            before = flat[:, max(frames - 2, 0)]
            parts.append(last @ self.patterns.T)
            if not self.field:
                parts.append(np.nan_to_num(last - before) @ self.patterns.T)
        return [np.nan_to_num(part.astype(np.float64))[None, None] for part in parts]


def _thinned(history: int, most: int) -> np.ndarray:
    """Steps back from the last frame: all recent ones, older ones ever more thinly."""
    if history <= most:
        return np.arange(history)
    half = most // 2
    older = np.geomspace(half, history - 1, most - half).round().astype(int)
    return np.unique(np.concatenate([np.arange(half), older]))


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over frames (axis 1) of what is observed, 0 where nothing is."""
    seen = np.isfinite(values)
    return np.where(seen, values, 0.0).sum(1) / np.maximum(seen.sum(1), 1)


def _patterns(batch: WindowBatch, most: int, channels: int) -> np.ndarray:
    """Weights `(k, entries)` that sum up a frame: up to `channels` themselves, or `most` leading patterns.

    Patterns are the principal components of the last frame over the windows, scaled to unit variance.
    """
    last = last_observed(batch.history).reshape(len(batch), -1).astype(np.float64)
    entries = last.shape[1]
    if entries == 1:
        return np.zeros((0, 1))
    if entries <= channels:
        return np.eye(entries)
    rows = last[np.linspace(0, len(last) - 1, min(len(last), 1000)).round().astype(int)]
    rows = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    kept = np.flatnonzero(values > 1e-9 * max(values[-1], 1e-30))[::-1][:most]
    return (vectors[:, kept].T @ rows) / values[kept, None] * np.sqrt(len(rows))


def _around(batch: WindowBatch, items: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Last values of the neighbors along each spatial axis relative to the entry's own: `(m, 1, b, 2d)`."""
    last = last_observed(batch.history).astype(np.float64)
    last = np.where(np.isfinite(batch.history).any(1), last, np.nan)
    parts = []
    for axis in range(2, last.ndim):
        for step in (-1, 1):
            moved = np.roll(last, step, axis)
            if not closed[axis - 2]:
                edge = np.zeros(last.shape[axis], bool)
                edge[0 if step == 1 else -1] = True
                shape = [1] * last.ndim
                shape[axis] = -1
                moved = np.where(edge.reshape(shape), np.nan, moved)
            parts.append((moved - last).reshape(len(last), -1)[:, items].T)
    return np.nan_to_num(np.stack(parts, axis=-1))[:, None]
