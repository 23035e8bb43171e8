"""Stamps of rows: words, numbers and zones become one naive DatetimeIndex, or frame numbers.

Stamps with a zone become UTC without a zone, which no change of the clock disturbs; where every one of
them is a local midnight they stand for days and stay what the local calendar says.
"""

import re
import warnings
from typing import Literal

import numpy as np
import pandas as pd

from rheos.data.options import DataOptions
from rheos.data.reader.day_first import dates_of_numbers, order_of
from rheos.data.reader.marks import written_numbers
from rheos.data.reader.problem import SourceError

_ZONE = r"(?:Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})$"
CLOCK = re.compile(r"(\d{1,2})([:.])(\d{2})(?:\2(\d{2}(?:\.\d+)?))?")
"""A time of day: `18:05`, `18.05.00`."""
_ZONED = re.compile(r"[T ]\d{1,2}:.*?" + _ZONE)


def looks_like_stamps(series: pd.Series) -> bool:
    """Whether the first values of a text column are dates; numbers alone and times of day are not."""
    if pd.api.types.is_datetime64_any_dtype(series.dtype) or isinstance(series.dtype, pd.PeriodDtype):
        return True
    if pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        return False
    head = series.dropna().astype(str).str.strip().head(20)
    if head.empty or pd.to_numeric(head, errors="coerce").notna().any() or written_numbers(head):
        return False
    if _are_times_of_day(head):
        return False
    of_numbers = dates_of_numbers(head)
    return bool(_parsed(head, None, True).notna().mean() > 0.5) if of_numbers is None else of_numbers


def _are_times_of_day(text: pd.Series) -> bool:
    # With dots they may be dates.
    return ":" in text.iloc[0] and all(map(CLOCK.fullmatch, text))


def stamps(series: pd.Series, options: DataOptions, origin: str, notes: list[str]) -> pd.Index:
    """The stamps of a time column.

    Args:
        series: the column, one value a row.
        options: `time_format` and `timezone`.
        origin: the source, for messages.
        notes: receives what was decided.

    Returns:
        `(rows,)` naive DatetimeIndex, or numbers where the column numbers its frames.

    Raises:
        SourceError: a stamp is absent or cannot be read, or only some have a zone.
    """
    name = str(series.name)
    absent = series.isna().to_numpy()
    if absent.any():
        row = int(np.flatnonzero(absent)[0]) + 1
        raise SourceError(
            f"{origin!r} has no stamp in data row {row} (time column {name!r}, "
            f"{int(absent.sum())} such rows)",
            advice="fill it in or remove the row",
        )
    if isinstance(series.dtype, pd.PeriodDtype):
        return _settled(pd.DatetimeIndex(series.dt.to_timestamp()))
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _without_zone(pd.DatetimeIndex(series), options, origin, name, notes)
    if pd.api.types.is_numeric_dtype(series.dtype) and options.time_format is None:
        return _from_numbers(series, name, notes)
    return _from_words(series.astype(str).str.strip(), options, origin, name, notes)


def _from_numbers(series: pd.Series, name: str, notes: list[str]) -> pd.Index:
    values = series.to_numpy(np.float64)
    whole = bool((values == np.round(values)).all())
    if whole and ((values > 1000_00_00) & (values < 3000_00_00)).all():
        days = _parsed(series.astype("int64").astype(str), "%Y%m%d", False)
        if days.notna().all():
            notes.append(f"numbers such as {int(values[0])} in {name!r} were read as year, month, day")
            return _settled(pd.DatetimeIndex(days))
    if whole and name.lower() in ("year", "date", "ds", "time") and ((values > 1000) & (values < 2600)).all():
        notes.append(f"numbers such as {int(values[0])} in {name!r} were read as years")
        return _settled(pd.DatetimeIndex(pd.to_datetime(series.astype("int64").astype(str), format="%Y")))
    spans: tuple[tuple[float, float, Literal["s", "ms"]], ...] = ((1e8, 1e11, "s"), (1e11, 1e14, "ms"))
    for low, high, unit in spans:
        if (
            name.lower() in ("timestamp", "time", "unix", "epoch")
            and (values > low).all()
            and (values < high).all()
        ):
            notes.append(f"numbers such as {values[0]:.0f} in {name!r} were read as {unit} since 1970")
            return _settled(pd.DatetimeIndex(pd.to_datetime(series, unit=unit)))
    return pd.Index(values.astype(np.int64) if whole else values)


