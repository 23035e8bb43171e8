"""Irregular stamps: every row in the cell it lies nearest to, nothing averaged, nothing moved unsaid."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rheos
from rheos.core.errors import InputError
from rheos.data.reader import read, survey
from rheos.data.reader.cells import OFFSET

HOURS = pd.date_range("2020-01-01", periods=400, freq="h")


def jittered(most=20):
    """Hourly rows, each up to some minutes early or late, and by how many minutes."""
    minutes = np.random.default_rng(0).integers(-most, most + 1, 400)
    stamps = HOURS + pd.to_timedelta(minutes, unit="min")
    return pd.DataFrame({"time": stamps, "a": np.arange(400.0)}), minutes


def events(rows=500):
    """Rows that come as they like, an hour apart on average."""
    seconds = np.cumsum(np.random.default_rng(1).exponential(3600, rows)).round()
    stamps = pd.Timestamp("2020-01-01") + pd.to_timedelta(seconds, unit="s")
    return pd.DataFrame({"time": stamps, "a": np.arange(float(rows))})


def test_jitter_is_an_axis_with_offsets():
    table, minutes = jittered()
    reading = survey(table)
    layout, recording = reading.dataset.layout, reading.dataset.recordings[0]
    assert layout.frequency == "h"
    assert layout.past == (OFFSET,)
    assert recording.stamps.equals(HOURS.as_unit("ns"))
    assert recording.values[:, 0].tolist() == list(range(400))
    np.testing.assert_allclose(recording.past[:, 0] * 60, minutes, atol=1e-4)
    assert reading.notes == (
        "stamps follow no rhythm: each row is the frame of step h that it lies nearest to (data.cells), and "
        "how far off it lies is the past covariate 'time_offset'",
    )


def test_events_keep_their_values_and_their_stamps():
    """Every value is a row's own, and frame plus offset is that row's stamp again."""
    table = events()
    reading = survey(table)
    recording = reading.dataset.recordings[0]
    kept = np.flatnonzero(np.isfinite(recording.values[:, 0]))
    rows = recording.values[kept, 0].astype(int)
    step = pd.Timedelta(reading.dataset.layout.frequency)
    offset = recording.past[kept, 0].astype(np.float64)
    again = recording.stamps[kept] + pd.to_timedelta(offset * step.total_seconds(), unit="s")
    away = (again - pd.DatetimeIndex(table["time"])[rows]).total_seconds()
    assert np.abs(away).max() < 1e-2
    assert np.abs(offset).max() <= 0.5
    assert len(recording) <= 4 * len(table) + 1
    assert np.isnan(recording.past[np.isnan(recording.values[:, 0])]).all()
    assert f"{500 - len(kept)} rows that share a frame with a later one are left out" in reading.notes[0]


def test_of_rows_that_share_a_cell_the_last_is_kept():
    stamps = ["2020-01-01 00:00", "2020-01-01 00:50", "2020-01-01 01:10", "2020-01-01 03:00"]
    table = pd.DataFrame({"time": pd.to_datetime(stamps), "a": [1.0, 2.0, 3.0, 4.0]})
    values = read(table, {"cells": "1h"}).recordings[0].values[:, 0]
    np.testing.assert_array_equal(values, [1, 3, np.nan, 4])


def test_the_step_is_the_longest_that_keeps_rows_apart():
    stamps = pd.to_datetime(["2020-01-01 00:00", "2020-01-01 00:21", "2020-01-01 00:59", "2020-01-01 01:40"])
    table = pd.DataFrame({"time": stamps, "a": 1.0})
    assert read(table).layout.frequency == "30min"


def test_numbers_too():
    table = pd.DataFrame({"time": [0, 1, 1.3, 2, 3], "a": np.arange(5.0)})
    recording = read(table).recordings[0]
    np.testing.assert_array_equal(recording.values[:, 0], [0, np.nan, 1, 2, 3, np.nan, 4])
    np.testing.assert_allclose(recording.past[[2, 3], 0], [0, -0.4], atol=1e-6)


def test_model_calendars_too():
    days = xr.date_range("2000-01-01", periods=40, freq="D", calendar="noleap", use_cftime=True)
    shifted = [d.replace(hour=(7 * i) % 11) for i, d in enumerate(days)]
    field = xr.DataArray(np.arange(40.0), coords={"time": xr.CFTimeIndex(shifted)}, dims="time", name="a")
    data = read(field.to_dataset())
    assert data.layout.frequency == "D"
    np.testing.assert_allclose(data.recordings[0].past[:5, 0] * 24, [0, 7, 3, 10, 6], atol=1e-4)


def test_sequences_share_their_cells():
    table, minutes = jittered()
    long = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": table["time"][:rows], "y": table["a"][:rows]})
            for name, rows in (("u", 400), ("v", 100))
        ]
    )
    data = read(long)
    assert [len(r) for r in data.recordings] == [400, 100]
    np.testing.assert_allclose(data.recordings[1].past[:, 0] * 60, minutes[:100], atol=1e-4)


@pytest.mark.parametrize(("size", "what"), [("MS", "no fixed span"), ("often", "not a frequency")])
def test_cells_of_no_size_are_refused(size, what):
    with pytest.raises(InputError, match=what):
        read(jittered()[0], {"cells": size})


def test_inspect_tells_and_proposes():
    found = rheos.inspect(jittered()[0], horizon=6)
    assert found.problems == ()
    assert "follow no rhythm" in str(found)
    assert found.recipe["data"]["cells"] == "h"


def test_a_model_reads_later_rows_into_the_same_cells():
    """Rows that by chance follow a rhythm are still in the model's cells, with their offsets."""
    table = events(120)
    words = ["training.steps=5", "network.width=8", "network.depth=1", "history=8", "lags=[]", "block=10"]
    forecaster = rheos.fit(table, 4, words=words)
    step = forecaster.model.layout.frequency
    assert forecaster.model.recipe.data.cells == step
    later = pd.DataFrame({"time": pd.date_range("2020-03-01 00:01", periods=40, freq="1h"), "a": 1.0})
    dataset = forecaster.read(later)
    assert dataset.layout.past == (OFFSET,)
    assert dataset.layout.frequency == step
    made = forecaster.forecast(later, members=10).dataset
    gaps = np.diff(made["valid_time"].values[0])
    assert (gaps == np.timedelta64(pd.Timedelta(step))).all()
    assert np.isfinite(made["a"]).all()
