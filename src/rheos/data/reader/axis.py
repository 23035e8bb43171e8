"""Rows at stamps become frames on a regular axis: order, duplicates, averages, gaps."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from rheos.data.options import DataOptions
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import RawSequence
from rheos.data.reader.rhythm import Rhythm, nanoseconds

_OFF_AXIS = 0.25  # of a step: beyond it a number is no frame


@dataclass(frozen=True, slots=True)
class Gaps:
    """Frames that had no row: how many, in how many runs, and the longest run with the stamp it starts at."""

    frames: int = 0
    runs: int = 0
    longest: int = 0
    at: str = ""


def ordered(sequence: RawSequence, options: DataOptions, origin: str, notes: list[str]) -> RawSequence:
    """Rows in order of time.

    Raises:
        SourceError: they are neither rising nor falling and `data.order` does not allow sorting.
    """
    stamps = sequence.stamps
    if stamps.is_monotonic_increasing:
        return sequence
    if stamps.is_monotonic_decreasing:
        notes.append(f"rows{_of(sequence)} ran backwards in time and were turned round")
        return _rows(sequence, np.arange(len(stamps))[::-1])
    if options.order == "refuse":
        at = next(i for i in range(1, len(stamps)) if stamps[i] < stamps[i - 1])
        what = (
            f"{origin!r} is not in order of time{_of(sequence)}: {stamps[at]} follows "
            f"{stamps[at - 1]} in data row {at + 1}"
        )
        raise SourceError(what, {"order": "sort"})
    return _rows(sequence, np.asarray(stamps.argsort(kind="stable")))


def distinct(sequence: RawSequence, options: DataOptions, origin: str) -> RawSequence:
    """One row a stamp; `sequence` is in order.

    Raises:
        SourceError: several rows share a stamp and `data.duplicates` does not say what to do.
    """
    stamps = sequence.stamps
    repeated = np.asarray(stamps[1:] == stamps[:-1])
    if not repeated.any():
        return sequence
    starts = np.flatnonzero(np.concatenate([[True], ~repeated]))
    if len(starts) == 1:
        raise SourceError(
            f"{origin!r} has the same stamp, {stamps[0]}, in all its {len(stamps)} rows{_of(sequence)}",
            advice="name the column that tells the time with data.time=COLUMN",
        )
    if options.duplicates == "refuse":
        at = int(np.flatnonzero(repeated)[0])
        what = (
            f"{origin!r} has {_count(int(repeated.sum()), 'duplicate stamp')}{_of(sequence)}, "
            f"the first {stamps[at]}"
        )
        raise SourceError(what, {"duplicates": "mean"})
    if options.duplicates == "mean":
        return averaged(sequence, starts, stamps[starts])
    last = np.concatenate([starts[1:], [len(stamps)]]) - 1
    return _rows(sequence, starts if options.duplicates == "first" else last)


def resampled(sequence: RawSequence, rule: str, origin: str, notes: list[str]) -> RawSequence:
    """Means over the bins of a frequency; bins at either end that are less than half full are dropped.

    Raises:
        SourceError: there are no stamps, or the rule is finer than the data.
    """
    stamps = sequence.stamps
    rows = np.arange(len(stamps))
    if isinstance(stamps, pd.DatetimeIndex):
        counts = pd.Series(rows, stamps).resample(rule).count()
        labels, sizes = pd.Index(counts.index), counts.to_numpy()
    elif isinstance(stamps, xr.CFTimeIndex):
        binned = xr.DataArray(rows, coords={"time": stamps}, dims="time").resample(time=rule).count()
        labels, sizes = binned.indexes["time"], np.nan_to_num(binned.to_numpy()).astype(np.int64)
    else:
        raise SourceError(f"data.resample={rule} needs stamps, and {origin!r} has only frame numbers")
    if len(sizes) > 2 * len(stamps):
        raise SourceError(
            f"data.resample={rule} is finer than the step of {origin!r}", advice="give a longer one"
        )
    full = np.flatnonzero(sizes >= 0.5 * np.median(sizes[sizes > 0]))
    first, stop = int(full[0]), int(full[-1]) + 1
    if stop - first < len(sizes):
        notes.append(
            f"data.resample={rule}: {len(sizes) - stop + first} partly filled frames at the ends were dropped"
        )
    before = int(sizes[:first].sum())
    kept = _rows(sequence, np.arange(before, before + int(sizes[first:stop].sum())))
    sizes, labels = sizes[first:stop], labels[first:stop]
    filled = sizes > 0
    starts = (np.cumsum(sizes) - sizes)[filled]
    return averaged(kept, starts, labels[filled])


def averaged(sequence: RawSequence, starts: np.ndarray, stamps: pd.Index) -> RawSequence:
    """Means over runs of rows that begin at `starts`; NaN is left out."""
    return RawSequence(
        name=sequence.name,
        stamps=stamps,
        values=_means(sequence.values, starts),
        known_future=_means(sequence.known_future, starts),
        past=_means(sequence.past, starts),
        static=sequence.static,
    )


def regular(
    sequence: RawSequence, rhythm: Rhythm, options: DataOptions, origin: str, notes: list[str]
) -> tuple[RawSequence, Gaps]:
    """The sequence on every frame of its axis, NaN where a stamp has no row.

    Raises:
        SourceError: a stamp lies off the axis, gaps are refused, or nearly all frames would be gaps.
    """
    stamps = _snapped(sequence.stamps, rhythm, notes)
    axis = _axis(stamps, rhythm, origin)
    place = _places(stamps, axis, rhythm)
    if (place < 0).any():
        at = int(np.flatnonzero(place < 0)[0])
        raise SourceError(
            f"{origin!r} has a stamp off its axis{_of(sequence)}: {stamps[at]} is no frame of "
            f"step {rhythm.frequency or rhythm.step!r} "
            f"from {stamps[0]}",
            advice="name the step with data.frequency=STEP or average with data.resample=STEP",
        )
    if (np.diff(place) == 0).any():
        at = int(np.flatnonzero(np.diff(place) == 0)[0])
        raise SourceError(
            f"{origin!r} has several rows{_of(sequence)} in the {rhythm.frequency!r} frame of "
            f"{sequence.stamps[at]}",
            {"resample": rhythm.frequency},
        )
    gaps = _gaps(place, axis)
    if gaps.frames and options.gaps == "refuse":
        what = (
            f"{origin!r} has {_count(gaps.frames, 'missing frame')}{_of(sequence)}, the "
            f"longest gap ({gaps.longest}) at {gaps.at}"
        )
        raise SourceError(what, {"gaps": "missing"})
    shown = pd.RangeIndex(len(axis)) if rhythm.frequency is None and axis.dtype.kind == "f" else axis
    placed = RawSequence(
        name=sequence.name,
        stamps=shown,
        values=_placed(sequence.values, place, len(axis)),
        known_future=_placed(sequence.known_future, place, len(axis)),
        past=_placed(sequence.past, place, len(axis)),
        static=sequence.static,
    )
    return placed, gaps


def _axis(stamps: pd.Index, rhythm: Rhythm, origin: str) -> pd.Index:
    if rhythm.frequency is None:
        first, step = stamps[0], rhythm.step
        frames = round((stamps[-1] - first) / step) + 1
        _bounded(frames, len(stamps), origin, stamps)
        if float(first).is_integer() and float(step).is_integer():
            return pd.RangeIndex(int(first), int(first) + frames * int(step), int(step))
        return pd.Index(first + step * np.arange(frames))
    span, smallest = nanoseconds(stamps), np.diff(nanoseconds(stamps))
    if len(smallest):
        _bounded(int(span[-1] // smallest.min()) + 1, len(stamps), origin, stamps)
    if isinstance(stamps, xr.CFTimeIndex):
        first, last, calendar = stamps[0], stamps[-1], stamps.calendar
        return xr.date_range(first, last, freq=rhythm.frequency, calendar=calendar, use_cftime=True)
    stamped = pd.DatetimeIndex(stamps)
    axis = pd.date_range(stamped[0], stamped[-1], freq=rhythm.frequency, unit=stamped.unit)
    return pd.DatetimeIndex(axis.to_numpy())


def _bounded(frames: int, rows: int, origin: str, stamps: pd.Index) -> None:
    if frames > 10 * rows + 10_000:
        deltas = nanoseconds(stamps) if stamps.dtype.kind in "MO" else np.asarray(stamps, np.float64)
        at = int(np.argmax(np.diff(deltas)))
        raise SourceError(
            f"{origin!r} has {rows} rows on an axis of {frames} frames: between {stamps[at]} and "
            f"{stamps[at + 1]} "
            "lies nothing",
            advice="cut it there, or average onto a longer step with data.resample=STEP",
        )


def _places(stamps: pd.Index, axis: pd.Index, rhythm: Rhythm) -> np.ndarray:
    if rhythm.frequency is None:
        steps = (np.asarray(stamps, np.float64) - stamps[0]) / rhythm.step
        # The step is that of the longest sequence; another one may have frames between its frames.
        return np.where(np.abs(steps - np.round(steps)) < _OFF_AXIS, np.round(steps), -1).astype(np.int64)
    return np.asarray(axis.get_indexer(stamps))


def _snapped(stamps: pd.Index, rhythm: Rhythm, notes: list[str]) -> pd.Index:
    if not rhythm.months or rhythm.frequency is None:
        return stamps
    at_end = rhythm.frequency.lstrip("0123456789")[1] == "E"
    if isinstance(stamps, pd.DatetimeIndex):
        snapped: pd.Index = stamps.normalize() - pd.to_timedelta(stamps.day - 1, unit="D")
        if at_end:
            snapped = stamps.normalize() + pd.to_timedelta(stamps.days_in_month - stamps.day, unit="D")
        snapped = pd.DatetimeIndex(snapped).as_unit(stamps.unit)
    else:
        midnight = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
        snapped = xr.CFTimeIndex([d.replace(day=d.daysinmonth if at_end else 1, **midnight) for d in stamps])
    if not snapped.equals(stamps):
        where = "last" if at_end else "first"
        _once(notes, f"stamps inside their month (such as {stamps[0]}) were moved to its {where} day")
    return snapped


def _gaps(place: np.ndarray, axis: pd.Index) -> Gaps:
    holes = np.diff(place) - 1
    if not holes.any():
        return Gaps()
    at = int(np.argmax(holes))
    return Gaps(int(holes.sum()), int((holes > 0).sum()), int(holes[at]), str(axis[place[at] + 1]))


def _placed(array: np.ndarray, place: np.ndarray, frames: int) -> np.ndarray:
    if len(array) == frames:
        return array
    out = np.full((frames, *array.shape[1:]), np.nan, array.dtype)
    out[place] = array
    return out


def _means(array: np.ndarray, starts: np.ndarray) -> np.ndarray:
    seen = ~np.isnan(array)
    total = np.add.reduceat(np.where(seen, array, 0.0).astype(np.float64), starts, axis=0)
    count = np.add.reduceat(seen.astype(np.int64), starts, axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _rows(sequence: RawSequence, rows: np.ndarray) -> RawSequence:
    return RawSequence(
        name=sequence.name,
        stamps=sequence.stamps[rows],
        values=sequence.values[rows],
        known_future=sequence.known_future[rows],
        past=sequence.past[rows],
        static=sequence.static,
    )


def _once(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)


def _of(sequence: RawSequence) -> str:
    return f" of sequence {sequence.name!r}" if sequence.name else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
