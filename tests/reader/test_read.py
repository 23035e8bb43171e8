"""What is read is what was written, wherever it was written; axes, gaps and periods follow the calendar."""

import gzip
import json
import lzma
import tarfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rheos.data.reader import read, survey

RNG = np.random.default_rng(7)


def hourly(frames=72):
    stamps = pd.date_range("2021-03-01", periods=frames, freq="h")
    return pd.DataFrame(
        {"time": stamps, "load": RNG.normal(size=frames), "wind (m/s)": RNG.normal(size=frames)}
    )


def test_every_container_gives_the_same_recording(tmp_path):
    table = hourly()
    text = table.to_csv(index=False).encode()
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(text))
    (tmp_path / "a.tsv").write_bytes(table.to_csv(index=False, sep="\t").encode("utf-8-sig"))
    table.to_parquet(tmp_path / "a.parquet")
    table.set_index("time").to_csv(tmp_path / "shuffled.csv")
    expected = table[["load", "wind (m/s)"]].to_numpy()
    sources = [*tmp_path.iterdir(), table, table.set_index("time"), table.iloc[::-1]]
    for source in sources:
        data = read(source)
        recording = data.recordings[0]
        np.testing.assert_allclose(recording.values, expected, rtol=1e-6)
        assert recording.stamps.equals(pd.DatetimeIndex(table["time"]))
        assert data.layout.channels == ("load", "wind (m/s)")
        assert data.layout.units == ("", "m/s")
        assert (data.layout.frequency, data.layout.periods) == ("h", (24,))


def test_the_callers_objects_are_never_changed():
    table = hourly().assign(flag=True, word="x")
    kept = table.copy(deep=True)
    options = {"missing": [float(table["load"][3])], "roles": {"flag": "known_future"}}
    values = read(table, options).recordings[0].values
    pd.testing.assert_frame_equal(table, kept)
    assert np.isnan(values[3, 0])
    assert not values.flags.writeable
    array = np.arange(12, dtype=np.float32).reshape(6, 2)
    recorded = read(array, {"missing": [5.0]}).recordings[0].values
    assert array.flags.writeable
    assert not np.shares_memory(array, recorded)
    np.testing.assert_array_equal(array, np.arange(12).reshape(6, 2))
    grid = xr.Dataset(
        {"u": (("x", "time"), np.ones((3, 6)))}, coords={"time": pd.date_range("2020", periods=6)}
    )
    before = grid.copy(deep=True)
    read(grid, {"missing": [1.5], "order": "sort"})
    xr.testing.assert_identical(grid, before)


@pytest.mark.parametrize(
    ("frequency", "periods"),
    [
        ("5min", (288,)),
        ("10min", (144,)),
        ("15min", (96,)),
        ("30min", (48, 336)),
        ("h", (24, 168)),
        ("2h", (12, 84)),
        ("D", (7, 365)),
        ("B", (5,)),
        ("W-WED", (52,)),
        ("MS", (12,)),
        ("ME", (12,)),
        ("QS-FEB", (4,)),
        ("QE-NOV", (4,)),
        ("YS-JUL", ()),
        ("YE-DEC", ()),
    ],
)
def test_the_step_is_found_with_and_without_gaps(frequency, periods):
    """Against pandas' own ranges; taking frames away leaves the same axis with NaN in their place."""
    stamps = pd.date_range("1980-02-01", periods=800, freq=frequency)[: 230 if frequency[0] in "QY" else 800]
    frame = pd.DataFrame({"time": stamps, "a": np.arange(len(stamps), dtype=float)})
    for drop in ([], [5, 6, 7, 40]):
        reading = survey(frame.drop(index=drop))
        layout, recording = reading.dataset.layout, reading.dataset.recordings[0]
        assert layout.frequency == frequency
        assert layout.periods == periods
        assert recording.stamps.equals(stamps.as_unit("ns"))
        assert np.flatnonzero(np.isnan(recording.values[:, 0])).tolist() == drop
        gaps = reading.gaps[0]
        assert (gaps.frames, gaps.runs, gaps.longest) == ((4, 2, 3) if drop else (0, 0, 0))


def test_periods_need_two_cycles():
    frame = pd.DataFrame({"time": pd.date_range("2020", periods=47, freq="h"), "a": range(47)})
    assert read(frame).layout.periods == ()
    assert read(
        pd.concat([frame, frame.tail(1).assign(time=frame["time"].max() + pd.Timedelta("1h"))])
    ).layout.periods == (24,)
    assert read(frame, {"period": [24, 6]}).layout.periods == (6, 24)


