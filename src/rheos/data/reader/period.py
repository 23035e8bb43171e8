"""Seasonal periods in frames that follow from a step: the day and the week, the year, the business week."""

import pandas as pd
from pandas.tseries.frequencies import to_offset

_YEAR = {"MS": 12, "ME": 12, "QS": 4, "QE": 4, "W": 52}
_DAYS_A_YEAR = {"360_day": 360, "noleap": 365, "365_day": 365, "all_leap": 366, "366_day": 366}
_DAY = pd.Timedelta(days=1)


def periods(frequency: str | None, frames: int, calendar: str = "standard") -> tuple[int, ...]:
    """Periods of which the recording holds at least two full cycles, shortest first.

    Args:
        frequency: pandas frequency of the frames, or None for frame numbers.
        frames: length of the longest recording.
        calendar: CF calendar of the stamps.
    """
    return tuple(period for period in _candidates(frequency, calendar) if 2 * period <= frames)


def _candidates(frequency: str | None, calendar: str) -> tuple[int, ...]:
    if frequency is None:
        return ()
    rule = frequency.lstrip("0123456789.")
    count = int(frequency[: -len(rule)] or 1)
    word = rule.split("-")[0]
    if word == "B":
        return (5,) if count == 1 else ()
    if word == "D":
        year = _DAYS_A_YEAR.get(calendar, 365)
        return tuple(span // count for span in (7, year) if span % count == 0 and span // count > 1)
    if word in _YEAR:
        return (_YEAR[word] // count,) if _YEAR[word] % count == 0 and _YEAR[word] > count else ()
    if word in ("YS", "YE"):
        return ()
    step = pd.Timedelta(to_offset(frequency).nanos, "ns")
    spans = (_DAY, 7 * _DAY)
    return tuple(int(span / step) for span in spans if span % step == pd.Timedelta(0) and span > step)
