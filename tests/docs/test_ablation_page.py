"""The section on the default's parts compares what is comparable; arms are fitted as they are called."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import ablation

from rheos.core.files import read_json
from rheos.forecast.forecaster import options
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe

PROPOSED = {"horizon": 3, "history": 4, "lags": [24]}
BASE = 1.0 + 0.1 * np.sin(np.arange(12) * np.pi / 6)


def study(**factors):
    """Arms with two seeds, whose scores are the base's times a number."""
    arms = {
        arm: {str(seed): {"crps": (factor * BASE).tolist()} for seed in range(2)}
        for arm, factor in factors.items()
    }
    return {"name": "waves", "note": "a set", "words": ["holdout=9"], "members": 5, "arms": arms}


def row(text, arm):
    return next(line for line in text.splitlines() if f"`{arm}`" in line and line.startswith("| "))


def test_the_way_back_is_the_defaults_own_and_other_arms_are_compared_without_it():
    found = study(**{ablation.DEFAULT: 0.9, ablation.FIRM: 1.0, ablation.BARE: 1.25, "lags=[]": 0.8})
    text = ablation.section([found])
    assert "| (CRPS of the default) | | 0.9000 |" in text
    for arm, gain in ((ablation.FIRM, "+10.0%"), (ablation.BARE, "+20.0%"), ("lags=[]", "-25.0%")):
        assert gain in row(text, arm)
        assert "x2" in row(text, arm)
    assert "process=plain" not in text


def test_what_is_not_measured_has_an_empty_cell():
    text = ablation.section([study(**{ablation.FIRM: 1.0, "lags=[]": 1.1}), study(**{ablation.FIRM: 1.0})])
    assert "| (CRPS of the default) | |  |  |" in text
    assert row(text, "lags=[]").endswith("|  |")


@pytest.mark.parametrize("arm", [arm for arm in ablation.ARMS if arm != ablation.BARE])
def test_an_arm_lacks_its_part_and_but_for_the_default_the_way_back(arm, tmp_path, monkeypatch):
    told = []

    def fit(dataset, horizon, words):
        told.append(build(Recipe, {**PROPOSED, **options(None, list(words))}, "the recipe"))

    monkeypatch.setattr(ablation.rheos, "fit", fit)
    monkeypatch.setattr(ablation, "scores", lambda *_: {"crps": [1.0, 2.0]})
    monkeypatch.setattr(ablation, "study_of", lambda _: _Study())
    file = tmp_path / "ablation-waves.json"
    ablation._measure("waves", tmp_path, arm, 1, file)
    ablation._measure("waves", tmp_path, arm, 1, file)
    (recipe,) = told
    assert recipe.seed == 1
    assert recipe.calibration.toward_anchor == (arm == ablation.DEFAULT)
    usual = build(Recipe, {**PROPOSED, "seed": 1, "holdout": 9}, "the recipe")
    firm = build(Recipe, {**usual.model_dump(), "calibration": {"toward_anchor": False}}, "the recipe")
    assert (recipe == usual) == (arm == ablation.DEFAULT)
    assert (recipe == firm) == (arm == ablation.FIRM)
    expected = {ablation.FIRM, ablation.BARE} if arm == ablation.FIRM else {arm}
    assert set(read_json(file)["arms"]) == expected


class _Study:
    note, horizon, words, members = "a set", 3, ("holdout=9",), 5

    def data(self, _):
        return "data"
