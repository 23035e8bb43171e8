"""Tables: wide (a time column, one column a variable) and long (`unique_id, ds, y` or `data.series`)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from rheos.data.dataset import Layout
from rheos.data.options import DataOptions, Role, closest, option_line
from rheos.data.reader.columns import Column, column
from rheos.data.reader.marks import marks_of, unmarked
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw, RawSequence
from rheos.data.reader.roles import SERIES_NAMES, STAMP_NAMES, TARGET_NAMES, TIME_NAMES, assign, named
from rheos.data.reader.sequences import likely_names, named_by
from rheos.data.reader.stamps import looks_like_stamps, stamps
from rheos.data.reader.time_parts import with_whole_stamps

_UNIT = re.compile(r"^.*?\s*[(\[]([^()\[\]]+)[)\]]$")


def from_table(frame: pd.DataFrame, options: DataOptions, origin: str) -> Raw:
    """Understand a table.

    Args:
        frame: the table; never changed.
        options: roles and the rest.
        origin: the source, for messages.

    Raises:
        SourceError: no time, no target, or a column that is neither numbers nor words.
    """
    notes: list[str] = []
    table = with_plain_columns(frame, origin)
    table, series = _series(table, options, origin)
    table, whole_time = with_whole_stamps(table, options, origin, notes)
    time = whole_time or time_column(table, options, series, origin)
    axis = pd.Index(np.arange(len(table))) if time is None else stamps(table[time], options, origin, notes)
    if time and series is None and options.duplicates == "refuse":
        _refuse_several(table, time, origin)
    table = table.drop(columns=[time] if time else [])
    names = tuple(name for name in table.columns if name != series)
    numbers = numbers_of(table, names, options, origin, notes)
    roles = _roles(names, numbers, series is not None, options, origin)
    for name, role in roles.items():
        if role != "ignore" and name not in numbers:
            refuse_text(table, name, role, origin)
    parts = {
        role: tuple(n for n in names if roles[n] == role)
        for role in ("target", "known_future", "past", "static")
    }
    arrays = {role: _stack(numbers, parts[role], len(table)) for role in parts}
    layout = Layout(
        channels=parts["target"],
        units=tuple(_unit(name) for name in parts["target"]),
        known_future=parts["known_future"],
        past=parts["past"],
        static=parts["static"],
        time=time or "time",
        sequence=series or "unique_id",
    )
    whole = RawSequence(
        stamps=axis,
        values=arrays["target"],
        known_future=arrays["known_future"],
        past=arrays["past"],
        static=np.zeros(0, np.float32),
    )
    if series is None:
        whole.static = _constants(arrays["static"], parts["static"], "", origin)
        raw = Raw(origin=origin, layout=layout, sequences=[whole], notes=notes)
        return _apart(raw) if options.joint is False else raw
    sequences = _by_name(table[series], whole, arrays["static"], parts["static"], origin)
    return Raw(origin=origin, layout=layout, sequences=sequences, notes=notes)


def _series(table: pd.DataFrame, options: DataOptions, origin: str) -> tuple[pd.DataFrame, str | None]:
    """The table with one column that names sequences, if any do, and that column's name."""
    columns = tuple(str(name) for name in table.columns)
    if options.series is None:
        return table, named(columns, SERIES_NAMES)
    for name in options.series:
        if name not in columns:
            raise SourceError(
                f"data.series={name} names no column of {origin!r}", advice=closest(name, columns)
            )
    return named_by(table, options.series)


def _refuse_several(table: pd.DataFrame, time: str, origin: str) -> None:
    """Refuse a table of several sequences that are not told apart."""
    names = likely_names(table, time)
    if names:
        each = " and ".join(repr(name) for name in names)
        raise SourceError(
            f"{origin!r} has several rows of one stamp, one for each {each}", {"series": list(names)}
        )


