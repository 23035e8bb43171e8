"""Models and forecasts go to disk and come back; axes, names, gaps and covariates survive the whole way."""

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
import xarray as xr

from rheos.core.errors import InputError
from rheos.forecast.forecast import Forecast
from rheos.forecast.forecaster import fit, load
from rheos.forecast.template import write_template

QUICK = (*tiny.SERIES, "training.steps=2")


@pytest.mark.parametrize("kind", ["table", "panel", "field", "covariate"])
def test_a_model_comes_back_with_the_same_bits(kind, request, tmp_path):
    model = request.getfixturevalue(f"{kind}_model")
    source = tiny.covariates(250, ahead=10) if kind == "covariate" else None
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert tiny.same(tiny.tensors(model.model), tiny.tensors(again.model))
    assert again.model.recipe == model.model.recipe
    assert again.model.history == model.model.history
    first, second = (m.forecast(source, members=5, quality="fast").dataset for m in (model, again))
    assert first.identical(second)
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    with pytest.raises(InputError, match="exists"):
        model.save(tmp_path / "m")


def test_saving_says_nothing(table_model, tmp_path, capsys, recwarn):
    table_model.save(tmp_path / "m")
    load(tmp_path / "m").forecast(members=3, quality="fast", out=tmp_path / "f.zarr")
    assert capsys.readouterr() == ("", "")
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize("kind", ["table", "panel", "field"])
def test_a_forecast_comes_back(kind, request, tmp_path, recwarn):
    made = request.getfixturevalue(f"{kind}_model").forecast(members=5, quality="fast")
    made.to_zarr(tmp_path / "a.zarr")
    again = Forecast.open(tmp_path / "a.zarr")
    assert again.variables == made.variables
    assert made.dataset.identical(again.dataset.load().drop_encoding())
    again.to_zarr(tmp_path / "b.zarr")
    assert made.dataset.identical(Forecast.open(tmp_path / "b.zarr").dataset.load())
    assert [str(w.message) for w in recwarn] == []
    with pytest.raises(InputError, match="exists"):
        made.to_zarr(tmp_path / "a.zarr")


def test_what_is_no_forecast_is_refused(tmp_path):
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False)
    with pytest.raises(InputError, match="not a forecast"):
        Forecast.open(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=r"none\.zarr does not exist"):
        Forecast.open(tmp_path / "none.zarr")
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"a\.csv is not a Zarr store"):
        Forecast.open(tmp_path / "a.csv")


def test_the_table_of_a_panel(panel_model, recwarn):
    made = panel_model.forecast(members=9, quality="fast")
    table = made.to_dataframe(levels=(0.25, 0.5))
    ends = tiny.panel().groupby("unique_id")["ds"].max()
    assert table["unique_id"].tolist() == ["s0"] * 4 + ["s1"] * 4 + ["s2"] * 4
    for name, rows in table.groupby("unique_id"):
        assert rows["valid_time"].tolist() == list(pd.date_range(ends[name], periods=5)[1:])
        values = made.dataset["y"].sel(unique_id=name, init_time=ends[name]).values
        assert rows["mean"].to_numpy() == pytest.approx(values.mean(0), rel=1e-5)
        assert rows["P25"].to_numpy() == pytest.approx(np.quantile(values, 0.25, axis=0), rel=1e-5)
    assert [str(w.message) for w in recwarn] == []


AXES = {
    "months": "MS",
    "month ends": "ME",
    "business days": "B",
    "half hours": "30min",
    "weeks": "W-SUN",
    "quarters": "QS-JAN",
}


