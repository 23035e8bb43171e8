"""The section on one and two evaluations says what the figures say."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import few


def row(name, crps, gain):
    return {
        "name": name,
        "evaluations": int(name.split()[-1]),
        "crps": crps,
        "gain": [gain, gain - 0.01, gain + 0.01],
        "coverage_90": 0.9,
        "spread_skill": 1.0,
    }


TWIN = [row("as shipped, 20", 0.2, 0.02), row("solver, 25", 0.204, 0.0), row("euler, 1", 0.3, -0.47)]
MAP = [row("flow map, 1", 0.22, -0.08), row("flow map, 2", 0.21, -0.03), row("flow map, 4", 0.2, 0.02)]
FIGURES = {
    "steps": 700,
    "members": 50,
    "sets": {
        "taxi": {
            "default": {"windows": 28, "samplers": TWIN},
            "mean_flow": {"windows": 28, "samplers": MAP},
        }
    },
}


def test_every_sampler_has_its_row_and_both_bounds_are_told():
    text = few.section(FIGURES)
    assert "700 training steps each" in text
    assert "| taxi, 28 windows | default | solver, 25 | 0.2040 | +0.0% (-1.0% to +1.0%) | 0.900 |" in text
    assert (
        "| taxi, 28 windows | `objective=mean_flow` | flow map, 1 | 0.2200 | -8.0% (-9.0% to -7.0%) |" in text
    )
    assert text.count("| taxi, 28 windows |") == len(TWIN) + len(MAP)
    assert "mean_flow 1: +8.0%, mean_flow 2: +3.0%; that against the default's as shipped" in text
    assert "(bound +3 %): +2.0%" in text
    # Four calls are no one or two, and the twin's own few calls are no flow map's.
    assert "mean_flow 4" not in text
    assert "default 1" not in text


def test_every_model_has_a_recipe_that_validates():
    from rheos.forecast.forecaster import options
    from rheos.forecast.override import build
    from rheos.forecast.recipe import Recipe

    for words in few.MODELS.values():
        build(Recipe, {**options(None, list(words)), "horizon": 3, "history": 4}, "the recipe")
