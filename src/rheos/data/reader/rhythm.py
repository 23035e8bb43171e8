"""The step of a time axis, inferred from stamps in order of time.

A step is a fixed span, or a calendar rule: business days, weeks, months, quarters, years. An axis is
regular where every stamp falls on the grid that the step spans from the first stamp.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from pandas.tseries.frequencies import to_offset

from rheos.data.reader.problem import SourceError

_DAY = 86_400 * 10**9
_OLD_LETTERS = {
    "H": "h",
    "T": "min",
    "S": "s",
    "L": "ms",
    "M": "ME",
    "Q": "QE",
    "A": "YE",
    "Y": "YE",
    "BM": "BME",
}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_USUAL_SECONDS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86400 * days for days in (1, 2, 4, 7, 14, 28, 56, 112, 224, 448)),
)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The step of an axis.

    Attributes:
        frequency: pandas frequency, or None for frame numbers.
        step: between frame numbers (1 for an axis of stamps).
        months: frames are months or multiples; stamps inside a month are moved to where it starts or ends.
    """

    frequency: str | None
    step: float = 1.0
    months: bool = False


def normal(frequency: str, origin: str) -> str:
    """A frequency as pandas writes it today ("H" becomes "h").

    Raises:
        SourceError: it is not one.
    """
    head = frequency.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
    letters = frequency[len(head) :]
    base, dash, anchor = letters.partition("-")
    try:
        offset = to_offset(f"{head}{_OLD_LETTERS.get(base, base)}{dash}{anchor}")
        return word(offset.nanos) if isinstance(offset, pd.offsets.Tick) else str(offset.freqstr)
    except (ValueError, AttributeError, TypeError):
        raise SourceError(
            f"{frequency!r} is not a frequency ({origin})", advice="write one such as 30min, h, D, B, W, MS"
        ) from None


def by_months(frequency: str) -> bool:
    """Whether the frequency counts months, quarters or years."""
    rule = frequency.lstrip("0123456789").split("-")[0]
    return rule in ("MS", "ME", "QS", "QE", "YS", "YE")


def infer(stamps: pd.Index) -> Rhythm | None:
    """The step of distinct stamps in order, None where no step fits all of them.

    Args:
        stamps: `(frames,)`, at least two, increasing.
    """
    if not isinstance(stamps, pd.DatetimeIndex | xr.CFTimeIndex):
        return _of_numbers(np.asarray(stamps, np.float64))
    ticks = nanoseconds(stamps)
    deltas = np.diff(ticks)
    monthly = _calendar(stamps, deltas)
    if monthly is not None:
        return monthly
    if isinstance(stamps, pd.DatetimeIndex) and _business(stamps, deltas):
        return Rhythm("B")
    step = _common_step(deltas)
    if step is None:
        return None
    if step == 7 * _DAY and isinstance(stamps, pd.DatetimeIndex):
        return Rhythm(f"W-{stamps[0].day_name()[:3].upper()}")
    return Rhythm(word(step))


def nanoseconds(stamps: pd.Index) -> np.ndarray:
    """Nanoseconds since the first stamp, `(frames,)` int64."""
    if isinstance(stamps, pd.DatetimeIndex):
        spans = np.asarray(stamps) - np.asarray(stamps)[0]
        return np.asarray(spans.astype("timedelta64[us]").astype(np.int64) * 1000)
    first = stamps[0]
    spans = np.array([(stamp - first).total_seconds() for stamp in stamps])
    return np.asarray(np.round(spans * 1e6).astype(np.int64) * 1000)


def word(step: int) -> str:
    """Pandas writes a day as 24 hours, which has another calendar."""
    if step % _DAY == 0:
        return "D" if step == _DAY else f"{step // _DAY}D"
    return str(to_offset(pd.Timedelta(step, "ns")).freqstr)


def _of_numbers(numbers: np.ndarray) -> Rhythm | None:
    deltas = np.diff(numbers)
    step = (
        float(np.median(deltas)) if (deltas != np.round(deltas)).any() else float(_common_step(deltas) or 0)
    )
    count = deltas / step if step else np.full(len(deltas), np.nan)
    off = ~(np.abs(count - np.round(count)) < 1e-3)
    return None if off.any() else Rhythm(None, step)


def _common_step(deltas: np.ndarray) -> int | None:
    whole = deltas.astype(np.int64)
    steps, counts = np.unique(whole, return_counts=True)
    usual = int(steps[np.argmax(counts)])
    if (whole % usual == 0).all():
        return usual
    shared = int(np.gcd.reduce(whole))
    return shared if whole.sum() / shared <= 2 * (len(whole) + 1) else None


def _business(stamps: pd.DatetimeIndex, deltas: np.ndarray) -> bool:
    whole_days = (deltas % _DAY == 0).all()
    weekend_passed = bool((np.diff(stamps.day_of_week) < 0).any())
    return bool(whole_days and (deltas == _DAY).any() and weekend_passed and (stamps.day_of_week < 5).all())


def _calendar(stamps: pd.DatetimeIndex | xr.CFTimeIndex, deltas: np.ndarray) -> Rhythm | None:
    if len(deltas) == 0 or deltas.min() < 27.5 * _DAY:
        return None
    month = np.asarray(stamps.year) * 12 + np.asarray(stamps.month) - 1
    between = np.diff(month)
    if (between == 0).any() or (deltas[between == 1].size and deltas[between == 1].max() > 31.5 * _DAY):
        return None
    several = int(np.gcd.reduce(between))
    fixed_days = len(np.unique(deltas)) == 1 and len(np.unique(stamps.day)) > 1 and deltas[0] % _DAY == 0
    if fixed_days and several == 1 and len(deltas) < 24:
        return None
    last_day = np.asarray(stamps.day) == np.asarray(stamps.days_in_month)
    place = "E" if last_day.all() else "S"
    anchor = _MONTHS[int(month[0] % 12)]
    if several % 12 == 0:
        count = "" if several == 12 else str(several // 12)
        return Rhythm(f"{count}Y{place}-{anchor}", months=True)
    if several == 3:
        start = _MONTHS[int(month[0] % 3)] if place == "S" else _MONTHS[int(month[0] % 3) + 9]
        return Rhythm(f"Q{place}-{start}", months=True)
    return Rhythm(f"{'' if several == 1 else several}M{place}", months=True)


def break_of(stamps: pd.Index) -> str:
    """Where irregular stamps first leave their usual step, in words."""
    numbers = not isinstance(stamps, pd.DatetimeIndex | xr.CFTimeIndex)
    deltas = np.diff(np.asarray(stamps, np.float64) if numbers else nanoseconds(stamps))
    steps, counts = np.unique(deltas, return_counts=True)
    usual = steps[np.argmax(counts)] if counts.max() > 1 else np.median(deltas)
    at = int(np.flatnonzero(np.abs(deltas / usual - np.round(deltas / usual)) > 1e-9)[0])
    shown = f"{usual:g}" if numbers else str(pd.Timedelta(int(usual), "ns"))
    return f"after {stamps[at]} comes {stamps[at + 1]}, where the usual step is {shown}"


def usual_steps(ticks: np.ndarray, numbers: bool) -> list[float]:
    """Steps that are used for axes: of seconds in nanoseconds, of numbers 1, 2 and 5 times powers of ten."""
    if not numbers:
        return [1e9 * seconds for seconds in _USUAL_SECONDS]
    low, high = np.log10([np.diff(ticks).min(), ticks[-1] - ticks[0]])
    powers = 10.0 ** np.arange(np.floor(low), np.ceil(high) + 1)
    return [float(f * power) for power in powers for f in (1, 2, 5)]