def with_plain_columns(frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """The table with its index, where that is named, among its columns.

    Raises:
        SourceError: names of columns clash or have several levels, or there are no rows.
    """
    if isinstance(frame.columns, pd.MultiIndex):
        raise SourceError(
            f"{origin!r} has column names of several levels", advice="give each column one name"
        )
    plain_index = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    if (
        not plain_index
        and isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex)
        and frame.index.name is None
    ):
        frame = frame.rename_axis(index="time")
    clash = [name for name in frame.index.names if name is not None and name in frame.columns]
    if clash:
        raise SourceError(
            f"{origin!r} has an index and a column both named {clash[0]!r}", advice="rename one of them"
        )
    table = frame.copy(deep=False) if plain_index or frame.index.names == [None] else frame.reset_index()
    table.columns = [str(name) for name in table.columns]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise SourceError(f"{origin!r} has two columns named {twice[0]!r}", advice="rename one of them")
    if len(table) == 0:
        raise SourceError(f"{origin!r} has no rows")
    return table


def time_column(table: pd.DataFrame, options: DataOptions, series: str | None, origin: str) -> str | None:
    """Name of the time column; None where rows are frames.

    Raises:
        SourceError: there is none, or not the one named.
    """
    columns = tuple(str(name) for name in table.columns)
    if options.time is not None:
        if options.time in columns:
            return options.time
        if options.time == "rows":
            return None
        raise SourceError(
            f"data.time={options.time} names no column of {origin!r}", advice=closest(options.time, columns)
        )
    rest = [name for name in columns if name != series]
    like = (name for name in rest if looks_like_stamps(table[name]))
    found = named(rest, STAMP_NAMES) or next(like, None) or named(rest, TIME_NAMES)
    if found is None:
        shown = ", ".join(rest[:6]) + (", ..." if len(rest) > 6 else "")
        raise SourceError(
            f"{origin!r} has no time column (columns: {shown})",
            {"time": "rows"},
            "name it with data.time=COLUMN, or take rows as frames with data.time=rows",
        )
    return found


def numbers_of(
    table: pd.DataFrame, names: tuple[str, ...], options: DataOptions, origin: str, notes: list[str]
) -> dict[str, Column]:
    """The columns of numbers among `names`, by name.

    Raises:
        SourceError: a column is empty, or has text among its numbers.
    """
    words = tuple(value for value in options.missing if isinstance(value, str))
    numbers: dict[str, Column] = {}
    for name in names:
        if options.roles.get(name) == "ignore":
            continue
        found = column(unmarked(table[name], options), words)
        marks = marks_of(table[name], options) if found.kind in ("text", "mixed") else None
        if found.kind == "mixed" or marks is not None:
            raise _text_in_numbers(name, found, marks, origin)
        if found.kind == "empty" and name not in options.roles:
            raise SourceError(
                f"column {name!r} of {origin!r} holds no value at all", {"roles": {name: "ignore"}}
            )
        if found.kind in ("text", "stamp"):
            example = found.word or str(table[name].iloc[0])
            if name not in options.roles:
                notes.append(
                    f"column {name!r} was left out: it holds no numbers but words such as {example!r}"
                )
        elif _is_row_number(name, found.values) and name not in options.roles:
            notes.append(f"column {name!r} was left out: it numbers the rows")
        else:
            numbers[name] = found
            if found.kind == "flag":
                notes.append(f"column {name!r} holds yes or no and became 1 or 0")
    return numbers


def _text_in_numbers(
    name: str, found: Column, marks: tuple[Mapping[str, Any], str] | None, origin: str
) -> SourceError:
    what = (
        f"column {name!r} of {origin!r} has text among its numbers: {found.word!r} in data row "
        f"{found.row + 1}"
    )
    if marks is not None:
        return SourceError(what, *marks)
    if found.words <= 2:
        mend = {"missing": [found.word]}
        ignore = f"roles.{name}=ignore"
        return SourceError(what, mend, f"if it means missing give {option_line(mend)}, else {ignore}")
    return SourceError(what, {"roles": {name: "ignore"}})


