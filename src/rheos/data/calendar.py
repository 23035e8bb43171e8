"""Calendar features of a time axis: sin(2 pi h phase), cos(2 pi h phase) of its natural cycles.

The cycles are the day, the week and the year as far as the frequency resolves them, or the data's
seasonal periods where the axis holds frame numbers; days also get a weekend indicator.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

_DAY = 86400.0
_WEEK = 7 * _DAY
_YEAR = 365.25 * _DAY
HARMONICS: Mapping[str, int] = {"day": 4, "week": 3, "year": 3}
"""Harmonics of each cycle where the data span it many times."""
_MANY_FRAMES = 100  # of a cycle


@dataclass(frozen=True, slots=True)
class _Cycle:
    """One cycle: its name, how many harmonics, and its length in frames for frame-number axes."""

    name: str
    harmonics: int
    frames: int = 0


def step_seconds(frequency: str) -> float:
    """Mean length of one frame in seconds of a pandas frequency such as "30min" or "MS"."""
    offset = pd.tseries.frequencies.to_offset(frequency)
    start = pd.Timestamp("2001-01-01")
    many = 48
    return float((start + many * offset - start).total_seconds()) / many


def harmonics_for(seconds: float, step: float) -> dict[str, int]:
    """Harmonics of each cycle that a span of data can teach: none of a cycle it holds less than four times.

    One harmonic up to ten cycles of many frames: with few years more would tell their single days apart,
    and what happened on them would be learned by heart. Months or weeks are too few a year for that.

    Args:
        seconds: length of the span.
        step: length of a frame in seconds.
    """
    found = {}
    for name, length in {"day": _DAY, "week": _WEEK, "year": _YEAR}.items():
        turns, fine = seconds / length, length / step > _MANY_FRAMES
        found[name] = 0 if turns < 4 else 1 if turns < 10 and fine else HARMONICS[name]
    return found


def _cycles(frequency: str | None, periods: tuple[int, ...], harmonics: Mapping[str, int]) -> list[_Cycle]:
    if frequency is None:
        return [_Cycle(f"period{p}", min(4, p // 2), p) for p in periods if p > 1]
    step = step_seconds(frequency)
    lengths = {"day": _DAY, "week": _WEEK, "year": _YEAR}
    found = []
    for name, length in lengths.items():
        # A harmonic at or above half the sampling rate is an alias of a lower one.
        resolved = int(np.ceil(length / (2 * step))) - 1
        wanted = min(harmonics.get(name, 0), resolved)
        if (name == "week" and step > 1.5 * _DAY) or wanted < 1:
            continue
        found.append(_Cycle(name, wanted))
    return found


def _weekend(frequency: str | None) -> bool:
    return frequency is not None and step_seconds(frequency) <= _DAY


def names(
    frequency: str | None, periods: tuple[int, ...] = (), harmonics: Mapping[str, int] = HARMONICS
) -> tuple[str, ...]:
    """Names of the features, in the order of their columns: "day_sin1", "day_cos1", ..., "weekend"."""
    columns = [
        f"{cycle.name}_{wave}{h}"
        for cycle in _cycles(frequency, periods, harmonics)
        for h in range(1, cycle.harmonics + 1)
        for wave in ("sin", "cos")
    ]
    return (*columns, "weekend") if _weekend(frequency) else tuple(columns)


def shortest_cycle(
    frequency: str | None, periods: tuple[int, ...] = (), harmonics: Mapping[str, int] = HARMONICS
) -> tuple[str, int] | None:
    """Name of the first cycle among the features, and how many frames it has; None where there is none."""
    cycles = _cycles(frequency, periods, harmonics)
    if not cycles:
        return None
    name = cycles[0].name
    if frequency is None:
        return name, cycles[0].frames
    # Business days are longer than a day on average, and still lie on days of the week.
    step = _DAY if name == "week" else step_seconds(frequency)
    return name, round({"day": _DAY, "week": _WEEK, "year": _YEAR}[name] / step)


def _year_days(stamps: pd.Index) -> float:
    return 360.0 if getattr(stamps, "calendar", "") == "360_day" else 365.25


def _field(stamps: pd.Index, name: str) -> np.ndarray:
    """A calendar field by pandas' name; model calendars (CFTimeIndex) write it without underscores."""
    own = name if isinstance(stamps, pd.DatetimeIndex) else name.replace("_", "")
    return np.asarray(getattr(stamps, own), np.float64)


