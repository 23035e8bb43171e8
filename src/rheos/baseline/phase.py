"""Where in its season a frame lies: frames are numbered by their stamps, so that the phase survives a cut."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

_MONTHS = {
    pd.offsets.MonthBegin: 1,
    pd.offsets.MonthEnd: 1,
    pd.offsets.QuarterBegin: 3,
    pd.offsets.QuarterEnd: 3,
    pd.offsets.YearBegin: 12,
    pd.offsets.YearEnd: 12,
}


def first_number(stamps: pd.Index, frequency: str | None) -> int:
    """Number of the first frame on an axis that all recordings of one frequency share.

    Args:
        stamps: of the recording, regular: a DatetimeIndex, a CFTimeIndex or frame numbers.
        frequency: pandas frequency of the frames, or None for frame numbers.

    Returns:
        An integer that grows by one a frame; 0 for stamps without a frequency.
    """
    first: Any = stamps[0] if len(stamps) else 0
    if isinstance(first, int | np.integer):
        return int(first)
    if frequency is None:
        return 0
    offset = to_offset(frequency)
    months = _MONTHS.get(type(offset), 0) * offset.n
    if months:
        return int((first.year * 12 + first.month - 1) // months)
    if isinstance(offset, pd.offsets.BusinessDay):
        return int(np.busday_count("1970-01-01", first.date()))
    base = pd.Timestamp(0)
    step = (base + offset + offset) - (base + offset)
    if isinstance(first, pd.Timestamp):
        return int(((first.tz_convert(None) if first.tz else first) - base) // step)
    return int(
        (first - first.replace(year=1970, month=1, day=1, hour=0, minute=0, second=0))
        // step.to_pytimedelta()
    )
