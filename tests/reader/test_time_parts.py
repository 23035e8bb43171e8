"""Stamps in several columns: found where they are, named where they are not, never taken for sequences."""

import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.inspect import inspect
from rheos.data.options import DataOptions
from rheos.data.reader import read
from rheos.data.reader.some import read_some

HOURS = pd.date_range("2006-12-16 17:00", periods=100, freq="h")
MONTHS = pd.date_range("1949-01-01", periods=36, freq="MS")


def values(stamps):
    return 0.5 * np.arange(len(stamps)) ** 2


def day_and_clock(date="%d/%m/%Y", clock="%H:%M:%S", stamps=HOURS):
    return pd.DataFrame({"Date": stamps.strftime(date), "Time": stamps.strftime(clock), "v": values(stamps)})


def units(stamps, *names):
    return pd.DataFrame({**{name: getattr(stamps, name.lower()) for name in names}, "v": values(stamps)})


def same(table, stamps, options=None):
    dataset = read(table, options)
    assert len(dataset.recordings) == 1
    assert dataset.layout.channels == ("v",)
    np.testing.assert_array_equal(dataset.recordings[0].stamps, stamps)
    np.testing.assert_allclose(dataset.recordings[0].values[:, 0], values(stamps))


@pytest.mark.parametrize("date", ["%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d.%m.%y"])
@pytest.mark.parametrize("clock", ["%H:%M", "%H:%M:%S", "%H.%M.%S", "%H:%M:%S.%f"])
def test_dates_and_times_of_day(date, clock):
    stamps = pd.date_range("2006-12-16 17:00", periods=100, freq="3661s" if "%S" in clock else "61min")
    table = day_and_clock(date, clock, stamps)
    same(table, stamps)
    same(table[["Time", "v", "Date"]], stamps)


def test_a_day_may_be_counted_in_hours_up_to_24():
    table = pd.DataFrame({"Date": (HOURS - pd.Timedelta("1h")).strftime("%Y-%m-%d"), "v": values(HOURS)})
    table["Hour"] = (HOURS - pd.Timedelta("1h")).hour + 1
    assert table["Hour"].max() == 24
    same(table, HOURS)


def test_cells_of_a_workbook(tmp_path):
    table = pd.DataFrame({"Date": HOURS.normalize(), "Time": HOURS.time, "v": values(HOURS)})
    table.to_excel(tmp_path / "v.xlsx", index=False)
    same(tmp_path / "v.xlsx", HOURS)


@pytest.mark.parametrize("names", [("year", "month"), ("Year", "Month"), ("YEAR", "MONTH", "DAY")])
def test_numbers_from_the_year_on(names):
    same(units(MONTHS, *names), MONTHS)


def test_numbers_down_to_the_hour_beside_a_row_number():
    table = units(HOURS, "year", "month", "day", "hour")
    table.insert(0, "No", np.arange(1, 101))
    same(table, HOURS, {"roles": {"No": "ignore"}})


def test_other_names_are_told():
    table = units(HOURS, "year", "month", "day", "hour").set_axis(["YY", "MM", "DD", "HH", "v"], axis=1)
    same(table, HOURS, {"time_parts": ["YY", "MM", "DD", "HH"]})
    whole = pd.DataFrame({"on": HOURS.strftime("%Y%m%d").astype(int), "at": HOURS.hour, "v": values(HOURS)})
    same(whole.assign(at=HOURS.strftime("%H:%M")), HOURS, {"time_parts": ["on", "at"]})


def test_a_zone_is_of_the_whole_stamp():
    # On 4 November 2018 the clocks of Brazil went from midnight to one: that day has no midnight.
    there = HOURS + (pd.Timestamp("2018-11-02") - HOURS[0])
    local = there.tz_localize("UTC").tz_convert("America/Sao_Paulo").tz_localize(None)
    table = day_and_clock("%Y-%m-%d", stamps=local)
    same(table, there, {"timezone": "America/Sao_Paulo"})


def test_sequences_keep_their_own_rows():
    table = pd.concat([day_and_clock().assign(unique_id=name).rename(columns={"v": "y"}) for name in "ab"])
    dataset = read(table)
    assert [recording.name for recording in dataset.recordings] == ["a", "b"]
    for recording in dataset.recordings:
        np.testing.assert_array_equal(recording.stamps, HOURS)


@pytest.mark.parametrize(
    "table",
    [
        day_and_clock(stamps=pd.date_range("2006-12-01 07:30", periods=60)).rename(
            columns={"Time": "sunrise"}
        ),
        units(HOURS, "year", "month").assign(timestamp=HOURS.as_unit("s").asi8),
        units(HOURS, "year", "month").assign(when=HOURS.strftime("%Y-%m-%d %H:%M")),
    ],
    ids=["a clock beside days", "parts beside stamps", "parts beside words"],
)
def test_whole_stamps_stay_what_they_are(table):
    stamps = read(table, {"roles": {"v": "target"}}).recordings[0].stamps
    at = {"Date": "%d/%m/%Y"}.get(table.columns[0])
    expected = pd.to_datetime(table["Date"], format=at) if at else HOURS
    np.testing.assert_array_equal(stamps, expected)