@pytest.mark.parametrize("axis", AXES)
def test_calendars(axis, tmp_path):
    """The stamps of the forecast are those that pandas puts after the data."""
    source = tiny.table(90, 1, AXES[axis])
    model = fit(source, 3, words=QUICK, out=tmp_path / "m")
    made = load(tmp_path / "m").forecast(members=4, quality="fast", out=tmp_path / "f.zarr")
    after = pd.date_range(source["time"].iloc[-1], periods=4, freq=AXES[axis])[1:]
    assert list(pd.DatetimeIndex(made.dataset.valid_time.values[0])) == list(after)
    assert made.dataset.init_time.values[0] == source["time"].values[-1]
    assert model.forecast(members=4, quality="fast").dataset.identical(made.dataset.load().drop_encoding())


def test_frame_numbers(tmp_path):
    frame = tiny.table(90, 1).rename(columns={"time": "frame"})
    frame["frame"] = 1000 + 10 * np.arange(90)
    model = fit(frame, 3, words=QUICK, out=tmp_path / "m")
    made = load(tmp_path / "m").forecast(members=4, quality="fast", out=tmp_path / "f.zarr")
    assert made.dataset.valid_time.values.tolist() == [[1900, 1910, 1920]]
    assert made.dataset.init_time.values.tolist() == [1890]
    past = model.forecast(frame, at=1500, members=4, quality="fast")
    assert past.dataset.valid_time.values.tolist() == [[1510, 1520, 1530]]
    with pytest.raises(InputError, match="no frame at 1505"):
        model.forecast(frame, at=1505)


def test_a_model_calendar(tmp_path):
    times = xr.date_range("2000-01-16", periods=90, freq="D", calendar="360_day", use_cftime=True)
    source = xr.Dataset({"t": (("time",), tiny.walk(90, 1)[:, 0])}, coords={"time": times})
    model = fit(source, 3, words=QUICK, out=tmp_path / "m")
    made = load(tmp_path / "m").forecast(members=4, quality="fast", out=tmp_path / "f.zarr")
    after = xr.date_range(times[-1], periods=4, freq="D", calendar="360_day", use_cftime=True)[1:]
    assert list(made.dataset.valid_time.values[0]) == list(after)
    assert np.array_equal(made.dataset["t"], model.forecast(members=4, quality="fast").dataset["t"])
    past = model.forecast(source, at="2000-02-30", members=4, quality="fast")
    assert past.dataset.valid_time.values[0][0].isoformat() == "2000-03-01T00:00:00"


@pytest.mark.parametrize("channels", [1, 12])
def test_few_and_many_channels(channels):
    made = fit(tiny.table(90, channels), 3, words=QUICK).forecast(members=4, quality="fast")
    assert made.variables == tuple("abcdefghijkl"[:channels])
    for name in made.variables:
        assert made.dataset[name].shape == (1, 4, 3)
        assert np.isfinite(made.dataset[name]).all()


NAMES = ["wind/speed", "T (°C)", "member", "lead_time", "init_time", "valid_time", ".", "..", "a b"]


def test_channels_of_any_name(tmp_path):
    """No name is lost, none meets an axis of the forecast, none opens a folder in the store."""
    source = tiny.table(90, len(NAMES))
    source.columns = ["when", *NAMES]
    words = ("data.time=when", *(f"roles.{name}=target" for name in NAMES))
    model = fit(source, 3, words=(*QUICK, *words), out=tmp_path / "m")
    made = load(tmp_path / "m").forecast(members=4, quality="fast", out=tmp_path / "f.zarr")
    kept = model.forecast(members=4, quality="fast")
    assert kept.dataset.identical(made.dataset.load().drop_encoding())
    told = [made.dataset[v].attrs.get("long_name", v) for v in made.variables]
    assert told == list(model.model.layout.channels)
    assert set(told) == set(NAMES)
    assert not {"member", "lead_time", "init_time", "valid_time"} & set(made.variables)


