"""What `inspect` says of a fit that would take more than a machine has."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import rheos
from rheos.forecast.override import parse_words
from rheos.forecast.proposal import proposal_text


@pytest.fixture(scope="module")
def grid():
    stamps = np.arange("2024-01", "2024-02", dtype="datetime64[D]")
    values = np.random.default_rng(0).normal(size=(len(stamps), 16, 16)).astype(np.float32)
    return rheos.inspect(
        xr.DataArray(values, dims=("time", "y", "x"), coords={"time": stamps}, name="v"), horizon=3
    )


def test_what_a_machine_has_needs_no_advice(grid):
    assert "that is much" not in proposal_text(grid)


@pytest.mark.parametrize(
    ("megabytes", "seconds", "factor"), [(9000, 5, 0.5), (40000, 5, 0.25), (10, 10000, 0.125)]
)
def test_a_dear_field_is_told_how_to_take_less(grid, megabytes, seconds, factor):
    """Frames smaller by a factor f hold f^2 as many cells; a video may be read so, any grid be coded."""
    cost = {**grid.cost, "training_memory_mb": megabytes, "forecast_seconds": seconds}
    of_grid = proposal_text(replace(grid, cost=cost))
    assert "that is much" in of_grid
    assert "data.size" not in of_grid
    of_video = proposal_text(replace(grid, cost=cost, source="clips/Clip.MP4"))
    assert f"data.size={factor:g} or" in of_video
    assert factor**2 * max(megabytes / 8000, seconds / 600) <= 1


def test_the_codec_that_is_offered_is_one(grid):
    text = proposal_text(replace(grid, cost={**grid.cost, "training_memory_mb": 9000}))
    word = text[text.index("codec=") :].partition("'")[0]
    stamps = np.arange("2024-01", "2024-02", dtype="datetime64[D]")
    values = xr.DataArray(np.zeros((len(stamps), 16, 16)), dims=("time", "y", "x"), coords={"time": stamps})
    assert parse_words([word])["codec"][1]["factor"] == 4
    assert rheos.inspect(values.rename("v"), horizon=3, words=[word]).recipe["codec"][1]["channels"] == 6
