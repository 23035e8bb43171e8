"""CRPS on the circle against all pairs, the numbers of one half of it, and properness."""

import numpy as np
import pytest

from rheos.score import circular_crps, crps

RNG = np.random.default_rng(0)


def distance(a, b, period):
    gap = abs(a - b) % period
    return min(gap, period - gap)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
@pytest.mark.parametrize("estimator", ["fair", "plain"])
def test_all_pairs(count, estimator):
    members, truth = RNG.uniform(-50, 50, size=(count, 6)), RNG.uniform(-50, 50, size=6)
    found = circular_crps(members, truth, 24.0, estimator)
    for entry in range(6):
        x, y = members[:, entry], truth[entry]
        error = np.mean([distance(a, y, 24.0) for a in x])
        pairs = sum(distance(a, b, 24.0) for a in x for b in x)
        weight = 2 * count * (count if estimator == "plain" else max(count - 1, 1))
        assert found[entry] == pytest.approx(error - pairs / weight, abs=1e-12)


def test_on_one_half_of_the_circle_it_is_the_crps():
    members, truth = RNG.uniform(-80, 80, size=(9, 40)), RNG.uniform(-80, 80, size=40)
    truth[3] = np.nan
    np.testing.assert_allclose(circular_crps(members, truth), crps(members, truth), atol=1e-10)
    np.testing.assert_allclose(
        circular_crps((members + 350) % 360, (truth - 10) % 360), crps(members, truth), atol=1e-10
    )


def test_the_truth_of_another_turn_is_the_same():
    members, truth = RNG.uniform(0, 360, size=(7, 20)), RNG.uniform(0, 360, size=20)
    np.testing.assert_allclose(
        circular_crps(members + 720, truth - 360), circular_crps(members, truth), atol=1e-9
    )


def test_the_law_of_the_truth_scores_best():
    """Strictly, for von Mises laws: too narrow, too wide and turned ones lose by many standard errors."""
    cases = 40_000
    truth = np.degrees(RNG.vonmises(0, 2, size=cases))

    def score(mean, concentration):
        members = np.degrees(RNG.vonmises(mean, concentration, size=(6, cases)))
        return circular_crps(members, truth)

    best = score(0.0, 2.0)
    for other in (score(0.0, 6.0), score(0.0, 0.7), score(0.4, 2.0)):
        gain = other - best
        assert gain.mean() > 6 * gain.std() / np.sqrt(cases)
