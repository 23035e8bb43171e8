"""Tables of a forecast, by hand, and the command that shows and writes them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rheos.cli import main
from rheos.core.errors import InputError
from rheos.forecast.forecast import Forecast
from rheos.forecast.table import levels_of, shown, write_table

FIRST = pd.Timestamp("2020-01-02")
# Two sequences, four members, three lead times.
PATHS = np.array([[[1, 5, 2], [1, 1, 1], [6, 0, 0], [0, 0, 7]], [[9, 9, 9]] * 4], float)
EVENTS = ["load > 4", "max(load) > 4"]


def forecast_of(paths=PATHS):
    leads = paths.shape[-1]
    return Forecast(
        xr.Dataset(
            {"load": (("unique_id", "init_time", "member", "lead_time"), paths[:, None])},
            coords={
                "unique_id": ["a", "b"],
                "init_time": [FIRST - pd.Timedelta("1D")],
                "member": np.arange(paths.shape[1]),
                "lead_time": np.arange(1, leads + 1),
                "valid_time": (
                    ("init_time", "lead_time"),
                    pd.date_range(FIRST, periods=leads).to_numpy()[None],
                ),
            },
        )
    )


def test_chances_have_a_row_an_event_a_sequence_and_a_lead_time():
    table = forecast_of().chances(EVENTS)
    rows = table[table["event"] == "load > 4"]
    assert rows["unique_id"].tolist() == ["a"] * 3 + ["b"] * 3
    assert rows["probability"].tolist() == [0.25, 0.25, 0.25, 1, 1, 1]
    assert rows["lead_time"].tolist() == [1, 2, 3] * 2
    assert table["lead_time"].dtype == "Int64"  # whole where an event of the whole horizon has none
    assert rows["valid_time"].tolist() == list(pd.date_range(FIRST, periods=3)) * 2
    over = table[table["event"] == "max(load) > 4"]
    assert over["probability"].tolist() == [0.75, 1]
    assert over[["lead_time", "valid_time"]].isna().all(axis=None)
    assert ((table["low"] <= table["probability"]) & (table["probability"] <= table["high"])).all()
    asked = forecast_of().probability("load > 4", 0.5)
    assert forecast_of().chances(["load > 4"], 0.5)["low"].tolist() == asked["low"].values.ravel().tolist()


def test_events_of_the_whole_horizon_alone_have_no_lead_time():
    assert "lead_time" not in forecast_of().chances(["max(load) > 4"])


def test_sequences_without_a_forecast_have_no_rows():
    paths = PATHS.copy()
    paths[1] = np.nan
    assert forecast_of(paths).chances(EVENTS)["unique_id"].unique().tolist() == ["a"]


def test_what_says_nothing_is_said_once():
    text = shown(forecast_of().to_dataframe((0.5,)))
    head, _, body = text.partition("\n\n")
    assert head.splitlines() == ["init_time: 2020-01-01 00:00:00", "variable: load"]
    lines = body.splitlines()
    assert lines[0].split() == ["unique_id", "lead_time", "valid_time", "mean", "P50"]
    assert lines[1].split() == ["a", "1", "2020-01-02", "2", "1"]
    assert len(lines) == 7


def test_over_the_horizon_is_said_to_be_over_all():
    lines = shown(forecast_of().chances(EVENTS)).splitlines()
    assert lines[-1].split()[:5] == ["max(load)", ">", "4", "b", "all"]
    assert "NaT" not in lines[-1]


def test_a_long_table_is_shown_in_part():
    paths = np.random.default_rng(0).normal(size=(2, 3, 50))
    lines = shown(forecast_of(paths).to_dataframe()).splitlines()
    assert lines[-1] == "... and 52 more rows; --out FILE.csv writes all"
    assert len(lines) == 3 + 1 + 48 + 1


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_file_holds_all_of_it(suffix, tmp_path):
    table = forecast_of().chances(EVENTS)
    path = tmp_path / f"t{suffix}"
    write_table(table, path)
    found = pd.read_csv(path, parse_dates=["valid_time"]) if suffix == ".csv" else pd.read_parquet(path)
    assert found["probability"].tolist() == table["probability"].tolist()
    assert found["valid_time"].tolist()[:6] == table["valid_time"].tolist()[:6]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(InputError, match="exists"):
        write_table(table, path)
    with pytest.raises(InputError, match=r"end in \.csv or \.parquet"):
        write_table(table, tmp_path / "t.xlsx")


def test_levels_are_read_and_put_in_order():
    assert levels_of("0.9, 0.1,0.5,0.1") == (0.1, 0.5, 0.9)
    for wrong in ("0.1,1.5", "ten", "", "-0.1", "nan"):
        with pytest.raises(InputError, match="between 0 and 1"):
            levels_of(wrong)


def test_from_the_shell(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forecast_of().to_zarr("f.zarr")

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main(["table", "f.zarr", *words])
        return left.value.code or 0

    assert call("--levels", "0.25,0.75") == 0
    assert "P25" in capsys.readouterr().out
    assert call("--event", EVENTS[0], "--event", EVENTS[1], "--out", "t.csv") == 0
    assert capsys.readouterr().out == "t.csv: 8 rows\n"
    assert pd.read_csv("t.csv")["event"].unique().tolist() == EVENTS
    assert call("--event", "speed > 4") == 2
    assert "no variable 'speed'" in capsys.readouterr().err
