import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data import sample_data


def test_elnino_is_a_whole_monthly_series_in_degrees() -> None:
    table = pd.read_csv(sample_data.path("elnino"), parse_dates=["time"])
    assert list(table.columns) == ["time", "sst_degC"]
    expected = pd.date_range("1950-01-01", "2010-12-01", freq="MS")
    np.testing.assert_array_equal(table["time"].to_numpy(), expected.to_numpy())
    assert table["sst_degC"].between(18, 30).all()
    assert table["sst_degC"].iloc[[0, -1]].tolist() == [23.11, 22.07]


def test_elnino_holds_the_warm_events_of_1983_and_1997() -> None:
    table = pd.read_csv(sample_data.path("elnino"), index_col="time", parse_dates=True)["sst_degC"]
    anomaly = table - table.groupby(table.index.month).transform("mean")
    yearly = anomaly.groupby(table.index.year).mean().sort_values()
    assert set(yearly.index[-2:]) == {1983, 1997}


def test_provenance_names_source_and_terms() -> None:
    text = sample_data.provenance("elnino")
    assert "NOAA" in text
    assert "public domain" in text


def test_unknown_sample_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="elnino"):
        sample_data.path("el-nino")
