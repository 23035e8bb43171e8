"""What a format understood becomes a data set: missing values, a regular axis, periods, precision."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr

from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.options import DataOptions, closest
from rheos.data.reader.axis import Gaps, distinct, ordered, regular, resampled
from rheos.data.reader.cells import cell_step, celled, told
from rheos.data.reader.joint import joined
from rheos.data.reader.period import periods
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw, RawSequence
from rheos.data.reader.rhythm import Rhythm, break_of, by_months, infer, normal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A data set with what was decided on the way.

    Attributes:
        dataset: the recordings.
        notes: one sentence for each decision made on the user's behalf.
        gaps: of each recording.
        chunks: how the source is stored in pieces.
    """

    dataset: Dataset
    notes: tuple[str, ...] = ()
    gaps: tuple[Gaps, ...] = field(default=())
    chunks: str = ""


def assemble(raw: Raw, options: DataOptions) -> Reading:
    """Bring the sequences of a source onto regular axes.

    Raises:
        SourceError: they cannot be used as they are.
    """
    notes = list(raw.notes)
    cleaned = [_without_sentinels(sequence, options, raw.origin) for sequence in raw.sequences]
    _check_values(cleaned, raw.layout, raw.origin)
    rows = [distinct(ordered(s, options, raw.origin, notes), options, raw.origin) for s in cleaned]
    if options.joint and len(rows) > 1:
        raw.layout, whole = joined(raw.layout, rows, raw.origin)
        rows = [whole]
    if options.resample is not None:
        rule = normal(options.resample, "data.resample")
        rows = [resampled(sequence, rule, raw.origin, notes) for sequence in rows]
    rhythm = _rhythm(rows, options, raw)
    if rhythm is None or options.cells is not None:
        rhythm = cell_step(_longest(rows), options.cells, raw.origin)
        rows = [celled(sequence, rhythm, notes, raw.origin) for sequence in rows]
        raw.layout = told(raw.layout, rhythm)
    placed = [regular(sequence, rhythm, options, raw.origin, notes) for sequence in rows]
    sequences = [sequence for sequence, _ in placed]
    for sequence in sequences:
        _check_future(sequence, raw.layout, raw.origin)
    frames = max(len(sequence.values) for sequence in sequences)
    layout = _completed(raw.layout, rhythm, sequences[0].stamps, frames, options, raw.origin)
    dataset = Dataset(layout=layout, recordings=tuple(_recordings(sequences)))
    return Reading(
        dataset=dataset, notes=tuple(notes), gaps=tuple(gaps for _, gaps in placed), chunks=raw.chunks
    )


def _without_sentinels(sequence: RawSequence, options: DataOptions, origin: str) -> RawSequence:
    numbers = [value for value in options.missing if not isinstance(value, str)]
    if not numbers:
        return sequence
    return RawSequence(
        name=sequence.name,
        stamps=sequence.stamps,
        values=_masked(sequence.values, numbers),
        known_future=_masked(sequence.known_future, numbers),
        past=_masked(sequence.past, numbers),
        static=_masked(sequence.static, numbers),
    )


def _masked(array: np.ndarray, numbers: list[float]) -> np.ndarray:
    sentinels = np.asarray(numbers, np.float64).astype(array.dtype)
    found = np.isin(array, sentinels)
    return np.where(found, np.asarray(np.nan, array.dtype), array) if found.any() else array


def _check_values(sequences: list[RawSequence], layout: Layout, origin: str) -> None:
    channels = np.zeros(len(layout.channels), bool)
    for sequence in sequences:
        of = f" of sequence {sequence.name!r}" if sequence.name else ""
        for array, names in (
            (sequence.values, layout.channels),
            (sequence.known_future, layout.known_future),
            (sequence.past, layout.past),
        ):
            _check_finite(array, names, sequence.stamps, f"{origin!r}{of}")
        seen = np.isfinite(sequence.values)
        seen = seen.any(axis=tuple(axis for axis in range(seen.ndim) if axis != 1))
        channels |= seen
        if not seen.any() and sequence.name:
            raise SourceError(
                f"sequence {sequence.name!r} of {origin!r} holds no value at all", advice="remove it"
            )
    if not channels.all():
        name = layout.channels[int(np.flatnonzero(~channels)[0])]
        raise SourceError(f"{name!r} in {origin!r} holds no value at all", {"roles": {name: "ignore"}})


def _check_finite(array: np.ndarray, names: tuple[str, ...], stamps: pd.Index, where: str) -> None:
    infinite = np.isinf(array)
    if not infinite.any():
        return
    first = tuple(int(place) for place in np.argwhere(infinite)[0])
    value = float(array[first])
    what = (
        f"{where} has an infinite value in {names[first[1]]!r} at {stamps[first[0]]} "
        f"({int(infinite.sum())} in all)"
    )
    raise SourceError(what, {"missing": [value]})


