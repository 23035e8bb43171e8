"""Calendar: phases at known dates, bounded features, axes continued in both directions."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rheos.data import calendar


def column(stamps, frequency, name, periods=()):
    return calendar.features(stamps, frequency, periods)[:, calendar.names(frequency, periods).index(name)]


def test_phases_at_known_stamps():
    """2020-01-06 is a Monday; noon is half a day; Wednesday noon is 2.5 of 7 days."""
    stamps = pd.DatetimeIndex(
        ["2020-01-06 00:00", "2020-01-06 06:00", "2020-01-08 12:00", "2020-01-11 00:00"]
    )
    assert column(stamps, "h", "day_sin1") == pytest.approx([0, 1, 0, 0], abs=1e-6)
    assert column(stamps, "h", "day_cos1") == pytest.approx([1, 0, -1, 1], abs=1e-6)
    assert column(stamps, "h", "day_cos2") == pytest.approx([1, -1, 1, 1], abs=1e-6)
    week = 2 * np.pi * np.array([0, 0.25, 2.5, 5]) / 7
    assert column(stamps, "h", "week_sin1") == pytest.approx(np.sin(week), abs=1e-6)
    assert column(stamps, "h", "weekend") == pytest.approx([0, 0, 0, 1])
    year = 2 * np.pi * np.array([5, 5.25, 7.5, 10]) / 365.25
    assert column(stamps, "h", "year_sin1") == pytest.approx(np.sin(year), abs=1e-6)


def test_frame_numbers_turn_once_a_period():
    stamps = pd.RangeIndex(100, 140)
    assert calendar.names(None, (10,))[:2] == ("period10_sin1", "period10_cos1")
    assert column(stamps, None, "period10_cos2", (10,)) == pytest.approx(
        np.cos(4 * np.pi * np.arange(100, 140) / 10), abs=1e-6
    )
    assert calendar.features(stamps, None).shape == (40, 0)


@pytest.mark.parametrize("frequency", ["s", "5min", "30min", "h", "6h", "D", "B", "W", "MS", "QS", "YS"])
def test_features_are_bounded_and_named_at_every_frequency(frequency):
    stamps = pd.date_range("2019-12-01", periods=200, freq=frequency)
    values = calendar.features(stamps, frequency)
    assert values.shape == (200, len(calendar.names(frequency)))
    assert np.isfinite(values).all()
    assert np.abs(values).max(initial=0) <= 1


def test_no_harmonic_beyond_half_the_sampling_rate():
    assert "week_sin1" not in calendar.names("W")
    assert "day_sin2" not in calendar.names("6h")
    assert calendar.names("MS")[-1] == "year_cos3"
    assert calendar.names("YS") == ()


def test_a_model_calendar_has_its_own_year():
    stamps = xr.date_range("2001-01-01", periods=24, freq="MS", calendar="360_day", use_cftime=True)
    expected = np.sin(2 * np.pi * np.arange(24) / 12)
    assert column(stamps, "MS", "year_sin1") == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("frequency", ["30min", "h", "D", "B", "MS", "QS", "YS"])
def test_axes_go_on_as_if_cut(frequency):
    whole = pd.date_range("2020-01-01", periods=30, freq=frequency)
    middle = whole[10:20]
    assert list(calendar.extend(middle, frequency, 10)) == list(whole[20:])
    assert list(calendar.extend(middle, frequency, -10)) == list(whole[:10])
    assert len(calendar.extend(middle, frequency, 0)) == 0


def test_model_calendars_and_frame_numbers_go_on():
    whole = xr.date_range("2001-01-30", periods=30, freq="D", calendar="360_day", use_cftime=True)
    assert list(calendar.extend(whole[10:20], "D", 10)) == list(whole[20:])
    assert list(calendar.extend(whole[10:20], "D", -10)) == list(whole[:10])
    numbers = pd.RangeIndex(0, 60, 2)
    assert list(calendar.extend(numbers[10:20], None, 3)) == [40, 42, 44]
    assert list(calendar.extend(numbers[10:20], None, -2)) == [16, 18]


def test_a_cycle_needs_to_be_seen_more_than_once():
    day = 86400.0
    assert calendar.harmonics_for(180 * day, 1800) == {"day": 4, "week": 3, "year": 0}
    assert calendar.harmonics_for(3 * 365.25 * day, 1800)["year"] == 0
    assert calendar.harmonics_for(8 * 365.25 * day, 1800) == {"day": 4, "week": 3, "year": 1}
    assert calendar.harmonics_for(61 * 365.25 * day, 1800)["year"] == 3
    assert "year_sin1" not in calendar.names("h", (), {"day": 2, "week": 1, "year": 0})
    assert "day_sin3" not in calendar.names("h", (), {"day": 2, "week": 1, "year": 0})


def test_a_year_of_months_cannot_be_learned_by_heart():
    month = 30.4 * 86400.0
    assert calendar.harmonics_for(92 * month, month)["year"] == 3
    assert calendar.harmonics_for(30 * month, month)["year"] == 0
