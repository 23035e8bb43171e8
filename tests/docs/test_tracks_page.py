"""The sections on particles and pedestrians say what the figures say."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import nbody, pedestrians


def scores(ade, systems=40):
    rng = np.random.default_rng(0)
    return {figure: ade * np.exp(0.1 * rng.normal(size=systems)) for figure in nbody.FIGURES}


def test_gains_are_those_of_the_same_systems_seed_by_seed():
    each = {
        nbody.OURS: [scores(a) for a in (0.1, 0.2)],
        nbody.LAST: [scores(a) for a in (0.2, 0.2)],
        nbody.FIXED: [scores(0.4)] * 2,
    }
    found = nbody._gains(each, nbody.LAST)["ade"]
    assert found["seeds"] == pytest.approx([0.5, 0.0])
    # Systems are paired: what they have in common makes no interval wider.
    assert found["mean"] == pytest.approx([0.25] * 3)


def test_the_section_on_particles_tells_every_arm():
    seeds = [{"seed": s, **dict.fromkeys(nbody.FIGURES, 0.1 + 0.01 * s)} for s in range(3)]
    gain = {figure: {"mean": [0.1, 0.05, 0.15], "seeds": [0.1, 0.2]} for figure in nbody.FIGURES}
    text = nbody.section(
        {"steps": 7, "batch": 32, "systems": 300, "tested": 20, "members": 5}
        | {"arms": {name: {"parameters": 9, "seeds": seeds} for name in nbody.ARMS}}
        | {"gains": {nbody.LAST: gain, nbody.FIXED: gain}}
    )
    assert text.count("| 9 | 0.110 (0.100 to 0.120) |") == 3
    assert text.count("+10.0% (+5.0% to +15.0%) | +10.0%, +20.0% |") == 6
    assert "GeoTDM 0.110/0.258" in text
    assert "--steps 7" in text


@pytest.mark.parametrize(("best", "told"), [(0.2, "within"), (0.5, "not within")])
def test_the_section_on_pedestrians_holds_the_bound_against_the_mean(best, told):
    def fold(name, shift):
        figures = dict.fromkeys(pedestrians.FIGURES, best + shift)
        going = dict.fromkeys(pedestrians.FIGURES, 0.4)
        said = {"rheos": figures, "constant velocity": going, "sampled constant velocity": going}
        return {"name": name, "paths": [3, 9], "steps": 5, "most": 4, "scores": said}

    shifts = {"eth": 0.1, "hotel": 0.0, "univ": 0.0, "zara1": -0.1, "zara2": 0.0}
    text = pedestrians.section([fold(name, shift) for name, shift in shifts.items()])
    assert f"Best of 20 {best:.3f}/{best:.3f}: {told} the bound" in text
    assert ("not below sampled" in text) == (best > 0.4)
    assert f"| paths scored |{' 3 of 9 |' * 5} |" in text
    part = pedestrians.section([fold("zara1", 0.0)])
    assert "Only zara1 measured yet" in part
    assert "Published" not in part


def test_windows_are_spread_evenly_and_hold_few_paths():
    found = [pedestrians.Window(None, k, np.ones(3, bool)) for k in range(100)]
    assert pedestrians.some(found, None) is found
    assert [w.origin for w in pedestrians.some(found, 12)] == list(range(0, 100, 9))
    crowded = [pedestrians.Window(None, k, np.ones(30, bool)) for k in range(100)]
    assert len(pedestrians.some(crowded, 12)) == 4
    assert len(pedestrians.some(found[:5], 12)) == 5
