"""What goes with what: found by trying, and only the mathematics says no."""

import pytest

from rheos.process import PROCESSES, DyDiff, Plain, PoissonFlow, RectifiedFlow
from rheos.process.noise import NOISES, StudentT
from rheos.sample.compatibility import compatibility
from rheos.sample.solver import SOLVERS

FOUND = {recipe.name(): compatibility(recipe()) for recipe in PROCESSES}
LIGHT = [word for word in FOUND if word != "pfgmpp"]


def refused(found, room):
    return {word for word, reason in found[room].items() if reason is not None}


def test_every_room_is_tried():
    for found in FOUND.values():
        assert set(found) == {"noise", "history", "prediction", "solver", "grid", "path", "correction"}
        assert set(found["solver"]) == {solver.name() for solver in SOLVERS}
        assert set(found["noise"]) == {noise.name() for noise in NOISES}


@pytest.mark.parametrize("word", LIGHT)
def test_gaussian_processes_take_every_noise_history_solver_grid_and_path(word):
    for room in ("noise", "history", "solver", "grid", "path"):
        assert refused(FOUND[word], room) == set()


@pytest.mark.parametrize("word", FOUND)
def test_predictions_that_divide_by_nothing_are_refused(word):
    recipe = next(recipe for recipe in PROCESSES if recipe.name() == word)()
    vanishing = word in ("rectified_flow", "kinetic_optimal", "gaussian_process", "follmer", "interpolant")
    expected = {"noise", "score"} if vanishing else {"score"} if word == "pfgmpp" else set()
    assert refused(FOUND[word], "prediction") == expected, recipe


def test_heavy_tails_take_solvers_without_noise_and_their_own_law_only():
    found = FOUND["pfgmpp"]
    assert refused(found, "solver") == {s.name() for s in SOLVERS if s().stochastic}
    assert "ancestral" in refused(found, "solver")
    assert refused(found, "noise") == {noise.name() for noise in NOISES} - {"student_t"}
    heavy = compatibility(Plain(noise=StudentT()))
    assert refused(heavy, "solver") == refused(found, "solver")


def test_reasons_are_one_sentence():
    reasons = {r for found in FOUND.values() for room in found.values() for r in room.values() if r}
    assert len(reasons) >= 3
    for reason in reasons:
        assert reason.endswith(".")
        assert "\n" not in reason


def test_settings_of_the_recipe_are_kept():
    assert refused(compatibility(DyDiff(schedule=RectifiedFlow().build().schedule)), "prediction") == {
        "noise",
        "score",
    }
    assert refused(compatibility(PoissonFlow(noise=StudentT(degrees=3.0))), "path") == set()