def test_a_clock_beside_stamps_of_several_sequences():
    one = pd.DataFrame({"ds": HOURS.strftime("%Y-%m-%d %H:%M"), "peak": "18:30", "y": values(HOURS)})
    dataset = read(pd.concat([one.assign(unique_id=name) for name in "ab"]))
    np.testing.assert_array_equal(dataset.recordings[0].stamps, HOURS)


def test_it_is_told_and_nothing_else_has_to_be():
    found = inspect(units(HOURS, "year", "month", "day", "hour"))
    assert "stamps were put together from 'year' and 'month' and 'day' and 'hour'" in found.notes
    assert found.options == ""


def test_known_values_may_be_of_one_day():
    layout = read(day_and_clock()).layout
    day = day_and_clock(stamps=HOURS[-1:])
    some = read_some(day, layout, DataOptions())
    np.testing.assert_array_equal(next(iter(some.values())).stamps, HOURS[-1:])
    asked = DataOptions(time_parts=["Date", "Time"])
    np.testing.assert_array_equal(next(iter(read_some(day, layout, asked).values())).stamps, HOURS[-1:])


@pytest.mark.parametrize("first", [True, False])
def test_rows_of_a_template_stand_below(first):
    known, ahead = day_and_clock(stamps=HOURS[:90]), pd.DataFrame({"Date Time": HOURS[90:].astype(str)})
    ahead["v"] = values(HOURS)[90:]
    table = pd.concat([known, ahead])
    same(table[["Date Time", "Date", "Time", "v"]] if first else table, HOURS)
    numbers = units(HOURS[:90], "year", "month", "day", "hour")
    same(pd.concat([numbers, ahead.rename(columns={"Date Time": "year month day hour"})]), HOURS)


def test_a_name_that_ends_as_another_is_a_part():
    table = day_and_clock().rename(columns={"Time": "Local Time"})
    same(table.assign(Time=0.5 * np.arange(100)), HOURS, {"roles": {"Time": "ignore"}})


BAD = {
    "a time that is none": (
        lambda t: t.assign(Time=[*t["Time"][:50], "noon", *t["Time"][51:]]),
        {},
        "has no time of day in data row 51: noon in 'Time'",
    ),
    "a part that is absent": (
        lambda t: t,
        {"time_parts": ["Date", "Tme"]},
        "data.time_parts=Tme names no column of 'the DataFrame'; did you mean 'Time'?",
    ),
    "a month that is none": (
        lambda t: units(MONTHS, "year", "month").assign(month=[*range(1, 36), 13.0]),
        {},
        "has no date in data row 13: 1950 in 'year', 13.0 in 'month'",
    ),
    "half a month": (
        lambda t: units(MONTHS, "year", "month").assign(month=[1.5, *MONTHS.month[1:]]),
        {},
        "has no date in data row 1: 1949 in 'year', 1.5 in 'month'",
    ),
    "hours beyond a day": (
        lambda t: t.assign(Time=np.arange(100)),
        {"time_parts": ["Date", "Time"]},
        "has no time of day in data row 26: 25 in 'Time'",
    ),
    "no dates": (
        lambda t: t.assign(Date=np.arange(100)),
        {"time_parts": ["Date", "Time"]},
        "holds no dates but 0",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_part_is_named(bad):
    change, options, says = BAD[bad]
    with pytest.raises(InputError) as raised:
        read(change(day_and_clock()), options)
    assert says in str(raised.value)


def test_times_of_day_alone_are_no_stamps():
    # Pandas puts them to the day on which they are read.
    with pytest.raises(InputError, match=r"'Time' .* holds times of day and no dates"):
        read(day_and_clock().drop(columns="Date"))
    day = day_and_clock(stamps=pd.date_range("1900-01-01", periods=24, freq="h")).drop(columns="Date")
    same(day, pd.date_range("1900-01-01", periods=24, freq="h"), {"time_format": "%H:%M:%S"})


def test_a_list_of_columns_has_an_option_of_its_own():
    with pytest.raises(InputError, match=r"data.time_parts=\[Date,Time\]"):
        read(day_and_clock(), {"time": ["Date", "Time"]})


def test_margins_of_a_spreadsheet_hold_nothing(tmp_path):
    path = tmp_path / "v.csv"
    rows = day_and_clock().to_csv(index=False, sep=";").splitlines()
    path.write_text("\n".join(f"{row};;" for row in [*rows, ";;", ";;"]) + "\n")
    same(path, HOURS)
    # A row in the middle is still a row without a stamp.
    path.write_text("\n".join([*rows[:50], ";;", *rows[50:]]) + "\n")
    with pytest.raises(InputError, match="data row 50"):
        read(path)


def test_empty_rows_between_others_are_frames(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("v;w\n1;2\n;\n3;4\n4;5\n;\n;\n")
    found = read(path, {"time": "rows"}).recordings[0].values
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan], [3, 4], [4, 5]])
