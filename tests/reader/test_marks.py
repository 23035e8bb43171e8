"""Numbers as they are written: marks of thousands and decimals in text, tables and workbooks."""

import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.inspect import inspect
from rheos.data.reader import read

DAYS = [f"2024-01-{day:02d}" for day in range(1, 6)]
VALUES = [1234567.5, 12.25, -4321.5, 999.0, 100346.0]
WRITTEN = {
    "english": ("1,234,567.5 12.25 -4,321.5 999 100,346", "data.thousands=','"),
    "german": ("1.234.567,5 12,25 -4.321,5 999 100.346", "data.thousands='.' data.decimal=','"),
    "french": ("1_234_567,5 12,25 -4_321,5 999 100_346", "data.thousands=space data.decimal=','"),
    "swiss": ("1'234'567.5 12.25 -4'321.5 999 100'346", 'data.thousands="\'"'),
}


def table(way):
    words = [word.replace("_", "\u202f") for word in WRITTEN[way][0].split()]
    return pd.DataFrame({"date": DAYS, "v": words})


@pytest.mark.parametrize("way", WRITTEN)
def test_inspect_names_the_marks_and_they_are_right(way):
    found = inspect(table(way))
    assert found.options == WRITTEN[way][1]
    assert found.channels[0].maximum == pytest.approx(VALUES[0])
    assert found.channels[0].minimum == pytest.approx(VALUES[2])


@pytest.mark.parametrize("way", WRITTEN)
def test_text_files_hold_them_too(way, tmp_path):
    path = tmp_path / "v.csv"
    table(way).to_csv(path, index=False, sep=";")
    decimal = "," if way in ("german", "french") else "."
    thousands = {"english": ",", "german": ".", "french": "space", "swiss": "'"}[way]
    values = read(path, {"decimal": decimal, "thousands": thousands}).recordings[0].values
    np.testing.assert_allclose(values[:, 0], VALUES)


def test_groups_of_three_with_a_dot_are_not_read_as_fractions(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("date;v\n" + "\n".join(f"{day};1.{i}00" for i, day in enumerate(DAYS)))
    values = read(path, {"decimal": ",", "thousands": "."}).recordings[0].values
    np.testing.assert_array_equal(values[:, 0], [1000, 1100, 1200, 1300, 1400])


def test_what_may_be_either_is_said_to_be():
    both = pd.DataFrame({"date": DAYS, "v": ["100,346", "99,120", "12,500", "99,000", "5,125"]})
    with pytest.raises(
        InputError, match=r"thousands=',' if the comma groups .*decimal=',' if it is a decimal"
    ):
        read(both)


def test_a_decimal_comma_of_a_data_frame_is_mended():
    comma = pd.DataFrame({"date": DAYS, "v": ["0,5", "1,25", "-3,0", ",5", "1,5e3"]})
    with pytest.raises(InputError, match=r"give data\.decimal=','"):
        read(comma)
    values = read(comma, {"decimal": ","}).recordings[0].values
    np.testing.assert_array_equal(values[:, 0], [0.5, 1.25, -3.0, 0.5, 1500.0])


def test_dates_and_words_are_left_alone():
    """Dots also part days from months, and a number in the middle of a word is none."""
    mixed = pd.DataFrame(
        {"day": ["01.02.2024", "02.02.2024"], "v": ["1.000", "2.000"], "w": ["a 1.000", "b"]}
    )
    found = read(mixed, {"decimal": ",", "thousands": ".", "time_format": "%d.%m.%Y"})
    assert found.layout.channels == ("v",)
    np.testing.assert_array_equal(found.recordings[0].values[:, 0], [1000, 2000])
    assert str(found.recordings[0].stamps[0]) == "2024-02-01 00:00:00"


@pytest.mark.parametrize("word", ["1,23,456", "12,34", "1,2345", "1,234,"])
def test_groups_have_three_digits(word):
    bad = pd.DataFrame({"date": DAYS, "v": ["1,000", word, "2,000", "3,000", "4,000"]})
    with pytest.raises(InputError, match="text among its numbers"):
        read(bad, {"thousands": ","})


def test_one_mark_cannot_be_both():
    with pytest.raises(InputError, match=r"is the decimal mark too; give data\.decimal=',' beside it"):
        read(table("german"), {"thousands": "."})
