"""The radar benchmark: units of both recordings, averages over cells, scores, and the page of its figures."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from rheos.data.reader import read
from rheos.evaluation.comparison.task import Task

_FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "radar.py"
_SPEC = importlib.util.spec_from_file_location("benchmark_radar", _FILE)
radar = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = radar
_SPEC.loader.exec_module(radar)


def content(name, frames=24):
    rng = np.random.default_rng(0)
    stamps = np.array(
        [f"2010082600{m:02d}" for m in range(0, 60, 5)] + [f"2010082601{m:02d}" for m in range(0, 60, 5)]
    )
    if name == "knmi":
        accum = rng.integers(0, 50, (frames, 256, 256)).astype(np.uint16)
        return {"accum": accum, "scale_mm": np.float32(0.01), "time": stamps}
    return {"dbz_code": rng.integers(0, 150, (frames, 512, 512)).astype(np.uint8), "time": stamps}


def test_both_recordings_become_rain_rates():
    knmi = content("knmi")
    assert radar.rates("knmi", knmi)[3, 4, 5] == pytest.approx(knmi["accum"][3, 4, 5] * 0.12)
    fmi = {"dbz_code": np.full((1, 512, 512), 64 + 2 * 30, np.uint8)}
    # 30 dBZ is 1000 mm^6/m^3.
    assert radar.rates("fmi", fmi)[0, 0, 0] == pytest.approx((1000 / 223) ** (1 / 1.53))
    assert (radar.rates("fmi", {"dbz_code": np.zeros((1, 512, 512), np.uint8)}) == 0).all()
    assert radar.rates("fmi", content("fmi")).shape == (24, 256, 256)


def test_cells_are_averaged():
    fields = np.arange(64.0).reshape(1, 8, 8)
    assert radar.coarse(fields, 4)[0, 1, 0] == fields[0, 4:, :4].mean()
    data = read(radar.as_dataset("knmi", content("knmi"), 4))
    assert (data.features, data.layout.units, data.layout.frequency) == ((1, 64, 64), ("mm/h",), "5min")


def scores(crps, skill):
    return {
        "crps": crps,
        "crps_by_window": [crps - 0.01, crps + 0.01],
        "crps_by_lead": [crps] * 6,
        "fractions_skill": {"0.5": skill, "1": skill, "5": skill},
        "fit_cpu": 12.3,
        "limits": "",
    }


def test_a_perfect_forecast_scores_and_the_page_tells_the_verdict():
    task = Task(read(radar.as_dataset("knmi", content("knmi"), 4)), radar.HORIZON, 12, members=4)
    truth = task.dataset.recordings[0].values
    found = radar.score(task, lambda _, origin: np.repeat(truth[None, origin : origin + 6], 4, axis=0))
    assert found["crps"] == pytest.approx(0, abs=1e-6)
    assert found["fractions_skill"]["1"] == pytest.approx(1)
    assert len(found["crps_by_window"]) == 2
    methods = {
        "rheos": scores(0.18, 0.95),
        "persistence": scores(0.3, 0.8),
        "extrapolation": scores(0.26, 0.9) | {"limits": "Lucas-Kanade"},
        "extrapolation, 2 km": scores(0.27, 0.9),
        "steps": scores(0.25, 0.9),
        "steps, 2 km": scores(0.2, 0.91),
        "anchor alone": scores(0.19, 0.94),
    }
    event = {"note": "an event", "file": "", "holdout": 12}
    row = {"name": "knmi", "event": event, "windows": 2, "words": ["history=4"], "methods": methods}
    page = radar.section([row])
    assert "| rheos | 0.1800 | 0.950 | 0.950 | 0.950 | 12 |" in page
    assert "against steps, 2 km: CRPS 0.900 of its, lower in 2 of 2 windows" in page
    assert "against extrapolation: CRPS 0.692 of its" in page
    assert "- extrapolation: Lucas-Kanade" in page
