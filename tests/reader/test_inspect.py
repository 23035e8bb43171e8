"""An inspection collects what is wrong, with remedies that work, and its figures are those of the data."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rheos
from rheos.core.errors import InputError
from rheos.data.inspect import inspect
from rheos.data.reader import read


def messy(tmp_path):
    """Sentinels, a duplicate, a gap, a word, a constant and a header in latin-1."""
    stamps = pd.date_range("2020-01-01", periods=100, freq="10min").delete([50, 51, 52])
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"date": stamps, "SWDR (W/m²)": rng.normal(100, 9, 97), "b": rng.normal(size=97), "c": 4.0}
    )
    table.loc[[7, 9], "SWDR (W/m²)"] = -9999.0
    words = table.astype({"b": str})
    words.loc[20, "b"] = "?"
    words = pd.concat([words.iloc[:31], words.iloc[[30]], words.iloc[31:]])
    words.to_csv(tmp_path / "messy.csv", index=False, encoding="latin-1")
    return tmp_path / "messy.csv", table


def test_all_problems_are_collected_with_their_remedies(tmp_path):
    path, table = messy(tmp_path)
    found = inspect(path)
    mends = [problem.mend for problem in found.problems]
    assert mends == [
        "data.encoding=latin-1",
        "data.missing=\"['?']\"",
        "data.duplicates=mean",
        "data.missing=[-9999]",
        "roles.c=ignore",
    ]
    assert [problem.fatal for problem in found.problems] == [True, True, True, False, False]
    assert found.options == "data.encoding=latin-1 data.missing=\"['?',-9999]\" data.duplicates=mean"
    assert (found.frames, found.frequency, found.gap_frames, found.longest_gap) == ((100, 100), "10min", 3, 3)
    assert found.longest_gap_at == "2020-01-01 08:20:00"
    seen = table["SWDR (W/m²)"].drop([7, 9])
    channel = found.channels[0]
    assert (channel.name, channel.unit) == ("SWDR (W/m²)", "W/m²")
    figures = (channel.minimum, channel.mean, channel.maximum, channel.missing)
    np.testing.assert_allclose(figures, (seen.min(), seen.mean(), seen.max(), 0.05), rtol=1e-6)
    assert [c.constant for c in found.channels] == [False, False, True]


def test_the_remedies_together_read_the_source(tmp_path):
    path, _ = messy(tmp_path)
    options = {"encoding": "latin-1", "missing": ["?", -9999], "duplicates": "mean"}
    assert len(read(path, options).recordings[0]) == 100
    assert [problem.mend for problem in inspect(path, options).problems] == ["roles.c=ignore"]


def test_a_field_and_its_mask():
    values = np.arange(6 * 3 * 4, dtype=float).reshape(6, 3, 4)
    values[:, 0, 1] = np.nan
    values[2, 2, 2] = np.nan
    lon = {
        "lon": np.arange(4) * 90.0,
        "lat": [10.0, 0.0, -10.0],
        "time": pd.date_range("2020", periods=6, freq="MS"),
    }
    found = inspect(
        xr.DataArray(values, dims=("time", "lat", "lon"), coords=lon, name="sst", attrs={"units": "degC"})
    )
    assert found.kind == "field"
    assert found.dims == {"channel": 1, "lat": 3, "lon": 4}
    assert found.ranges == {"lat": (10.0, -10.0), "lon": (0.0, 270.0)}
    assert found.periodic == ("lon",)
    assert found.never_observed == pytest.approx(1 / 12)
    assert found.channels[0].missing == pytest.approx(7 / 72)
    assert found.memory == 6 * 3 * 4 * 4
    assert "closes on itself" in str(found)


def test_json_and_text_say_the_same(tmp_path):
    path, _ = messy(tmp_path)
    found = inspect(path, horizon=12)
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["horizon"] == 12
    assert stored["recipe"] is None
    text = str(found)
    for problem in stored["problems"]:
        assert problem["what"] in text
        assert problem["mend"] in text
    assert max(map(len, text.splitlines()[1:12])) < 110


def test_what_no_option_mends_is_said(tmp_path):
    path, _ = messy(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        inspect(tmp_path / "no.csv")
    broken = tmp_path / "broken.csv"
    broken.write_bytes(path.read_bytes() + b"1,2,3,4,5,6\n")
    found = inspect(broken)
    assert not found.readable
    assert [problem.mend for problem in found.problems] == ["data.encoding=latin-1", ""]
    assert "line 100" in found.problems[1].what
    assert "cannot be read" in str(found)
    assert "longer than the data" in inspect(path, horizon=200).problems[-1].what


def test_a_true_extreme_is_no_sentinel():
    values = np.random.default_rng(1).normal(500, 300, size=400)
    values[3] = 999.0
    frame = pd.DataFrame({"time": pd.date_range("2020", periods=400), "a": values})
    assert inspect(frame).problems == ()


def test_a_column_of_another_rate_and_a_late_one_are_told():
    stamps = pd.date_range("2023-01-01", periods=240, freq="h")
    table = pd.DataFrame({"time": stamps, "hourly": np.arange(240.0), "daily": np.arange(240.0)})
    table["late"] = np.arange(240.0)
    table.loc[stamps.hour != 0, "daily"] = np.nan
    table.loc[237:, "late"] = np.nan
    found = rheos.inspect(table, horizon=6)
    assert [(channel.every, channel.late) for channel in found.channels] == [(1, 0), (24, 0), (1, 3)]
    lines = str(found).splitlines()
    assert any(line.lstrip().startswith("daily") and "observed every 24 frames" in line for line in lines)
    assert any(line.lstrip().startswith("late") and "reported 3 frames late" in line for line in lines)
    assert found.recipe["late"] == {"late": 3}
