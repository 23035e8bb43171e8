"""Titles above the names of the columns, units below, codes for what is missing: as loggers and sheets do."""

import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.inspect import inspect
from rheos.data.reader import read

DAYS = pd.date_range("2024-01-01", periods=6, freq="D")
TABLE = pd.DataFrame({"date": DAYS, "v": np.arange(6.0), "w 2": [1.5, 2, 2, 3, 4, 5]})
ABOVE = {
    "a title": "Flow of 2024\n",
    "a title as a sheet writes it": "Flow of 2024,,\n",
    "titles and a blank line": "Station: North,,\nMade: 2024-02-01,,\n\n",
    "words of another table": "from,to\nMonday,Sunday\n",
}


def same(source, options=None):
    found = read(source, options)
    assert found.layout.channels == ("v", "w 2")
    np.testing.assert_array_equal(found.recordings[0].stamps, DAYS)
    np.testing.assert_allclose(found.recordings[0].values, TABLE[["v", "w 2"]])


@pytest.mark.parametrize("above", ABOVE)
@pytest.mark.parametrize("delimiter", ",;")
def test_inspect_finds_the_names(above, delimiter, tmp_path):
    path = tmp_path / "v.csv"
    path.write_text((ABOVE[above] + TABLE.to_csv(index=False)).replace(",", delimiter))
    lines = ABOVE[above].count("\n")
    assert inspect(path).options == f"data.skip={lines}"
    with pytest.raises(InputError, match=f"names its columns in line {lines + 1}, below"):
        read(path)
    same(path, {"skip": lines})


def test_some_lines_left_out_are_counted(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("a,,\nb,,\n" + TABLE.to_csv(index=False))
    with pytest.raises(InputError, match=r"in line 3.*data.skip=2"):
        read(path, {"skip": 1})


@pytest.mark.parametrize(
    "text",
    [
        ",v,w\n2024-01-01,0,1\n2024-01-02,1,2\n",
        "day,v\n2024-01-01,\n2024-01-02,1\n",
        "day,v,\n2024-01-01,NA,\n2024-01-02,1,\n",
        ",v\none,NA\ntwo,1\n",
        "name,v\none,unknown\ntwo,1\n",
        "day,10m wind\none,unknown\ntwo,1\n",
    ],
    ids=[
        "an unnamed index",
        "a first value missing",
        "a margin",
        "a word and nothing",
        "two words",
        "a name with a number",
    ],
)
def test_names_in_the_first_line_are_names(text, tmp_path):
    path = tmp_path / "v.csv"
    path.write_text(text)
    found = read(path, {"time": "rows", "missing": ["unknown"]})
    assert len(found.recordings[0]) == 2


UNITS = {
    "units": "TS,m/s,deg C\n",
    "units of some": ",m/s,\n",
    "units and how they were summed up": "TS,m/s,deg C\n,Avg,Smp\n",
}


@pytest.mark.parametrize("below", UNITS)
@pytest.mark.parametrize("above", ["", "Station North\n\n", "Flow,,\n"])
def test_units_below_the_names(below, above, tmp_path):
    path = tmp_path / "v.csv"
    head, _, rows = TABLE.to_csv(index=False).partition("\n")
    path.write_text(f"{above}{head}\n{UNITS[below]}{rows}")
    lines, skipped = UNITS[below].count("\n"), above.count("\n")
    title = f"data.skip={skipped} " if skipped else ""
    assert inspect(path).options == f"{title}data.below={lines}"
    with pytest.raises(InputError, match=r"has words and no number below the names .*data\.below="):
        read(path, {"skip": skipped})
    same(path, {"skip": skipped, "below": lines})


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("day,v\nJan 2020,\nFeb 2020,1\n", {}),
        ("day,v\nJan 2020,NA\nFeb 2020,1\n", {}),
        ("name,v\none,unknown\ntwo,1\n", {"missing": ["unknown"], "time": "rows"}),
    ],
    ids=["nothing", "a word for nothing", "a word that is told to mean nothing"],
)
def test_a_first_row_without_a_value_is_a_row(text, options, tmp_path):
    path = tmp_path / "v.csv"
    path.write_text(text)
    values = read(path, options).recordings[0].values
    assert np.isnan(values[0, 0])
    assert values[1, 0] == 1


def test_units_in_a_sheet(tmp_path):
    path = tmp_path / "v.xlsx"
    rows = [list(TABLE.columns), ["", "m/s", "deg C"], *TABLE.values.tolist()]
    pd.DataFrame(rows).to_excel(path, index=False, header=False)
    assert inspect(path).options == "data.below=1"
    same(path, {"below": 1})


def test_a_sheet_with_titles(tmp_path):
    path = tmp_path / "v.xlsx"
    rows = [["Flow", None, None], ["North", None, None], list(TABLE.columns), *TABLE.values.tolist()]
    pd.DataFrame(rows).to_excel(path, index=False, header=False)
    assert inspect(path).options == "data.skip=2"
    with pytest.raises(InputError, match=r"does not name its columns; give data.skip=2"):
        read(path, {"skip": 1})
    same(path, {"skip": 2})


def test_a_code_below_zero_that_comes_again_is_suspected():
    values = np.random.default_rng(0).uniform(0, 4, 100)
    values[::20] = -200
    found = inspect(pd.DataFrame({"time": pd.date_range("2020", periods=100), "a": values}))
    assert found.options == "data.missing=[-200]"
    assert found.channels[0].minimum >= 0


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v[:1].fill(-200),
        lambda v: v[::20].fill(-200.5),
        lambda v: v[::20].fill(200),
        lambda v: v[::7].__isub__(300),
        lambda v: (v[::7].fill(-0.25), v[::20].fill(-200)),
    ],
    ids=["once", "no whole number", "above all", "many values", "others below zero"],
)
def test_other_values_far_from_all_are_values(change):
    values = np.random.default_rng(0).uniform(0, 4, 100)
    change(values)
    assert inspect(pd.DataFrame({"time": pd.date_range("2020", periods=100), "a": values})).options == ""