def _phase(stamps: pd.Index, cycle: _Cycle) -> np.ndarray:
    """Position inside the cycle, in turns, `(frames,)` float64."""
    if cycle.frames:
        return np.asarray(stamps, np.float64) / cycle.frames
    day = (_field(stamps, "hour") + _field(stamps, "minute") / 60 + _field(stamps, "second") / 3600) / 24
    if cycle.name == "day":
        return day
    if cycle.name == "week":
        return (_field(stamps, "day_of_week") + day) / 7
    return (_field(stamps, "day_of_year") - 1 + day) / _year_days(stamps)


def features(
    stamps: pd.Index,
    frequency: str | None,
    periods: tuple[int, ...] = (),
    harmonics: Mapping[str, int] = HARMONICS,
) -> np.ndarray:
    """Bounded calendar features of every frame.

    Args:
        stamps: `(frames,)` DatetimeIndex (UTC without zone), CFTimeIndex, or integers (frame numbers).
        frequency: pandas frequency, or None for frame numbers.
        periods: seasonal periods in frames; used for frame numbers only.
        harmonics: how many of the "day", the "week" and the "year".

    Returns:
        float32 `(frames, k)` inside [-1, 1]; columns are named by :func:`names`; k may be 0.
    """
    columns: list[np.ndarray] = []
    for cycle in _cycles(frequency, periods, harmonics):
        turn = 2 * np.pi * _phase(stamps, cycle)
        for h in range(1, cycle.harmonics + 1):
            columns += [np.sin(h * turn), np.cos(h * turn)]
    if _weekend(frequency):
        columns.append(_field(stamps, "day_of_week") >= 5)
    if not columns:
        return np.zeros((len(stamps), 0), np.float32)
    return np.stack(columns, axis=1).astype(np.float32)


def _step(stamps: pd.Index) -> int:
    if isinstance(stamps, pd.RangeIndex):
        return int(stamps.step)
    return int(stamps[1] - stamps[0]) if len(stamps) > 1 else 1


def extend(stamps: pd.Index, frequency: str | None, n: int) -> pd.Index:
    """The n stamps that follow an axis; for negative n the -n stamps that come before it.

    Args:
        stamps: a non-empty DatetimeIndex, CFTimeIndex, or integers.
        frequency: pandas frequency, or None for frame numbers.
        n: how many frames, forward or (negative) backward.

    Returns:
        Only the new stamps, oldest first, of the axis' own type.
    """
    count = abs(n)
    if frequency is None:
        step = _step(stamps)
        edge = int(stamps[-1]) + step if n >= 0 else int(stamps[0]) - count * step
        return pd.RangeIndex(edge, edge + count * step, step)
    if count == 0:
        return stamps[:0]
    if isinstance(stamps, pd.DatetimeIndex):
        if n > 0:
            ahead = pd.date_range(start=stamps[-1], periods=count + 1, freq=frequency)
            return ahead[1:] if ahead[0] == stamps[-1] else ahead[:count]
        behind = pd.date_range(end=stamps[0], periods=count + 1, freq=frequency)
        return behind[:-1] if behind[-1] == stamps[0] else behind[1:]
    return _extend_cftime(stamps, frequency, n)


def _extend_cftime(stamps: pd.Index, frequency: str, n: int) -> pd.Index:
    # xarray is slow to import and needed for model calendars only.
    import xarray as xr

    count = abs(n)
    if n > 0:
        axis = xr.date_range(start=stamps[-1], periods=count + 1, freq=frequency, use_cftime=True)
        return axis[1:] if axis[0] == stamps[-1] else axis[:count]
    axis = xr.date_range(end=stamps[0], periods=count + 1, freq=frequency, use_cftime=True)
    return axis[:-1] if axis[-1] == stamps[0] else axis[1:]


def through(stamps: pd.Index, frequency: str | None, frames: int) -> pd.Index:
    """An axis cut or continued to a number of frames."""
    missing = frames - len(stamps)
    return joined(stamps, extend(stamps, frequency, missing)) if missing > 0 else stamps[:frames]


def joined(earlier: pd.Index, later: pd.Index) -> pd.Index:
    """Two runs of stamps as one axis of their own type."""
    whole = earlier.append(later)
    if not hasattr(earlier, "calendar"):
        return whole
    # xarray is slow to import and needed for model calendars only, whose axes forget their type.
    import xarray as xr

    return xr.CFTimeIndex(whole)
