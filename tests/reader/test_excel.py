"""Excel workbooks: sheets become tables, and what is none is said in one sentence."""

import sys

import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.reader import read

DAYS = pd.date_range("2024-01-01", periods=6, freq="D")
TABLE = pd.DataFrame({"date": DAYS, "v": np.arange(6.0), "w": [1.5, np.nan, 2, 3, 4, 5]})


def book(path, **sheets):
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for name, table in sheets.items():
            table.to_excel(writer, sheet_name=name, index=False)
    return path


def test_a_sheet_is_the_table_that_it_shows(tmp_path):
    path = book(tmp_path / "b.xlsx", data=TABLE, empty=pd.DataFrame())
    found, direct = read(path), read(TABLE)
    assert found.layout.channels == ("v", "w")
    np.testing.assert_array_equal(found.recordings[0].values, direct.recordings[0].values)
    assert found.recordings[0].stamps.equals(direct.recordings[0].stamps)


def test_a_sheet_is_named_after_two_colons(tmp_path):
    path = book(tmp_path / "b.xlsx", one=TABLE, two=TABLE.assign(v=7.0))
    with pytest.raises(InputError, match=r"several sheets \(one, two\); name one: .*b\.xlsx::one"):
        read(path)
    assert (read(f"{path}::two").recordings[0].values[:, 0] == 7.0).all()
    with pytest.raises(InputError, match="has no sheet 'tow'; did you mean 'two'"):
        read(f"{path}::tow")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("b.xlsx", b"", "is empty"),
        ("b.xlsx", b"no workbook", "not a readable workbook"),
        ("b.xlsx", b"PK\x03\x04 broken", "not a readable workbook"),
        ("b.xls", b"\xd0\xcf\x11\xe0", r"another kind; save it as \.xlsx or \.csv"),
    ],
)
def test_what_is_no_workbook(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read(path)


def test_without_openpyxl_the_extra_is_named(tmp_path, monkeypatch):
    path = book(tmp_path / "b.xlsx", data=TABLE)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"needs openpyxl; install it with pip install 'rheos\[excel\]'"):
        read(path)
