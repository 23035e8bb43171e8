"""Stamps in several columns, `year, month, day, hour` or `Date, Time`: they become one."""

import numpy as np
import pandas as pd

from rheos.data.options import DataOptions, closest
from rheos.data.reader.problem import SourceError
from rheos.data.reader.roles import STAMP_NAMES, named
from rheos.data.reader.stamps import CLOCK, looks_like_stamps, stamps

_UNITS = ("year", "month", "day", "hour", "minute", "second")
_HOURS = ("hour", "hours")


def with_whole_stamps(
    table: pd.DataFrame, options: DataOptions, origin: str, notes: list[str], known: str | None = None
) -> tuple[pd.DataFrame, str | None]:
    """The table with one column in the place of those that make its stamps together.

    Args:
        table: its columns.
        options: `time_parts` names them; found where neither that nor `time` is said.
        origin: the source, for messages.
        notes: receives what was decided.
        known: what the column was called when the data were read; else the rows have to show that dates alone
            are no stamps.

    Returns:
        The table and the column's name, None where nothing was joined.

    Raises:
        SourceError: a part is absent, or no date or time of day.
    """
    columns = tuple(str(name) for name in table.columns)
    parts = options.time_parts or (_found(table, known) if options.time is None else ())
    if not parts:
        return table, None
    for name in parts:
        if name not in columns:
            raise SourceError(
                f"data.time_parts={name} names no column of {origin!r}", advice=closest(name, columns)
            )
    name = " ".join(parts)
    # Rows of a template, put below, have their stamp in one column already.
    given = table[name] if name in columns else pd.Series(None, index=table.index, dtype=object)
    own = given.isna().to_numpy()
    whole = pd.to_datetime(given.where(~own), errors="coerce").to_numpy().copy()
    whole[own] = _whole(table.loc[own, list(parts)], options, origin, notes)
    if options.time_parts is None:
        notes.append(f"stamps were put together from {' and '.join(map(repr, parts))}")
    rest = table.drop(columns=[*parts, name], errors="ignore")
    rest.insert(0, name, whole)
    return rest, name


def _whole(table: pd.DataFrame, options: DataOptions, origin: str, notes: list[str]) -> np.ndarray:
    """The stamps of a table of parts."""
    numbers = all(pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes)
    made = _of_units(table, origin) if numbers else _of_day_and_clock(table, options, origin, notes)
    return made.to_numpy()


def _found(table: pd.DataFrame, known: str | None) -> tuple[str, ...]:
    """The columns that make stamps together; none where one does by itself."""
    names = [str(name) for name in table.columns]
    columns = [name for name in names if not _is_joined(name, names)]
    date = next((name for name in columns if looks_like_stamps(table[name])), None)
    if date is not None:
        clock = next((name for name in columns if name != date and _is_clock(name, table[name])), None)
        if clock is None or not _is_date(table[date]):
            return ()
        parts: tuple[str, ...] = (date, clock)
        return parts if known == " ".join(parts) or table[date].duplicated().any() else ()
    if named(columns, STAMP_NAMES) is not None:
        return ()
    present = [named(columns, [unit]) for unit in _UNITS]
    first = next((place for place, name in enumerate(present) if name is None), len(present))
    parts = tuple(name for name in present[:first] if name is not None)
    numbers = all(pd.api.types.is_numeric_dtype(table[name].dtype) for name in parts)
    return parts if numbers and len(parts) > 1 else ()


def _is_joined(name: str, names: list[str]) -> bool:
    """Whether a column bears the names of two others, as the stamps put together from these do."""
    begins = any(name.startswith(f"{other} ") for other in names)
    return begins and any(name.endswith(f" {other}") for other in names)


def _is_date(series: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return bool((series.dropna().dt.normalize() == series.dropna()).all())
    return not series.dropna().head(20).astype(str).str.contains(":").any()


def _is_clock(name: str, series: pd.Series) -> bool:
    """Whether a column holds times of day, or numbers of hours where its name says so."""
    seen = series.dropna()
    if pd.api.types.is_numeric_dtype(seen.dtype):
        return name.strip().lower() in _HOURS and bool(seen.between(0, 24).all() and (seen % 1 == 0).all())
    head = seen.astype(str).str.strip().head(20)
    return len(head) > 0 and all(map(CLOCK.fullmatch, head))


def _of_units(table: pd.DataFrame, origin: str) -> pd.Series:
    """From columns of numbers, the year first."""
    units = {unit: table[name] for unit, name in zip(_UNITS, table.columns, strict=False)}
    whole = pd.to_datetime(pd.DataFrame({"day": 1, **units}), errors="coerce")
    _refuse(table, whole.isna().to_numpy(), "no date", origin)
    return whole


def _of_day_and_clock(table: pd.DataFrame, options: DataOptions, origin: str, notes: list[str]) -> pd.Series:
    """From a column of dates and others of times of day."""
    date, *clocks = table.columns
    day = stamps(table[date], options.model_copy(update={"timezone": None}), origin, notes)
    if not isinstance(day, pd.DatetimeIndex):
        raise SourceError(
            f"column {date!r} of {origin!r} holds no dates but {table[date].iloc[0]!s}",
            advice="name the date first, or year, month, day",
        )
    whole = pd.Series(day, index=table.index)
    for name in clocks:
        span = _spans(table[name])
        _refuse(table[[name]], span.isna().to_numpy(), "no time of day", origin)
        whole = whole + span
    return whole


def _spans(series: pd.Series) -> pd.Series:
    """Times of day, or hours, as spans since midnight; NaT for what is neither."""
    if pd.api.types.is_numeric_dtype(series.dtype):
        return pd.to_timedelta(series.where(series.between(0, 24)), unit="h")
    words = series.where(series.notna(), "").astype(str).str.strip()
    # Of a million rows few are of different times of day.
    each = pd.Series(words.unique())
    plain = each.where(each.str.fullmatch(CLOCK)).str.replace(
        CLOCK, lambda m: f"{m[1]}:{m[3]}:{m[4] or '00'}", regex=True
    )
    spans = pd.to_timedelta(plain, errors="coerce")
    return words.map(dict(zip(each, spans, strict=True)))


def _refuse(table: pd.DataFrame, bad: np.ndarray, what: str, origin: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        held = ", ".join(f"{table[name].iloc[row]!s} in {name!r}" for name in table.columns)
        raise SourceError(f"{origin!r} has {what} in data row {row + 1}: {held}", advice="correct it")
