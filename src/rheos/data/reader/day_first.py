"""Stamps such as 03.04.2022 or 3/4/2022 12:00: which number is the day, told by all of them together.

Where only one order reads every row, that is it. Where both do, dots mean that the day comes first, and else
the order by which the rows follow each other evenly is taken. What is even both ways is not guessed.
"""

import re
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from rheos.data.reader.problem import SourceError

_DAY = re.compile(r"\d{1,2}(?P<mark>[/.-])\d{1,2}(?P=mark)(?P<year>\d{4}|(?<=\.)\d{2})")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?P<seconds>:\d{2}(?P<part>\.\d+)?)?")
_EVENER = 2.0  # times as full an axis


class _Written(NamedTuple):
    """How dates of numbers are written.

    Attributes:
        days: the different days, without times.
        orders: the format of a day, day first and month first.
        time: the format of what follows it.
    """

    days: pd.Series
    orders: tuple[str, str]
    time: str

    @classmethod
    def of(cls, text: pd.Series) -> Self | None:
        """None where words are anything else, or not all written alike."""
        days: dict[str, None] = {}
        ends: dict[tuple[str, str], None] = {}
        for word in text:
            day, between, clock = word.partition("T" if "T" in word else " ")
            if not days and not _DAY.fullmatch(day):
                return None
            days[day] = ends[between, clock] = None
        found = [_DAY.fullmatch(day) for day in days]
        shapes = {(match["mark"], len(match["year"])) for match in found if match}
        times = {_format(between, clock) for between, clock in ends}
        time = times.pop()
        if not all(found) or len(shapes) != 1 or times or time is None:
            return None
        mark, digits = shapes.pop()
        year = "%Y" if digits == 4 else "%y"
        return cls(pd.Series(list(days)), (f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"), time)

    def read(self) -> dict[str, pd.Series]:
        """The days by the format that they are read with, NaT where that is not theirs."""
        return {form: pd.to_datetime(self.days, format=form, errors="coerce") for form in self.orders}


def _format(between: str, clock: str) -> str | None:
    """The strptime format of the time of day that follows a date; None where it is none."""
    match = _CLOCK.fullmatch(clock)
    if match is None:
        return None if between else ""
    return f"{between}%H:%M{':%S' if match['seconds'] else ''}{'.%f' if match['part'] else ''}"


def dates_of_numbers(text: pd.Series) -> bool | None:
    """Whether most of some words are dates; None where they are not in numbers with the year last."""
    written = _Written.of(text)
    if written is None:
        return None
    share = max(days.notna().mean() for days in written.read().values())
    # 18.01.30 may be a time of day: then others are no dates.
    return bool(share == 1.0 if "%y" in written.orders[0] else share > 0.5)


def order_of(text: pd.Series, name: str, origin: str, notes: list[str]) -> str | None:
    """The strptime format of such dates; None where there are others.

    Args:
        text: the words of a time column.
        name: of the column.
        origin: the source, for messages.
        notes: receives which order it is.

    Raises:
        SourceError: either number may be the day.
    """
    written = _Written.of(text)
    if written is None:
        return None
    read = written.read()
    share = {form: days.notna().mean() for form, days in read.items()}
    day_first, month_first = written.orders
    if share[day_first] != share[month_first]:
        order = max(written.orders, key=lambda form: share[form])
    elif share[day_first] < 1 or read[day_first].equals(read[month_first]) or "." in day_first:
        order = day_first
    else:
        order = _evener(read, written.time, text.iloc[0], name, origin)
    first = "day" if order == day_first else "month"
    notes.append(
        f"stamps such as {text.iloc[0]!r} in {name!r} were read {first} first ({order}{written.time})"
    )
    return order + written.time


def _evener(read: dict[str, pd.Series], time: str, example: str, name: str, origin: str) -> str:
    full = {form: _fullness(days) for form, days in read.items()}
    day_first, month_first = full
    for form, other in ((day_first, month_first), (month_first, day_first)):
        if full[form] >= _EVENER * full[other]:
            return form
    raise SourceError(
        f"{origin!r} has stamps such as {example!r} in {name!r}, which may begin with the day or with "
        "the month",
        {"time_format": day_first + time},
        f"give data.time_format='{day_first}{time}' if the day comes first, else '{month_first}{time}'",
    )


def _fullness(days: pd.Series) -> float:
    """Which share of an axis with their shortest step days fill, about."""
    steps = np.diff(np.unique(days.to_numpy()).astype("datetime64[us]").astype(np.int64))
    return 1.0 if len(steps) == 0 else float(steps.min() * len(steps) / steps.sum())
