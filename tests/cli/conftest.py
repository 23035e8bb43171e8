"""One small model for all tests of the command line."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "forecast"))

import tiny

from rheos import cli

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder of healthy things: tables, models, a forecast, a field."""
    place = tmp_path_factory.mktemp("shelf")
    tiny.table(200).to_csv(place / "table.csv", index=False)
    tiny.covariates(200).to_csv(place / "plans.csv", index=False)
    tiny.field(60).to_netcdf(place / "field.nc", engine="h5netcdf")
    tiny.fitted(place / "table.csv", (*tiny.SERIES, "holdout=20"), out=place / "model")
    tiny.fitted(place / "plans.csv", (*tiny.SERIES, *tiny.COVARIATES), out=place / "planner")
    tiny.fitted(tiny.panel((80, 90)), out=place / "panel")
    call(["forecast", str(place / "model"), "--members", "5", "--out", str(place / "f.zarr")])
    return place


@pytest.fixture
def bench(shelf, tmp_path, monkeypatch):
    """A copy of the shelf that a test may break, as the working folder."""
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(arguments):
    """Run the command line in this process; its exit code."""
    try:
        cli.main(arguments)
    except SystemExit as left:
        return left.code or 0
    return 0


@pytest.fixture(name="call")
def _call():
    return call
