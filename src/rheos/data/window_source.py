"""Windows cut from recordings: for any sequence and origin, what was known and what came after.

Nothing at or after a window's origin is read for its history, lagged or past values, nor for the
codec's state.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.data import calendar
from rheos.data.codec.base import Fitted, State
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.forecasts import forecast_frames
from rheos.data.late import delays, hidden
from rheos.data.windows import WindowBatch, WindowSpec


class WindowSource:
    """All complete windows of a data set, coded; and windows at any origin, for forecasting.

    A window is complete when its whole future lies inside the observed span and its history is not
    cut off; the first origins of a recording, whose seasonal lags reach before its start, are kept
    only where leaving them out would cost more than half of its windows. Windows without an observed
    entry in the history or in the future are left out.

    Attributes:
        dataset, spec, codec: as given.
        sequence: `(windows,)` int64, the recording of each window.
        origin: `(windows,)` int64, index in the recording of each window's first future frame.
        exists: raw features, bool: whether an entry (cell, channel) is ever observed.
        coded_exists: coded features, bool: which entries the codec makes of these.
        errors: what the anchor's recent errors say of windows, by their recordings and origins; None, as
            at first, where they are not looked at.
    """

    def __init__(self, dataset: Dataset, spec: WindowSpec, codec: Fitted) -> None:
        self.dataset = dataset
        self.spec = spec
        self.codec = codec
        recordings = dataset.recordings
        self._length = np.array([len(r) for r in recordings])
        self._offset = np.concatenate([[0], np.cumsum(self._length)[:-1]])
        self._values = _stack([r.values for r in recordings], dtype=None)
        self.exists = np.isfinite(self._values).any(0)
        self.coded_exists = codec.exists(self.exists)
        layout, named = dataset.layout, spec.forecasts
        self._forecasts = _stack([forecast_frames(r, layout, named) for r in recordings], dtype=None)
        if codec.pointwise:
            self._values = codec.encode(self._values[None], {})[0].astype(np.float32)
            self._forecasts = self._coded_forecasts(self._forecasts[None], {})[0].astype(np.float32)
        self._covariates = {
            role: _stack([codec.covariates.encode(role, getattr(r, role)) for r in recordings])
            for role in ("known_future", "past")
        }
        self._static = np.stack([codec.covariates.encode("static", r.static) for r in recordings])
        # Padded histories and futures reach beyond a recording, so its calendar does too.
        self._calendar = np.concatenate([self._calendar_of(r) for r in recordings])
        self._calendar_offset = self._offset + spec.frames * np.arange(len(recordings)) + spec.history
        self.errors: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]] | None = None
        self.sequence, self.origin = self._enumerate()
        self._late, self._past_late = (delays(spec.late, names) for names in (layout.channels, layout.past))

    def __len__(self) -> int:
        return len(self.origin)

    @property
    def frames(self) -> int:
        """Frames of all recordings together."""
        return int(self._length.sum())

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of a coded frame."""
        return self.codec.features(self.dataset.features)

    @property
    def layout(self) -> Layout:
        """What the axes of coded frames mean."""
        return self.codec.layout(self.dataset.layout)

    @property
    def calendar_names(self) -> tuple[str, ...]:
        """Names of the columns of `WindowBatch.calendar`."""
        return calendar.names(self.dataset.layout.frequency, self.dataset.layout.periods, self.spec.harmonics)

    @property
    def shortest_cycle(self) -> tuple[str, int] | None:
        """Name and frames of the calendar's shortest cycle; None where it has none."""
        layout = self.dataset.layout
        return calendar.shortest_cycle(layout.frequency, layout.periods, self.spec.harmonics)

    def _calendar_of(self, recording: Recording) -> np.ndarray:
        frequency = self.dataset.layout.frequency
        earlier = calendar.extend(recording.stamps, frequency, -self.spec.history)
        later = calendar.extend(recording.stamps, frequency, self.spec.horizon)
        return np.concatenate([self._features(stamps) for stamps in (earlier, recording.stamps, later)])

    def _features(self, stamps: pd.Index) -> np.ndarray:
        layout = self.dataset.layout
        return calendar.features(stamps, layout.frequency, layout.periods, self.spec.harmonics)

    def _enumerate(self) -> tuple[np.ndarray, np.ndarray]:
        sequences, origins = [], []
        for i, recording in enumerate(self.dataset.recordings):
            found = self._origins(recording)
            sequences.append(np.full(len(found), i))
            origins.append(found)
        return np.concatenate(sequences), np.concatenate(origins)

    def _origins(self, recording: Recording) -> np.ndarray:
        spec = self.spec
        end = recording.observed - spec.horizon + 1
        allowed = max(end - spec.history, 0)
        first = spec.reach if end - spec.reach >= 0.5 * allowed else spec.history
        candidates = np.arange(first, max(end, first))
        seen = np.isfinite(recording.values).reshape(len(recording), -1).any(1)
        until = np.concatenate([[0], np.cumsum(seen)])
        before = until[candidates] - until[candidates - spec.history]
        after = until[candidates + spec.horizon] - until[candidates]
        return candidates[(before > 0) & (after > 0)]

    def windows(
        self, first_origin: int | np.ndarray | None = None, last_origin: int | np.ndarray | None = None
    ) -> np.ndarray:
        """Indices of the windows whose origin lies in a range of frames.

        Args:
            first_origin: smallest origin, a frame of each recording: one number, or one a recording.
            last_origin: largest origin, included, alike.

        Returns:
            int64 indices, ordered by recording, then origin.
        """
        kept = np.ones(len(self), bool)
        if first_origin is not None:
            kept &= self.origin >= np.broadcast_to(first_origin, self._length.shape)[self.sequence]
        if last_origin is not None:
            kept &= self.origin <= np.broadcast_to(last_origin, self._length.shape)[self.sequence]
        return np.flatnonzero(kept)

    def split(self, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices before and after a cut `frames` observed frames from the end of each recording.

        Windows of the first part touch no frame at or after the cut; those of the second part forecast
        only frames at or after it. Windows astride belong to neither.
        """
        cut = np.array([r.observed for r in self.dataset.recordings]) - frames
        return self.windows(last_origin=cut - self.spec.horizon), self.windows(first_origin=cut)

    def batch(self, indices: np.ndarray) -> WindowBatch:
        """Windows by index; see :class:`WindowBatch`."""
        return self.gather(self.sequence[indices], self.origin[indices])

    def gather(self, sequence: np.ndarray, origin: np.ndarray) -> WindowBatch:
        """Windows at the origins given; frames outside the recordings are missing.

        Args:
            sequence: `(b,)` index of the recording of each window.
            origin: `(b,)` index of the first future frame, at most the recording's length.

        Returns:
            The batch; frames of the future that were recorded are filled in.
        """
        batch = self.bare(sequence, origin)
        return (
            batch if self.errors is None else replace(batch, recent=self.errors(batch.sequence, batch.origin))
        )

    def bare(self, sequence: np.ndarray, origin: np.ndarray) -> WindowBatch:
        """As :meth:`gather`, without what the anchor's recent errors say."""
        sequence, origin = np.asarray(sequence), np.asarray(origin)
        steps = np.arange(-self.spec.history, self.spec.horizon)
        clip = self._rows(sequence, origin[:, None] + steps)
        past = clip[:, : self.spec.history]
        coded, state = self._coded(sequence, origin)
        positions = self._calendar_offset[sequence][:, None] + origin[:, None] + steps
        return WindowBatch(
            **coded,
            calendar=self._calendar[np.minimum(positions, len(self._calendar) - 1)],
            known_future=self._covariates["known_future"][clip],
            past=hidden(self._covariates["past"][past], -steps[: self.spec.history], self._past_late),
            static=self._static[sequence],
            sequence=sequence,
            origin=origin,
            state=state,
            recent={},
        )

    def _rows(self, sequence: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Rows of the stacked arrays for frames of recordings; the last row, all NaN, where outside."""
        shape = (-1,) + (1,) * (frames.ndim - 1)
        length = self._length[sequence].reshape(shape)
        start = self._offset[sequence].reshape(shape)
        return np.where((frames >= 0) & (frames < length), start + frames, len(self._values) - 1)

    def _coded(self, sequence: np.ndarray, origin: np.ndarray) -> tuple[dict[str, np.ndarray], State]:
        spec, codec = self.spec, self.codec
        back = 0 if codec.pointwise else codec.lookback
        at = origin[:, None]
        past = self._rows(sequence, at + np.arange(-spec.history - back, 0))
        future = self._rows(sequence, at + np.arange(spec.horizon))
        around = np.arange(-spec.history - back, spec.horizon)
        lagged = [
            hidden(self._values[self._rows(sequence, at + around - lag)], lag - around, self._late)
            for lag in spec.lags
        ]
        history = hidden(self._values[past], -around[: past.shape[1]], self._late)
        coming = self._values[future]
        state: State = {}
        if not codec.pointwise:
            state = codec.state(history)
            coming = codec.encode(coming, state)
            history = codec.encode_past(history, state)[:, back:]
            lagged = [codec.encode_past(values, state)[:, back:] for values in lagged]
        none = np.zeros((len(at), spec.frames, 0, *self.features), np.float32)
        parts = {
            "history": history,
            "future": coming,
            "forecast": self._forecast(past, future, state),
            "lagged": np.stack(lagged, axis=2) if lagged else none,
        }
        return {name: values.astype(np.float32) for name, values in parts.items()}, state

    def _forecast(self, past: np.ndarray, future: np.ndarray, state: State) -> np.ndarray:
        """What others forecast of the frames of a window, coded; as many of the past as there are."""
        before, ahead = self._forecasts[past], self._forecasts[future]
        if not self.codec.pointwise:
            before = self._coded_forecasts(before, state, past=True)[:, self.codec.lookback :]
            ahead = self._coded_forecasts(ahead, state)
        return np.concatenate([before, ahead], axis=1)

    def _coded_forecasts(self, values: np.ndarray, state: State, *, past: bool = False) -> np.ndarray:
        """Raw forecasts `(b, f, channels)` as their targets are coded; a code across a gap is missing.

        Raises:
            InputError: one is no value that the target could have.
        """
        if not self.spec.forecasts:
            return values
        try:
            coded = (self.codec.encode_past if past else self.codec.encode)(values, state)
        except InputError as error:
            columns = ", ".join(self.spec.forecasts.values())
            raise InputError(f"anchor=forecast codes {columns} as its target is coded: {error}") from error
        for step in range(1, self.codec.lookback + 1):
            coded[:, step:][np.isnan(values[:, :-step])] = np.nan
        return coded

    def without(self, columns: np.ndarray) -> "WindowSource":
        """The same windows, some columns of `known_future` taken out, by their numbers; they share memory."""
        other = copy(self)
        fewer = np.delete(self._covariates["known_future"], columns, axis=1)
        other._covariates = {**self._covariates, "known_future": fewer}
        return other

    def valid_times(self, recording: int, origin: int | None = None) -> pd.Index:
        """Stamps of the S future frames of a forecast from an origin (default: the first unobserved)."""
        return self._stamps(recording, self._start(recording, origin))[self.spec.history :]

    def _start(self, recording: int, origin: int | None) -> int:
        return self.dataset.recordings[recording].observed if origin is None else origin

    def _stamps(self, recording: int, origin: int) -> pd.Index:
        """Stamps of the whole clip, continued beyond both ends of the recording."""
        stamps, frequency = self.dataset.recordings[recording].stamps, self.dataset.layout.frequency
        first, last = origin - self.spec.history, origin + self.spec.horizon
        if last > len(stamps):
            stamps = calendar.joined(stamps, calendar.extend(stamps, frequency, last - len(stamps)))
        if first < 0:
            stamps = calendar.joined(calendar.extend(stamps, frequency, first), stamps)
            first, last = 0, last - first
        return stamps[first:last]

    def at(self, recording: int, origin: int | None = None) -> WindowBatch:
        """The window of a forecast: one row, its future all NaN.

        Args:
            recording: index of the recording.
            origin: index of the first frame to forecast, inside the recording or beyond its end;
                default: the frame after the last observed one.

        Raises:
            InputError: the origin is negative, or a covariate that must be known ahead is missing.
        """
        start = self._start(recording, origin)
        if start < 0:
            raise InputError(
                f"origin {start} lies before the first frame; give a frame number of at least 0."
            )
        batch = self.gather(np.array([recording]), np.array([start]))
        stamps = self._stamps(recording, start)
        ahead = batch.known_future[0, self.spec.history :]
        ended = start + self.spec.horizon <= self.dataset.recordings[recording].observed
        self._require_known_future(ahead, stamps[self.spec.history :], ended)
        features = self._features(stamps)
        return replace(batch, future=np.full_like(batch.future, np.nan), calendar=features[None])

    def _require_known_future(self, values: np.ndarray, stamps: pd.Index, ended: bool) -> None:
        """Raise where a covariate is missing; forecasts may end early or, of what has ended, be absent."""
        columns = self.dataset.layout.known_future
        absent = ~np.isfinite(values)
        for number, column in enumerate(columns):
            if column in self.spec.forecasts.values() and (ended or not absent[:, number].all()):
                absent[:, number] = False
        missing = np.argwhere(absent)
        if len(missing):
            frame, number = missing[0]
            raise InputError(
                f"column {columns[number]!r} must be known ahead but has no value at "
                f"{stamps[frame]}; fill in the table that `rheos template` writes, put its rows below the "
                "data and give the file with --from."
            )


def _stack(parts: list[np.ndarray], dtype: type | None = np.float32) -> np.ndarray:
    """All recordings one after the other, and one row of NaN for frames outside them."""
    kind = dtype or np.result_type(*parts, np.float32)
    total = sum(len(p) for p in parts)
    stacked = np.full((total + 1, *parts[0].shape[1:]), np.nan, kind)
    np.concatenate(parts, out=stacked[:total])
    return stacked


def to_context(
    batch: WindowBatch,
    anchor: tuple[np.ndarray, np.ndarray] | None = None,
    exists: np.ndarray | None = None,
    coordinates: np.ndarray | None = None,
    periodic: tuple[bool, ...] = (),
) -> tuple[Tensor, Context]:
    """A batch as the coded clip and its context.

    Missing entries are 0, the codec's center, in the clip, the history, the lagged values and the
    covariates; the mask tells them apart for clip and history.

    Args:
        batch: b windows.
        anchor: what a fitted anchor returns for the batch: `(b, F, *features)` and `(F, *features)`.
        exists: coded `features` bool, given when forecasting: which entries are to be forecast. Without it
            the future's mask holds the observed entries, as for training.
        coordinates: `(k, *space)` spatial features, see :class:`rheos.core.context.Context`.
        periodic: for each spatial axis, whether it closes on itself.

    Returns:
        The clip `(b, F, *features)` and the context, float32.
    """
    clip = np.concatenate([batch.history, batch.future], axis=1)
    mask = np.isfinite(clip)
    frames = batch.history.shape[1]
    if exists is not None:
        mask[:, frames:] = exists
    context = Context(
        history_frames=frames,
        history=_filled(batch.history),
        mask=torch.from_numpy(mask.astype(np.float32)),
        calendar=_some(batch.calendar),
        known_future=_some(batch.known_future),
        past=_some(batch.past),
        static=_some(batch.static),
        lagged=_filled(batch.lagged) if batch.lagged.shape[2] else None,
        coordinates=None if coordinates is None else _filled(coordinates),
        periodic=periodic,
    )
    if anchor is not None:
        center = _filled(anchor[0])
        context = replace(context, anchor=center, anchor_scale=_filled(anchor[1]).expand(center.shape))
    return _filled(clip), context


def _filled(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.nan_to_num(values, nan=0.0).astype(np.float32, copy=False))


def _some(values: np.ndarray) -> Tensor | None:
    """None for a role that has no columns."""
    return _filled(values) if values.shape[-1] else None
