"""Dates with the year last: the day is found where all rows together tell it, and asked for where not."""

import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.inspect import inspect
from rheos.data.reader import read
from rheos.data.reader.day_first import dates_of_numbers

DAYS = pd.date_range("2022-01-03", periods=40, freq="D")
MONTHS = pd.date_range("2010-01-01", periods=36, freq="MS")
HOURS = pd.date_range("2022-02-01", periods=100, freq="h")


def written(stamps, form):
    """A table whose dates are written so."""
    return pd.DataFrame({"date": stamps.strftime(form), "v": 0.5 * np.arange(len(stamps)) ** 2})


def read_so(frame):
    dataset = read(frame)
    return dataset.recordings[0].stamps, dataset.layout


@pytest.mark.parametrize("first", ["%d{0}%m{0}%Y", "%m{0}%d{0}%Y"], ids=["day", "month"])
@pytest.mark.parametrize("mark", "/-.")
@pytest.mark.parametrize("time", ["", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f"])
def test_days_beyond_the_twelfth_tell(first, mark, time):
    # 40 days and more: the first twelve alone could be months.
    stamps = pd.date_range("2022-01-03", periods=40 * 4, freq="6h") if time else DAYS
    found, layout = read_so(written(stamps, first.format(mark) + time))
    np.testing.assert_array_equal(found, stamps)
    assert layout.frequency == ("6h" if time else "D")


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d.%m.%y"])
def test_months_are_no_days_of_january(form):
    found, layout = read_so(written(MONTHS, form))
    np.testing.assert_array_equal(found, MONTHS)
    assert layout.frequency == "MS"


def test_numbers_of_one_digit():
    words = [f"{day.day}.{day.month}.{day.year} {day.hour}:00" for day in HOURS]
    found, _ = read_so(pd.DataFrame({"Datum": words, "v": 1.5 * np.arange(100.0)}))
    np.testing.assert_array_equal(found, HOURS)


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d-%m-%Y %H:%M:%S.%f"])
def test_what_is_even_both_ways_is_asked_for(form):
    day = written(pd.date_range("2022-02-03", periods=24, freq="h"), form)
    mark, time = form[2], form[8:]
    asked = f"data.time_format='%d{mark}%m{mark}%Y{time}' if the day comes first, else '%m{mark}%d"
    with pytest.raises(InputError) as raised:
        read(day)
    assert asked in str(raised.value)
    assert read(day, {"time_format": form}).recordings[0].stamps[0] == pd.Timestamp("2022-02-03")


def test_where_both_orders_say_the_same_there_is_nothing_to_ask():
    years = pd.to_datetime([f"{year}-01-01" for year in range(1990, 2020)])
    found, layout = read_so(written(years, "%d/%m/%Y"))
    np.testing.assert_array_equal(found, years)
    assert layout.frequency.startswith("YS")


def test_the_order_is_told():
    notes = inspect(written(DAYS, "%d.%m.%Y")).notes
    assert "stamps such as '03.01.2022' in 'date' were read day first (%d.%m.%Y)" in notes


def test_a_table_as_a_german_spreadsheet_writes_it(tmp_path):
    path = tmp_path / "verkauf.csv"
    rows = [f"{10 + i % 3},5;{day:%d.%m.%Y};{1000 + i},0\n" for i, day in enumerate(DAYS)]
    path.write_text("Temperatur;Tag der Messung;Umsatz\n" + "".join(rows))
    found = inspect(path)
    assert found.options == "data.decimal=','"
    dataset = read(path, {"decimal": ","})
    assert dataset.layout.channels == ("Temperatur", "Umsatz")
    np.testing.assert_array_equal(dataset.recordings[0].stamps, DAYS)
    np.testing.assert_allclose(dataset.recordings[0].values[:3, 0], [10.5, 11.5, 12.5])


def test_numbers_with_a_comma_are_no_stamps():
    # Pandas reads 10,5 as a day in October.
    frame = pd.DataFrame({"v": [f"{10 + i % 3},{i}" for i in range(9)], "Tag": DAYS[:9].strftime("%d.%m.%Y")})
    with pytest.raises(InputError, match=r"'v' .* has text among its numbers.*data.decimal=','"):
        read(frame)


def test_one_bad_date_is_named_among_the_good():
    words = ["31.02.2022", *DAYS[1:].strftime("%d.%m.%Y")]
    with pytest.raises(InputError, match=r"'31.02.2022' in 'Tag', data row 1"):
        read(pd.DataFrame({"Tag": words, "v": np.arange(40.0)}))


@pytest.mark.parametrize("other", ["04/01/2022", "04.01.22", "04.01.2022 12:00", "2022-01-04", "noon"])
def test_words_that_are_not_written_alike_are_left_to_others(other):
    assert dates_of_numbers(pd.Series(["03.01.2022", "05.01.2022"])) is True
    assert dates_of_numbers(pd.Series(["03.01.2022", other])) is None


def test_a_bad_date_is_named_where_both_orders_read_the_others():
    words = ["01/02/2022", "02/02/2022", "31/31/2022", "04/02/2022"]
    with pytest.raises(InputError, match=r"'31/31/2022' in 'date', data row 3"):
        read(pd.DataFrame({"date": words, "v": np.arange(4.0)}))