def test_stamps_inside_a_month_are_moved_to_its_first_day():
    stamps = pd.date_range("1982-01-16 20:00", periods=40, freq="730.5h")
    recording = read(pd.DataFrame({"time": stamps, "a": range(40)})).recordings[0]
    assert recording.stamps.equals(pd.date_range("1982-01-01", periods=40, freq="MS", unit="ns"))


def test_zones_and_changes_of_the_clock():
    """Across both changes of the year a local hour is neither a gap nor a duplicate."""
    utc = pd.date_range("2021-03-27", "2021-11-02", freq="h", tz="UTC")
    local = utc.tz_convert("Europe/Berlin")
    values = RNG.normal(size=len(utc))
    for stamps, options in (
        (local, {}),
        (local.astype(str), {}),
        (local.tz_localize(None), {"timezone": "Europe/Berlin"}),
    ):
        reading = survey(pd.DataFrame({"time": stamps, "a": values}), options)
        assert reading.gaps[0].frames == 0
        assert reading.dataset.recordings[0].stamps.equals(utc.tz_localize(None).as_unit("ns"))
    days = pd.date_range("2021-03-01", periods=60, freq="D", tz="Europe/Berlin")
    for stamps in (days, days.astype(str)):
        layout = read(pd.DataFrame({"time": stamps, "a": np.arange(60.0)})).layout
        assert layout.frequency == "D"


def test_duplicates_and_means():
    stamps = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-02", "2020-01-02", "2020-01-03"])
    frame = pd.DataFrame({"time": stamps, "a": [1.0, 2.0, np.nan, 6.0, 9.0]})
    for how, value in (("mean", 4.0), ("first", 2.0), ("last", 6.0)):
        assert read(frame, {"duplicates": how}).recordings[0].values[:, 0].tolist() == [1.0, value, 9.0]


def test_resampling_agrees_with_pandas():
    stamps = pd.date_range("2020-01-01 00:10", periods=200, freq="10min").delete([30, *range(60, 75)])
    frame = pd.DataFrame({"a": RNG.normal(size=len(stamps)), "b": RNG.normal(size=len(stamps))}, index=stamps)
    frame.iloc[5, 0] = np.nan
    expected = frame.resample("1h").mean()
    reading = survey(frame, {"resample": "1h"})
    recording = reading.dataset.recordings[0]
    counts = frame["b"].resample("1h").count()
    assert counts.iloc[-1] == 3
    np.testing.assert_allclose(recording.values, expected.to_numpy(), rtol=1e-6)
    assert recording.stamps.equals(expected.index.as_unit("ns"))
    assert np.isnan(recording.values).all(1).sum() == expected.isna().all(axis=1).sum() == 1
    shorter = survey(frame.iloc[:-1], {"resample": "1h"})
    assert len(shorter.dataset.recordings[0]) == len(recording) - 1
    assert "partly filled" in shorter.notes[0]


def test_sentinels_are_gone_before_any_mean():
    stamps = pd.to_datetime(["2020-01-01", "2020-01-01", "2020-01-02"])
    for joint in (None, True):
        frame = pd.DataFrame({"unique_id": "u", "ds": stamps, "y": [3.0, -9999.0, 4.0]})
        frame = pd.concat([frame, frame.assign(unique_id="v")])
        data = read(frame, {"missing": [-9999], "duplicates": "mean", "joint": joint})
        assert data.recordings[0].values[:, 0].tolist() == [3.0, 4.0]


def test_long_tables_are_independent_unless_joint():
    days = pd.date_range("2020-01-01", periods=10)
    rows = [
        pd.DataFrame({"unique_id": name, "ds": days[cut], "y": base + np.arange(10.0)[cut], "size": base})
        for name, cut, base in (("u", slice(None), 10.0), ("v", slice(2, 8), 20.0))
    ]
    table = pd.concat(rows).assign(promo=lambda t: (t["ds"].dt.day_of_week == 0).astype(float))
    table = table.sample(frac=1, random_state=0).sort_values("ds", kind="stable")
    roles = {"size": "static", "promo": "known_future"}
    data = read(table, {"roles": roles})
    by_name = {recording.name: recording for recording in data.recordings}
    assert data.layout.channels == ("y",)
    assert by_name["u"].values[:, 0].tolist() == (10 + np.arange(10.0)).tolist()
    assert by_name["v"].values[:, 0].tolist() == (20 + np.arange(2.0, 8.0)).tolist()
    assert by_name["v"].static.tolist() == [20.0]
    assert by_name["u"].known_future[:, 0].tolist() == (days.day_of_week == 0).astype(float).tolist()
    whole = read(table, {"roles": roles, "joint": True})
    recording = whole.recordings[0]
    assert len(whole.recordings) == 1
    column = recording.values[:, whole.layout.channels.index("v")]
    np.testing.assert_array_equal(column, [np.nan, np.nan, *range(22, 28), np.nan, np.nan])
    assert whole.layout.known_future == ("promo",)
    assert set(whole.layout.static) == {"size[u]", "size[v]"}


