"""Recipes with history under noise: what goes together, and a model that continues from blurred frames."""

import numpy as np
import pytest
import tiny

from rheos.core.errors import InputError
from rheos.forecast.forecaster import load, options
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe

SIZES = {"horizon": 4, "history": 8}
DIFFUSED = "process.history=diffused"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["process.history_noise=0.1"],
            "process.history_noise=0.1 shows history with more noise than training",
        ),
        (
            ["process.history_noise=0.8", "objective.history_noise=0.7"],
            "raise objective.history_noise from 0.7",
        ),
        (
            [DIFFUSED, "objective.history_noise=0.7"],
            "objective.history_noise=0.7 needs history that is clean",
        ),
        ([DIFFUSED, "network=causal"], "network=causal needs history that is clean"),
        (["process.history_noise=-1"], "process.history_noise"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(words, sentence):
    with pytest.raises(InputError, match=sentence):
        build(Recipe, SIZES | options(None, words), "the recipe")


def test_a_model_is_shown_its_own_frames_blurred(tmp_path):
    words = (*tiny.SERIES, "objective.history_noise=0.7", "process.history_noise=0.1")
    model = tiny.fitted(tiny.table(), words, out=tmp_path / "m")
    given = {"members": 3, "quality": "fast", "horizon": 9}
    drawn = model.forecast(**given).dataset
    assert all(np.isfinite(drawn[name]).all() for name in drawn)
    loaded = load(tmp_path / "m")
    assert loaded.model.denoiser.process.history_noise == 0.1
    assert loaded.forecast(**given).dataset.equals(drawn)
    assert loaded.forecast(**given | {"members": 1}).dataset.equals(drawn.isel(member=[0]))
    clean = loaded.model.denoiser.process.model_copy(update={"history_noise": 0.0})
    loaded.model.denoiser.process = clean
    assert not loaded.forecast(**given).dataset.equals(drawn)