def test_gaps_in_a_table_are_missing():
    """NaN in history and target: training and forecasts stay finite."""
    source = tiny.table(200, 2)
    rng = np.random.default_rng(0)
    holed = source.copy()
    holed.loc[rng.random(200) < 0.15, "a"] = np.nan
    holed.loc[rng.random(200) < 0.15, "b"] = np.nan
    holed.loc[196:, "b"] = np.nan
    model = fit(holed, 4, words=tiny.SERIES)
    made = model.forecast(members=6, quality="fast")
    assert all(np.isfinite(made.dataset[name]).all() for name in made.variables)
    assert all(loss == loss for _, loss in model.model.history.losses)
    emptied = holed.copy()
    emptied.loc[150:, "b"] = np.nan
    assert np.isfinite(model.forecast(emptied, members=6, quality="fast").dataset["b"]).all()


def test_land_stays_land_and_moving_gaps_are_filled(field_model):
    made = field_model.forecast(members=5, quality="fast", horizon=5)
    values = made.dataset["sst"]
    assert values.dims == ("init_time", "member", "lead_time", "lat", "lon")
    assert np.isnan(values[..., 0, 0]).all()
    assert int(np.isfinite(values).sum()) == values.size // 24 * 23
    assert values.attrs["units"] == "K"
    assert made.dataset.lat.values.tolist() == tiny.field().lat.values.tolist()


def test_a_template_is_filled_in_and_used(covariate_model, tmp_path):
    """What users do: write the table, fill it in, append it to the source, forecast."""
    covariate_model.save(tmp_path / "m")
    source = tiny.covariates()
    source.to_csv(tmp_path / "source.csv", index=False)
    with pytest.raises(InputError, match="'plan' must be known ahead"):
        load(tmp_path / "m").forecast(tmp_path / "source.csv")
    write_template(tmp_path / "m", tmp_path / "source.csv", tmp_path / "future.csv")
    table = pd.read_csv(tmp_path / "future.csv")
    assert list(table.columns) == ["time", "plan"]
    assert table["plan"].isna().all()
    after = pd.date_range(source["time"].iloc[-1], periods=5, freq="h")[1:]
    assert list(pd.to_datetime(table["time"])) == list(after)
    results = []
    for plan in (0.0, 0.0, 2.0):
        pd.concat([source, table.assign(plan=plan)]).to_csv(tmp_path / "filled.csv", index=False)
        made = load(tmp_path / "m").forecast(tmp_path / "filled.csv", members=4, quality="fast")
        assert list(made.dataset.valid_time.values[0]) == list(after)
        results.append(made.dataset)
    assert results[0].identical(results[1])
    assert not results[0].identical(results[2])


def test_a_template_has_the_names_of_the_source(tmp_path):
    source = tiny.covariates().rename(columns={"time": "valid from"})
    model = fit(source, tiny.HORIZON, words=(*QUICK, *tiny.COVARIATES), out=tmp_path / "m")
    assert model.model.layout.time == "valid from"
    write_template(tmp_path / "m", None, tmp_path / "future.csv")
    assert list(pd.read_csv(tmp_path / "future.csv").columns) == ["valid from", "plan"]


def test_a_template_holds_what_is_known_already(covariate_model, tmp_path):
    covariate_model.save(tmp_path / "m")
    source = tiny.covariates(250, ahead=2)
    write_template(tmp_path / "m", source, tmp_path / "future.csv")
    plan = pd.read_csv(tmp_path / "future.csv")["plan"]
    assert plan[:2].tolist() == pytest.approx(source["plan"].iloc[-2:].tolist(), rel=1e-6)
    assert plan[2:].isna().all()


def test_the_callers_objects_stay_as_they_are():
    for source, words in ((tiny.covariates(), (*QUICK, *tiny.COVARIATES)), (tiny.field(60), tiny.FIELD)):
        before = source.copy(deep=True)
        generator, grad = torch.get_rng_state(), torch.is_grad_enabled()
        fit(source, 3, words=words).forecast(source, at=str(before["time"].values[50]), members=2)
        assert before.equals(source)
        assert torch.equal(torch.get_rng_state(), generator)
        assert torch.is_grad_enabled() == grad
