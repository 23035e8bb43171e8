"""Stamps such as 03.04.2022 or 3/4/2022 12:00: which number is the day, told by all of them together.

Where only one order reads every row, that is it. Where both do, dots mean that the day comes first, and else
the order by which the rows follow each other evenly is taken. What is even both ways is not guessed.
"""

import re

import numpy as np
import pandas as pd

from rheos.data.reader.problem import SourceError

_DATE = re.compile(
    r"\d{1,2}(?P<mark>[/.-])\d{1,2}(?P=mark)(?P<year>\d{4}|(?<=\.)\d{2})"
    r"(?:(?P<between>[ T])\d{1,2}:\d{2}(?P<seconds>:\d{2}(?P<part>\.\d+)?)?)?"
)
_EVENER = 2.0  # times as full an axis


def dates_of_numbers(text: pd.Series) -> bool | None:
    """Whether most of some words are dates; None where they are not in numbers with the year last."""
    orders = _orders(text)
    if orders is None:
        return None
    share = max(_read(text, form).notna().mean() for form in orders)
    # 18.01.30 may be a time of day: then others are no dates.
    return bool(share == 1.0 if "%y" in orders[0] else share > 0.5)


def order_of(text: pd.Series, name: str, origin: str, notes: list[str]) -> str | None:
    """The strptime format of such dates; None where there are others.

    Args:
        text: the words of a time column.
        name: of the column.
        origin: the source, for messages.
        notes: receives which order it is, where that had to be found out.

    Raises:
        SourceError: either number may be the day.
    """
    orders = _orders(text)
    if orders is None:
        return None
    read = {form: _read(text, form) for form in orders}
    share = {form: stamps.notna().mean() for form, stamps in read.items()}
    day_first, month_first = orders
    if share[day_first] != share[month_first]:
        form = max(orders, key=lambda order: share[order])
    elif share[day_first] < 1 or read[day_first].equals(read[month_first]) or "." in day_first[:3]:
        form = day_first
    else:
        form = _evener(read, text.iloc[0], name, origin)
    first = "day" if form == day_first else "month"
    notes.append(f"stamps such as {text.iloc[0]!r} in {name!r} were read {first} first ({form})")
    return form


def _evener(read: dict[str, pd.Series], example: str, name: str, origin: str) -> str:
    full = {form: _fullness(stamps) for form, stamps in read.items()}
    day_first, month_first = full
    for form, other in ((day_first, month_first), (month_first, day_first)):
        if full[form] >= _EVENER * full[other]:
            return form
    raise SourceError(
        f"{origin!r} has stamps such as {example!r} in {name!r}, which may begin with the day or with "
        "the month",
        {"time_format": day_first},
        f"give data.time_format='{day_first}' if the day comes first, else '{month_first}'",
    )


def _fullness(stamps: pd.Series) -> float:
    """Which share of an axis with their shortest step stamps fill, about."""
    steps = np.diff(np.unique(stamps.to_numpy()).astype("datetime64[us]").astype(np.int64))
    return 1.0 if len(steps) == 0 else float(steps.min() * len(steps) / steps.sum())


def _read(text: pd.Series, form: str) -> pd.Series:
    return pd.to_datetime(text, format=form, errors="coerce")


def _orders(text: pd.Series) -> tuple[str, str] | None:
    """The formats of words that are all written alike, day first and month first."""
    shapes = set()
    for word in text:
        match = _DATE.fullmatch(word)
        if match is None:
            return None
        parts = match.groupdict()
        shapes.add(
            (parts["mark"], len(parts["year"]), parts["between"], bool(parts["seconds"]), bool(parts["part"]))
        )
    if len(shapes) != 1:
        return None
    mark, digits, between, seconds, part = shapes.pop()
    year = "%Y" if digits == 4 else "%y"
    time = f"{between}%H:%M{':%S' * seconds}{'.%f' * part}" if between else ""
    return f"%d{mark}%m{mark}{year}{time}", f"%m{mark}%d{mark}{year}{time}"
