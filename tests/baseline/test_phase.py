"""Frames are numbered alike wherever a recording starts."""

import pandas as pd
import pytest
import xarray as xr

from rheos.baseline.phase import first_number


@pytest.mark.parametrize("frequency", ["30min", "h", "2h", "D", "B", "W-SUN", "MS", "ME", "QS", "YS"])
def test_numbers_grow_by_one_a_frame(frequency):
    stamps = pd.date_range("2019-12-20", periods=40, freq=frequency)
    numbers = [first_number(stamps[i:], frequency) for i in range(40)]
    assert numbers == list(range(numbers[0], numbers[0] + 40))


@pytest.mark.parametrize("frequency", ["D", "MS", "YS", "6h"])
def test_other_calendars_count_too(frequency):
    stamps = xr.date_range("1860-01-01", periods=20, freq=frequency, calendar="360_day", use_cftime=True)
    numbers = [first_number(stamps[i:], frequency) for i in range(20)]
    assert numbers == list(range(numbers[0], numbers[0] + 20))


def test_time_zones_and_frame_numbers():
    stamps = pd.date_range("2020-03-28", periods=90, freq="h", tz="Europe/Berlin")
    numbers = [first_number(stamps[i:], "h") for i in range(90)]
    assert numbers == list(range(numbers[0], numbers[0] + 90))
    assert first_number(pd.RangeIndex(7, 12), None) == 7
    assert first_number(pd.DatetimeIndex(["2020-01-01"]), None) == 0
