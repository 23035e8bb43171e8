"""The verdict says what the interval says, and the JSON holds what was promised."""

import json

import numpy as np
import pytest

from rheos.evaluation.scorecard import Scorecard
from rheos.evaluation.table import table
from rheos.evaluation.tally import Tally


def card(ours, theirs=None, windows=None, **others):
    """A scorecard whose CRPS of each window is given: an ensemble of one value, off by that much."""
    rows = {"rheos": ours, "persistence": theirs if theirs is not None else np.ones(len(ours)), **others}
    tallies = {}
    for name, errors in rows.items():
        tallies[name] = Tally(np.ones(()), sums=True)
        for error in errors:
            truth = np.full((2, 1), np.nan if np.isnan(error) else 0.0)
            tallies[name].add(np.full((4, 2, 1), np.nan_to_num(error)), truth)
    count = windows or len(ours)
    stamps = [f"2020-01-{i + 1:02}" for i in range(count)]
    return Scorecard(
        tallies=tallies,
        channels=("a",),
        scale=np.array([2.0]),
        init_times=stamps,
        windows=count,
        members=4,
        evaluations=80,
        seconds=1.23456,
    )


def noisy(level, count=20, seed=0):
    return level + 0.1 * np.random.default_rng(seed).random(count)


def test_better():
    found = card(noisy(0.8), noisy(1.0, seed=1))
    assert found.verdict.startswith("Better: ")
    assert "lower CRPS than the best baseline, persistence" in found.verdict
    assert "20 windows" in found.verdict
    assert found.skill.low > 0


def test_worse():
    found = card(noisy(1.2), noisy(1.0, seed=1))
    assert found.verdict.startswith("Worse: ")
    assert "higher CRPS" in found.verdict
    assert found.skill.high < 0


def test_undecided():
    """Whichever side the estimate falls on, the interval decides."""
    rng = np.random.default_rng(0)
    one, other = 1 + rng.normal(size=20) ** 2, 1 + rng.normal(size=20) ** 2
    for found in (card(one, other), card(other, one)):
        assert found.verdict.startswith("Undecided: ")
        assert found.skill.low < 0 < found.skill.high


def test_too_few_windows_and_none():
    assert "too few for an interval" in card([1.0, 1.0]).verdict
    assert "no verdict" in card([np.nan], [np.nan]).verdict


def test_the_best_baseline_is_the_one_to_beat():
    found = card(np.ones(6), np.full(6, 3.0), seasonal=np.full(6, 2.0), lag_ridge=np.full(6, 4.0))
    assert found.best_baseline == "seasonal"
    assert found.skill.value == pytest.approx(0.5)


def test_windows_of_several_recordings_are_averaged_before_they_are_resampled():
    """Recordings of one window share their weather; they are one piece of evidence."""
    scores = np.arange(12.0) + 1
    found = card(scores, windows=6)
    assert found.per_window("rheos") == pytest.approx(scores.reshape(6, 2).mean(1) / 2)


def test_the_json():
    told = json.loads(json.dumps(card(noisy(0.8)).to_dict(), allow_nan=False))
    assert {"scores", "skill", "windows", "members", "evaluations", "seconds"} <= set(told)
    assert set(told["scores"]) == {"rheos", "persistence"}
    keys = {"crps", "crps_by_variable", "wql", "crps_sum", "rmse", "coverage_90", "spread_skill"}
    assert all(set(scores) == keys for scores in told["scores"].values())
    assert told["skill"] == pytest.approx(1 - np.mean(noisy(0.8)))
    assert (told["windows"], told["members"], told["evaluations"], told["seconds"]) == (20, 4, 80, 1.235)
    assert told["per_window"]["rheos"] == pytest.approx(list(noisy(0.8) / 2))


def test_a_window_without_observations_is_null():
    told = json.loads(json.dumps(card([1.0, np.nan, 1.0]).to_dict(), allow_nan=False))
    assert told["per_window"]["rheos"] == [0.5, None, 0.5]


def test_the_table_has_the_best_first():
    lines = table(card(np.ones(6), np.full(6, 3.0), seasonal=np.full(6, 2.0))).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["rheos", "seasonal", "persistence"]
    assert lines[0].split() == ["crps", "wql", "crps_sum", "rmse", "coverage_90", "spread_skill"]
    assert lines[1].split()[1] == "0.5000"
    assert "4 members, 80 network evaluations" in lines[-1]