def test_wide_columns_apart():
    data = read(hourly(), {"joint": False})
    assert [recording.name for recording in data.recordings] == ["load", "wind (m/s)"]
    assert data.layout.channels == ("value",)


def test_roles_and_the_future():
    table = hourly().assign(holiday=["TRUE", "no"] * 36, day="monday")
    table.loc[60:, ["load", "wind (m/s)"]] = np.nan
    reading = survey(table, {"roles": {"holiday": "known_future", "wind (m/s)": "past"}})
    layout, recording = reading.dataset.layout, reading.dataset.recordings[0]
    assert (layout.channels, layout.past, layout.known_future) == (("load",), ("wind (m/s)",), ("holiday",))
    assert recording.observed == 60
    assert recording.known_future[:, 0].tolist() == [1.0, 0.0] * 36
    assert any("'day' was left out" in note for note in reading.notes)


def test_what_is_known_ahead_may_be_known_less_far():
    """A forecast ends before the holidays do; that is no gap."""
    table = hourly()
    table["holiday"], table["forecast"] = 1.0, RNG.normal(size=72)
    table.loc[66:, ["load", "wind (m/s)"]] = np.nan
    table.loc[70:, "forecast"] = np.nan
    roles = {"holiday": "known_future", "forecast": "known_future"}
    (recording,) = read(table, {"roles": roles}).recordings
    assert np.isfinite(recording.known_future).sum(0).tolist() == [72, 70]


def test_precision_is_kept_where_float32_would_lose_it():
    small = RNG.normal(size=50)
    stamps = pd.date_range("2020", periods=50)
    far = read(pd.DataFrame({"time": stamps, "a": 1e7 + small})).recordings[0].values
    assert far.dtype == np.float64
    np.testing.assert_array_equal(far[:, 0], 1e7 + small)
    assert read(pd.DataFrame({"time": stamps, "a": 1e4 + small})).recordings[0].values.dtype == np.float32


def test_frame_numbers_with_a_step_and_a_gap():
    data = read(pd.DataFrame({"frame": [780, 790, 810, 820], "a": [1.0, 2.0, 4.0, 5.0]}))
    assert data.recordings[0].stamps.equals(pd.RangeIndex(780, 830, 10))
    np.testing.assert_array_equal(data.recordings[0].values[:, 0], [1, 2, np.nan, 4, 5])
    assert data.layout.frequency is None


@pytest.mark.parametrize(
    ("shape", "dims", "kind", "features"),
    [
        ((9,), None, "series", (1,)),
        ((9, 2), None, "series", (2,)),
        ((9, 3, 4), None, "field", (1, 3, 4)),
        ((9, 2, 3, 4), None, "field", (2, 3, 4)),
        ((4, 9), ("x", "time"), "field", (1, 4)),
        ((3, 4, 2, 9), ("y", "x", "channel", "time"), "field", (2, 3, 4)),
    ],
)
def test_arrays(shape, dims, kind, features, tmp_path):
    array = RNG.normal(size=shape)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", other=np.zeros(2), u=array)
    names = {"time": shape[0], "channel": 1} if dims is None else dict(zip(dims, shape, strict=True))
    data = read(tmp_path / "a.npy", {"dims": dims})
    assert data.layout.kind == kind
    assert data.features == features
    if dims is not None:
        spatial = [name for name in dims if name not in ("time", "channel")]
        order = ["time", *(["channel"] if "channel" in names else []), *spatial]
        expected = xr.DataArray(array, dims=dims).transpose(*order).values
    else:
        expected = array
    np.testing.assert_allclose(data.recordings[0].values.reshape(expected.shape), expected, rtol=1e-6)
    same = read(f"{tmp_path / 'a.npz'}::u", {"dims": dims})
    np.testing.assert_array_equal(same.recordings[0].values, data.recordings[0].values)


def test_an_axis_of_scenes_is_one_of_recordings():
    array = RNG.integers(0, 256, (5, 3, 4, 6)).astype(np.uint8)
    data = read(array, {"dims": ["time", "scene", "y", "x"]})
    assert [r.name for r in data.recordings] == ["0", "1", "2"]
    assert (data.layout.kind, data.layout.sequence) == ("field", "scene")
    for scene, recording in enumerate(data.recordings):
        np.testing.assert_array_equal(recording.values[:, 0], array[:, scene])