def _longest(rows: list[RawSequence]) -> pd.Index:
    return max(rows, key=lambda sequence: len(sequence.stamps)).stamps


def _rhythm(rows: list[RawSequence], options: DataOptions, raw: Raw) -> Rhythm | None:
    """The step of the frames, None where stamps follow none and become frames of cells.

    Raises:
        SourceError: there is only one frame, or the stamps should follow a step and do not.
    """
    longest = _longest(rows)
    stamped = isinstance(longest, pd.DatetimeIndex | xr.CFTimeIndex)
    if len(longest) < 2:
        raise SourceError(
            f"{raw.origin!r} holds only one frame ({longest[0]})", advice="a forecast needs at least two"
        )
    given = options.frequency or (options.resample if options.resample else raw.layout.frequency)
    if given is not None and stamped:
        frequency = normal(given, "data.frequency")
        return Rhythm(frequency, months=by_months(frequency))
    rhythm = infer(longest)
    if rhythm is None and raw.layout.kind == "trajectory":
        raise SourceError(
            f"{raw.origin!r} has an irregular axis: {break_of(longest)}", advice="number its frames evenly"
        )
    return rhythm


def _check_future(sequence: RawSequence, layout: Layout, origin: str) -> None:
    """Raise where a future row lacks a covariate that a later one has; some are known further than others."""
    if not layout.known_future:
        return
    seen = np.isfinite(sequence.values).reshape(len(sequence.values), -1).any(1)
    start = int(np.flatnonzero(seen)[-1]) + 1
    absent = np.isnan(sequence.known_future[start:])
    absent &= np.logical_or.accumulate(~absent[::-1])[::-1]
    if absent.any():
        frame, column = (int(place) for place in np.argwhere(absent)[0])
        of = f" of sequence {sequence.name!r}" if sequence.name else ""
        raise SourceError(
            f"{layout.known_future[column]!r} in {origin!r}{of} has no value at "
            f"{sequence.stamps[start + frame]}, a future "
            "row before others that have one",
            advice="fill it in",
        )


def _completed(
    layout: Layout, rhythm: Rhythm, stamps: pd.Index, frames: int, options: DataOptions, origin: str
) -> Layout:
    calendar = stamps.calendar if isinstance(stamps, xr.CFTimeIndex) else "standard"
    found = periods(rhythm.frequency, frames, calendar)
    if options.period is not None:
        found = options.period
        if found and found[-1] > frames:
            raise SourceError(
                f"data.period={found[-1]} is longer than {origin!r}, which has {frames} frames",
                advice="give a shorter one",
            )
    attributes = dict(layout.attributes)
    if calendar != "standard":
        attributes["calendar"] = calendar
    if rhythm.frequency is None and rhythm.step != 1:
        attributes["step"] = f"{rhythm.step:g}"
    circular = _circular(layout, options, origin)
    return replace(
        layout, frequency=rhythm.frequency, periods=found, attributes=attributes, circular=circular
    )


def _circular(layout: Layout, options: DataOptions, origin: str) -> tuple[float, ...]:
    """Period of each channel, 0 for ordinary numbers."""
    for name in options.circular:
        if name not in layout.channels:
            raise SourceError(
                f"circular.{name} names no target of {origin!r}", advice=closest(name, layout.channels)
            )
        if options.resample is not None or options.duplicates == "mean":
            raise SourceError(
                f"{name!r} is a direction, whose average over rows is no mean of numbers",
                advice="leave out data.resample and data.duplicates=mean",
            )
    return tuple(options.circular.get(name, 0.0) for name in layout.channels)


def _recordings(sequences: list[RawSequence]) -> list[Recording]:
    kinds = [
        _precision([getattr(s, part) for s in sequences])
        for part in ("values", "known_future", "past", "static")
    ]
    return [
        Recording(
            name=s.name,
            stamps=s.stamps,
            values=_frozen(s.values, kinds[0]),
            known_future=_frozen(s.known_future, kinds[1]),
            past=_frozen(s.past, kinds[2]),
            static=_frozen(s.static, kinds[3]),
        )
        for s in sequences
    ]


def _precision(arrays: list[np.ndarray]) -> type[np.floating]:
    """float32, unless a channel lies further than 1e5 of its spreads from zero."""
    if arrays[0].dtype == np.float32 or arrays[0].size == 0 or arrays[0].ndim < 2:
        return np.float32
    for array in arrays:
        flat = np.moveaxis(array, 1, 0).reshape(array.shape[1], -1)
        for channel in flat:
            seen = channel[np.isfinite(channel)]
            if seen.size and 0 < seen.std() < np.abs(seen).max() / 1e5:
                return np.float64
    return np.float32


def _frozen(array: np.ndarray, kind: type[np.floating]) -> np.ndarray:
    copy = np.array(array, dtype=kind, order="C", copy=True)
    copy.setflags(write=False)
    return copy
