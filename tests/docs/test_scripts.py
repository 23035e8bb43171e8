"""The scripts under examples/ run, and what they print is right where the truth is known."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["training.steps=5", "training.checks=1", "network.width=16", "network.depth=1", "block=10"]
SMALL_FIELD = [
    "training.steps=2",
    "training.checks=1",
    "network.base=8",
    "network.multipliers=[1]",
    "block=4",
]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_own_network_learns_the_exact_law():
    exact, oracle, ours = script("own_network").main(steps=150)
    assert oracle == pytest.approx(exact, rel=0.03)
    assert ours == pytest.approx(exact, rel=0.1)


def test_table(tmp_path):
    forecast = script("table").main(tmp_path, SMALL)
    assert forecast.dataset.sst_degC.shape == (1, 200, 6)
    assert (tmp_path / "model" / "model.safetensors").is_file()
    lines = (tmp_path / "forecast.csv").read_text().splitlines()
    assert len(lines) == 7
    assert lines[0].endswith("P5,P50,P95")


def test_field(tmp_path):
    forecast = script("field").main(tmp_path, SMALL_FIELD, frames=50, size=10)
    assert forecast.vorticity.dims == ("init_time", "member", "lead_time", "y", "x")
    assert np.isfinite(forecast.vorticity.values).all()
    assert forecast.vorticity.attrs["units"] == "1/s"