def test_a_grid_on_disk(tmp_path):
    """Packed integers with fill values, axes in an odd order and latitudes that fall, by hand."""
    stamps = pd.date_range("2001-01-01", periods=30, freq="MS")
    raw = RNG.integers(-500, 500, size=(12, 5, 30)).astype(np.int16)
    raw[3, 2, 7] = -999
    source = xr.Dataset(
        {
            "t2m": (
                ("lon", "lat", "time"),
                raw,
                {"units": "K", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -999},
            ),
            "crs": ((), 0),
        },
        coords={"time": stamps, "lat": np.linspace(60, -60, 5), "lon": np.arange(12) * 30.0},
        attrs={"title": "made up"},
    )
    xr.decode_cf(source).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.decode_cf(source).to_zarr(tmp_path / "a.zarr", zarr_format=3)
    by_hand = np.where(raw == -999, np.nan, raw * 0.01 + 280.0).transpose(2, 1, 0)[:, None]
    for place in (tmp_path / "a.nc", tmp_path / "a.zarr", xr.decode_cf(source)):
        data = read(place)
        np.testing.assert_allclose(data.recordings[0].values, by_hand, rtol=1e-6)
        layout = data.layout
        assert layout.dims == ("channel", "lat", "lon")
        assert layout.coords["lat"].tolist() == [60, 30, 0, -30, -60]
        assert layout.periodic == (False, True)
        assert (layout.units, layout.frequency, layout.periods) == (("K",), "MS", (12,))
        assert layout.attributes["title"] == "made up"


@pytest.mark.parametrize(
    ("lon", "closed"),
    [(np.arange(12) * 30.0, True), (np.arange(11) * 30.0, False), (np.arange(12) * 2.0, False)],
)
def test_a_longitude_that_goes_round_closes(lon, closed):
    grid = xr.DataArray(
        np.ones((4, len(lon))),
        dims=("time", "lon"),
        coords={"time": pd.date_range("2020", periods=4), "lon": lon},
    )
    assert read(grid).layout.periodic == (closed,)


@pytest.mark.parametrize(("calendar", "year"), [("360_day", 360), ("noleap", 365)])
def test_calendars_of_climate_models(calendar, year, tmp_path):
    for frequency, periods in (("D", (7, year)), ("MS", (12,)), ("YS-JUN", ())):
        stamps = xr.date_range("1860-06-01", periods=740, freq=frequency, calendar=calendar, use_cftime=True)
        field = xr.DataArray(np.arange(740.0), dims="time", coords={"time": stamps}, name="tas")
        field.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
        data = survey(tmp_path / "a.nc").dataset
        assert (data.layout.frequency, data.layout.periods) == (frequency, periods)
        assert data.recordings[0].stamps.equals(stamps)
        holed = read(field.drop_isel(time=[3, 4]))
        assert holed.recordings[0].stamps.equals(stamps)
        assert np.isnan(holed.recordings[0].values[3:5]).all()


def test_an_ensemble_member_is_selected():
    values = RNG.normal(size=(3, 6, 2))
    grid = xr.DataArray(
        values, dims=("member", "time", "x"), coords={"time": pd.date_range("2020", periods=6)}
    )
    chosen = read(grid, {"select": {"member": 2}}).recordings[0].values[:, 0]
    np.testing.assert_allclose(chosen, values[2], rtol=1e-6)


def test_json_lines_in_every_wrapping(tmp_path):
    series = [RNG.normal(size=30).round(4).tolist() for _ in range(2)]
    series[0][3] = None
    folder = tmp_path / "set"
    for part, lengths in (("train", [20]), ("test", [25, 30])):
        (folder / part).mkdir(parents=True)
        records = [{"start": "2020-01-06", "target": s[:n]} for n in lengths for s in series]
        (folder / part / "data.json").write_text("\n".join(map(json.dumps, records)))
    (folder / "metadata").mkdir()
    (folder / "metadata" / "metadata.json").write_text('{"freq": "1B"}')
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as archive:
        archive.add(folder, "set")
    expected = np.array(series, float)
    for source in (folder, tmp_path / "set.tar.gz", folder / "train" / "data.json"):
        data = read(source)
        assert (data.layout.frequency, len(data.recordings)) == ("B", 2)
        for recording, values in zip(data.recordings, expected, strict=True):
            np.testing.assert_allclose(recording.values[:, 0], values[:20], rtol=1e-6)
            assert recording.stamps.equals(pd.date_range("2020-01-06", periods=20, freq="B", unit="ns"))
    joint = read(f"{folder}::test", {"joint": True}).recordings[0].values
    np.testing.assert_allclose(joint, expected.T, rtol=1e-6)