def _from_words(
    text: pd.Series, options: DataOptions, origin: str, name: str, notes: list[str]
) -> pd.DatetimeIndex:
    if options.time_format is None and _are_times_of_day(text):
        raise SourceError(
            f"time column {name!r} of {origin!r} holds times of day and no dates",
            {"time": "rows"},
            "name the dates too, data.time_parts=[DATE,TIME], or take rows as frames with data.time=rows",
        )
    zoned = text.str.contains(_ZONED).to_numpy()
    if zoned.any() and not zoned.all():
        row = int(np.flatnonzero(zoned != zoned[0])[0])
        raise SourceError(
            f"{origin!r} mixes stamps with and without a time zone in {name!r}: {text.iloc[0]!r} "
            "in data row 1 "
            f"and {text.iloc[row]!r} in data row {row + 1}",
            advice="write all of them in one way",
        )
    form = options.time_format or order_of(text, name, origin, notes)
    parsed = _parsed(text, form, bool(zoned.any()))
    bad = parsed.isna().to_numpy()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise SourceError(
            f"{origin!r} has a stamp that cannot be read: {text.iloc[row]!r} in {name!r}, data row {row + 1}",
            advice="correct it, or say how with data.time_format=%Y-%m-%d",
        )
    if zoned.any():
        local = _parsed(text.str.replace(_ZONE, "", regex=True), None, False)
        if local.notna().all() and (local.dt.normalize() == local).all():
            notes.append(f"stamps in {name!r} are local midnights and were read as days")
            return _settled(pd.DatetimeIndex(local))
    return _without_zone(pd.DatetimeIndex(parsed), options, origin, name, notes)


def _parsed(text: pd.Series, form: str | None, zoned: bool) -> pd.Series:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            first = pd.to_datetime(text, format=form, errors="coerce", utc=zoned)
        if form is not None or first.notna().all():
            return first
        second = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=zoned)
    except (ValueError, OverflowError, TypeError):
        return pd.Series(pd.NaT, index=text.index)
    return second if second.notna().sum() > first.notna().sum() else first


def _without_zone(
    index: pd.DatetimeIndex, options: DataOptions, origin: str, name: str, notes: list[str]
) -> pd.DatetimeIndex:
    if index.tz is None and options.timezone is not None:
        index = _localized(index, options.timezone, origin)
    if index.tz is None:
        return _settled(index)
    local = index.tz_localize(None)
    if str(index.tz) != "UTC" and (local.normalize() == local).all():
        notes.append(f"stamps in {name!r} are local midnights and were read as days")
        return _settled(local)
    notes.append(f"stamps in {name!r} are in UTC")
    return _settled(index.tz_convert("UTC").tz_localize(None))


def _localized(index: pd.DatetimeIndex, zone: str, origin: str) -> pd.DatetimeIndex:
    try:
        return index.tz_localize(zone, ambiguous="infer", nonexistent="raise")
    except (KeyError, OSError):
        raise SourceError(f"data.timezone={zone} is no time zone", advice="try Europe/Berlin") from None
    except ValueError as error:
        reason = str(error).split(".")[0]
        raise SourceError(
            f"the stamps of {origin!r} do not fit data.timezone={zone}: {reason}", advice="check the zone"
        ) from None


def _settled(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    try:
        settled = index.as_unit("ns")
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        settled = index.as_unit("us")
    return pd.DatetimeIndex(settled.to_numpy())