def _roles(
    names: tuple[str, ...], numbers: dict[str, Column], long: bool, options: DataOptions, origin: str
) -> dict[str, Role]:
    default: dict[str, Role] = {name: "target" if name in numbers else "ignore" for name in names}
    if long and "target" not in options.roles.values():
        target = named(names, TARGET_NAMES)
        if target is None and options.series is not None:
            return assign(names, options.roles, default, origin)
        if target is None:
            shown = ", ".join(names[:6]) or "none"
            raise SourceError(
                f"the long table {origin!r} has no column 'y' (columns: {shown})",
                advice="name the target with roles.COLUMN=target",
            )
        default |= {name: "past" for name in numbers if name != target}
        if target not in numbers:
            default[target] = "target"
    elif long:
        default |= dict.fromkeys(numbers, "past")
    if not numbers and not options.roles and not long:
        raise SourceError(
            f"{origin!r} has no column of numbers beside its stamps", advice="check the delimiter"
        )
    return assign(names, options.roles, default, origin)


def refuse_text(table: pd.DataFrame, name: str, role: Role, origin: str) -> None:
    """Say that a column whose role needs numbers holds none."""
    value = table[name].iloc[0]
    raise SourceError(
        f"column {name!r} of {origin!r} cannot be a {role}: it holds no numbers but "
        f"{str(value)!r} in data row 1",
        {"roles": {name: "ignore"}},
    )


def _is_row_number(name: str, values: np.ndarray) -> bool:
    unnamed = name == "" or name.startswith("Unnamed:") or name == "index"
    return unnamed and bool(np.array_equal(np.diff(values), np.ones(len(values) - 1)))


def _stack(numbers: dict[str, Column], names: tuple[str, ...], rows: int) -> np.ndarray:
    if not names:
        return np.zeros((rows, 0), np.float32)
    return np.stack([numbers[name].values for name in names], axis=1)


def _unit(name: str) -> str:
    found = _UNIT.match(name)
    return found.group(1).strip() if found else ""


def _constants(array: np.ndarray, names: tuple[str, ...], of: str, origin: str) -> np.ndarray:
    values = np.full(len(names), np.nan)
    for place, name in enumerate(names):
        seen = array[:, place][np.isfinite(array[:, place])]
        if seen.size and (seen != seen[0]).any():
            other = seen[np.flatnonzero(seen != seen[0])[0]]
            where = f" of sequence {of!r}" if of else ""
            raise SourceError(
                f"column {name!r} of {origin!r} is not static{where}: it holds {seen[0]:g} and {other:g}",
                {"roles": {name: "past"}},
            )
        values[place] = seen[0] if seen.size else np.nan
    return values


def _by_name(
    series: pd.Series, whole: RawSequence, static: np.ndarray, names: tuple[str, ...], origin: str
) -> list[RawSequence]:
    if series.isna().any():
        row = int(np.flatnonzero(series.isna().to_numpy())[0]) + 1
        raise SourceError(f"{origin!r} has no {series.name!r} in data row {row}", advice="fill it in")
    codes, labels = pd.factorize(series)
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    return [
        RawSequence(
            name=str(labels[codes[rows[0]]]),
            stamps=whole.stamps[rows],
            values=whole.values[rows],
            known_future=whole.known_future[rows],
            past=whole.past[rows],
            static=_constants(static[rows], names, str(labels[codes[rows[0]]]), origin),
        )
        for rows in np.split(order, cuts)
    ]


def _apart(raw: Raw) -> Raw:
    """Each channel of the only sequence as a sequence of its own."""
    whole = raw.sequences[0]
    units = set(raw.layout.units)
    raw.sequences = [
        RawSequence(
            name=name,
            stamps=whole.stamps,
            values=whole.values[:, place : place + 1],
            known_future=whole.known_future,
            past=whole.past,
            static=whole.static,
        )
        for place, name in enumerate(raw.layout.channels)
    ]
    unit = units.pop() if len(units) == 1 else ""
    raw.layout = replace(raw.layout, channels=("value",), units=(unit,))
    return raw
