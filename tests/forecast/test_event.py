"""Events over joint members: by hand, and against the binomial law."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from rheos.core.errors import InputError
from rheos.forecast.forecast import Forecast


def forecast_of(values, name="Demand"):
    """One init time; `values` is (member, lead_time)."""
    values = np.asarray(values, float)
    return Forecast(
        xr.Dataset(
            {name: (("init_time", "member", "lead_time"), values[None])},
            coords={
                "init_time": pd.to_datetime(["2020-01-01"]),
                "member": np.arange(values.shape[0]),
                "lead_time": np.arange(1, values.shape[1] + 1),
                "valid_time": (
                    ("init_time", "lead_time"),
                    pd.date_range("2020-01-02", periods=values.shape[1]).to_numpy()[None],
                ),
            },
        )
    )


PATHS = [[1, 5, 2], [1, 1, 1], [6, 0, 0], [0, 0, 7]]


@pytest.mark.parametrize(
    ("event", "chance"),
    [
        ("Demand > 4", [0.25, 0.25, 0.25]),
        ("Demand >= 5", [0.25, 0.25, 0.25]),
        ("Demand < 1", [0.25, 0.5, 0.25]),
        ("max(Demand) > 4", 0.75),
        ("min(Demand) <= 0", 0.5),
        ("sum(Demand) > 6.5", 0.5),
        ("mean(Demand) < 1.5", 0.25),
    ],
)
def test_chances_are_shares_of_members(event, chance):
    found = forecast_of(PATHS).probability(event)
    assert np.allclose(found["probability"].values[0], chance)
    assert (found["low"] <= found["probability"]).all()
    assert (found["probability"] <= found["high"]).all()


def test_an_event_of_a_path_is_not_made_of_margins():
    """The chance of a maximum needs joint members: margins alone would say 1 - (3/4)^3."""
    assert forecast_of(PATHS).probability("max(Demand) > 4")["probability"].item() == 0.75


def test_first_passage():
    first = forecast_of(PATHS).first_passage("Demand > 4").values[0]
    assert np.array_equal(first, [2, np.nan, 1, 3], equal_nan=True)


def test_the_interval_is_jeffreys():
    found = forecast_of([[1.0]] * 3 + [[0.0]] * 17).probability("Demand > 0.5", level=0.9)
    assert found["low"].item() == pytest.approx(stats.beta.ppf(0.05, 3.5, 17.5))
    assert found["high"].item() == pytest.approx(stats.beta.ppf(0.95, 3.5, 17.5))


def test_intervals_cover_the_true_chance():
    """Binomial members with a known chance; fixed seed, coverage of a 90 % interval near 90 %."""
    rng = np.random.default_rng(0)
    chance, hits = 0.2, 0
    for _ in range(300):
        found = forecast_of((rng.random((50, 1)) < chance).astype(float)).probability("Demand > 0.5")
        hits += found["low"].item() <= chance <= found["high"].item()
    assert 0.85 < hits / 300 < 0.95


def test_missing_members_do_not_count():
    found = forecast_of([[1.0], [np.nan], [0.0], [np.nan]]).probability("Demand > 0.5")
    assert found["probability"].item() == 0.5
    assert np.isnan(forecast_of([[np.nan]]).probability("Demand > 0.5")["probability"].item())


@pytest.mark.parametrize("event", ["Demand", "Demand > much", "Wind > 3", "median(Demand) > 3", "> 3", ""])
def test_what_is_not_an_event_is_refused(event):
    with pytest.raises(InputError):
        forecast_of(PATHS).probability(event)


def test_a_variable_may_have_any_name():
    name = "T (degC) > x"
    found = forecast_of(PATHS, name).probability(f"max({name}) > 4")
    assert found["probability"].item() == 0.75


def test_the_table_has_a_row_a_lead_time_with_quantiles():
    table = forecast_of(PATHS).to_dataframe(levels=(0.1, 0.5))
    assert list(table.columns) == ["init_time", "lead_time", "valid_time", "variable", "mean", "P10", "P50"]
    assert table["mean"].tolist() == pytest.approx([2.0, 1.5, 2.5])
    assert table["P50"].tolist() == pytest.approx([1.0, 0.5, 1.5])
    assert table["valid_time"].tolist() == list(pd.date_range("2020-01-02", periods=3))
