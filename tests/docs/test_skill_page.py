"""The benchmark's page on skill says what was measured: wins, losses, bounds met and missed."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import skill, skill_page


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A set of 30 windows, measured as `python -m benchmarks skill` does."""
    folder = tmp_path_factory.mktemp("data")
    rng, hour = np.random.default_rng(0), np.arange(900)
    values = np.sin(hour * np.pi / 12) + 0.1 * rng.normal(size=900)
    stamps = pd.date_range("2024-01-01", periods=900, freq="h")
    pd.DataFrame({"time": stamps, "a": values, "b": 2 + values}).to_csv(folder / "waves.csv", index=False)
    small = ("network.width=8", "network.depth=1", "network.heads=1", "calibration=none", "block=10")
    words = ("training.steps=2", "training.checks=1", "training.batch=4", *small)
    case = skill.Case("waves.csv", 6, 180, "two waves", words, members=10, peers=())
    return {"name": "waves", "threads": 1, **skill.measure(case, folder, "1m", folder / "work")}


def test_the_page_holds_what_was_measured(measured):
    text = skill_page.section([measured])
    ours = measured["methods"]["rheos"]["scores"]
    best = measured["ranking"][0]
    assert f"**{measured['methods'][best]['scores']['crps']:.4f}**" in text
    assert f"| {ours['spread_skill']:.2f} |" in text
    assert "rheos compare waves.csv training.steps=2" in text
    assert measured["model"]["steps"] == 2
    assert f"(data `{measured['task']['fingerprint']}`, seed 0)" in text


@pytest.mark.parametrize(
    ("gain", "told", "wins"),
    [
        ((0.2, 0.1, 0.3), "| win |", "others: 1 (waves). More than 3 % behind anyone: nowhere."),
        ((0.2, -0.1, 0.3), "|  |", "others: 0 (none). More than 3 % behind anyone: nowhere."),
        (
            (-0.2, -0.3, -0.1),
            "| loss |",
            "others: 0 (none). More than 3 % behind anyone: waves (CRPS, 20.0%).",
        ),
    ],
)
def test_wins_and_losses_are_by_interval(measured, gain, told, wins):
    found = dict(measured)
    ours = dict(found["methods"]["rheos"])
    other = ours["against"]["crps"]["best_other"]
    ours["against"] = {"crps": {"best_other": {**other, "gain": list(gain)}}}
    found["methods"] = {**found["methods"], "rheos": ours}
    text = skill_page.section([found])
    assert told in text
    assert wins in text


@pytest.mark.parametrize(
    ("coverage", "ratio", "flat", "told"),
    [
        (0.9, 1.0, 0.5, "| yes |"),
        (0.8, 1.0, 0.5, "| no: coverage |"),
        (0.9, 0.8, 0.001, "| no: spread, flat |"),
    ],
)
def test_reliability_has_bounds(measured, coverage, ratio, flat, told):
    found, ours = dict(measured), dict(measured["methods"]["rheos"])
    ours["reliability"] = {"coverage_90": [coverage, coverage - 0.1, coverage + 0.1], "flatness": flat}
    ours["scores"] = {**ours["scores"], "spread_skill": ratio}
    found["methods"] = {**found["methods"], "rheos": ours}
    found["task"] = {**found["task"], "windows": 28}
    assert told in skill_page.section([found])
