"""Scores against printed numbers, brute-force double loops and independent implementations."""

import numpy as np
import pytest
import scoringrules
import torch
from scipy import stats

from rheos import score
from rheos.core.errors import InputError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 4, 3))
Y = RNG.normal(size=(4, 3))
SHIFT = np.array([[[1.0, 2.0], [0.0, 1.0]], [[2.0, 1.0], [1.0, np.nan]]])


def double_loop(members, truth, power=1.0, fair=True):
    m = len(members)
    near = sum(np.linalg.norm(x - truth) ** power for x in members) / m
    pairs = sum(np.linalg.norm(a - b) ** power for a in members for b in members)
    return near - pairs / (2 * m * (m - 1 if fair else m))


def test_crps_of_four_members():
    members, truth = np.array([0.0, 1.0, 2.0, 4.0]), np.array(1.5)
    assert score.crps(members, truth, "plain") == pytest.approx(0.4375, abs=1e-12)
    assert score.crps(members, truth, "fair") == pytest.approx(1 / 6, abs=1e-12)
    loss = score.almost_fair_crps(torch.tensor(members), torch.tensor(1.5, dtype=torch.float64))
    assert loss.item() == pytest.approx(0.1802083, abs=1e-7)


@pytest.mark.parametrize("estimator", ["fair", "plain"])
def test_crps_and_energy_score_are_their_double_loops(estimator):
    crps = score.crps(X, Y, estimator)
    energy = score.energy_score(X, Y, estimator)
    for i in range(4):
        assert energy[i] == pytest.approx(double_loop(X[:, i], Y[i], fair=estimator == "fair"), abs=1e-12)
        for j in range(3):
            one = double_loop(X[:, i, j, None], Y[i, j, None], fair=estimator == "fair")
            assert crps[i, j] == pytest.approx(one, abs=1e-12)
    theirs = scoringrules.es_ensemble(Y, X, m_axis=0, estimator={"fair": "fair", "plain": "nrg"}[estimator])
    np.testing.assert_allclose(energy, theirs, rtol=1e-12)
    np.testing.assert_allclose(
        score.energy_score(X, Y, estimator, per_entry=True), theirs / np.sqrt(3), rtol=1e-12
    )


def test_almost_fair_runs_from_plain_to_fair_and_has_a_gradient():
    members, truth = torch.from_numpy(X), torch.from_numpy(Y)
    np.testing.assert_allclose(score.almost_fair_crps(members, truth, 1.0), score.crps(X, Y), atol=1e-12)
    np.testing.assert_allclose(
        score.almost_fair_crps(members, truth, 0.0), score.crps(X, Y, "plain"), atol=1e-12
    )
    np.testing.assert_allclose(score.almost_fair_crps(members[:1], truth), np.abs(X[0] - Y))
    assert torch.autograd.gradcheck(
        lambda m: score.almost_fair_crps(m, truth), members.clone().requires_grad_()
    )


def test_crps_of_a_large_gaussian_ensemble_is_the_closed_form():
    members = stats.norm.ppf((np.arange(20000) + 0.5) / 20000)
    assert score.crps(members, np.array(0.0)) == pytest.approx(0.2336950, abs=1e-4)


def test_threshold_weighted_crps_agrees_with_scoringrules():
    theirs = scoringrules.twcrps_ensemble(Y, X, a=0.3, m_axis=0, estimator="fair")
    np.testing.assert_allclose(score.threshold_weighted_crps(X, Y, 0.3), theirs, atol=1e-12)


def test_quantile_scores_are_those_of_gluonts():
    """Numbers made with gluonts 0.17.0's MultivariateEvaluator."""
    n, t, d = np.ogrid[:5, :3, :2]
    members, truth = 5 + t + 0.5 * n + d, (2 * (t + 3) + d)[0].astype(float)
    for metric in (score.crps_sum, score.weighted_quantile_loss):
        assert metric(members, truth) == pytest.approx(0.0996904025, abs=1e-10)
        assert metric(members, truth, score.LEVELS_9) == pytest.approx(0.1010893246, abs=1e-10)
    # ND is the weighted quantile loss of the median alone.
    assert score.weighted_quantile_loss(members, truth, (0.5,)) == pytest.approx(0.1176470588, abs=1e-10)


def test_quantile_scores_by_loops():
    top, bottom = 0.0, np.abs(Y.sum(1)).sum()
    for level in score.LEVELS_19:
        for i in range(4):
            z = Y[i].sum()
            q = sorted(X[:, i].sum(1))[round(6 * level)]
            top += 2 * (level * max(z - q, 0) + (1 - level) * max(q - z, 0)) / 19
    assert score.crps_sum(X, Y) == pytest.approx(top / bottom, rel=1e-12)


def test_variogram_score_is_the_full_double_sum():
    weights = RNG.random((3, 3))
    np.testing.assert_allclose(
        score.variogram_score(X, Y, 0.5, weights),
        scoringrules.vs_ensemble(Y, X, weights, m_axis=0, p=0.5),
        rtol=1e-12,
    )
    total = 0.0
    for i in range(3):
        for j in range(3):
            expected = np.mean([abs(x[i] - x[j]) for x in X[:, 0]])
            total += (abs(Y[0, i] - Y[0, j]) - expected) ** 2
    assert score.variogram_score(X, Y, 1.0)[0] == pytest.approx(total, rel=1e-12)


def test_brier_scores_and_their_parts():
    members, truth = RNG.integers(0, 5, (6, 400)), RNG.integers(0, 5, 400)
    probability, outcome = score.exceedance(members, truth, 2)
    plain = score.brier_score(members, truth, 2, "plain")
    np.testing.assert_allclose(
        plain, [(np.mean(m > 2) - (y > 2)) ** 2 for m, y in zip(members.T, truth, strict=True)]
    )
    parts = score.brier_parts(probability, outcome)
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(plain.mean(), abs=1e-12)
    # The Brier score is the CRPS of the indicator, so its fair form is the fair CRPS of the indicator.
    fair = score.crps((members > 2).astype(float), (truth > 2).astype(float))
    np.testing.assert_allclose(score.brier_score(members, truth, 2), fair, atol=1e-12)


def test_spread_skill_by_hand():
    members, truth = np.array([[0.0, 2.0], [2.0, 4.0]]), np.array([0.0, 3.0])
    assert score.rmse(members, truth) == pytest.approx(np.sqrt(0.5))
    assert score.spread(members, truth) == pytest.approx(np.sqrt(3.0))
    assert score.spread_skill(members, truth) == pytest.approx(np.sqrt(6.0))
    assert score.spread_skill(members, truth, axes=0).shape == ()
    assert np.isnan(score.spread(members[:1], truth))


def test_central_interval_sits_at_weibull_positions():
    members = np.arange(1.0, 20.0)
    assert score.central_interval(members, 0.9) == pytest.approx((1.0, 19.0))
    assert score.central_interval(members, 0.8) == pytest.approx((2.0, 18.0))
    assert score.interval_width(members, np.array(4.0), 0.8) == pytest.approx(16.0)
    assert score.covered(members, np.array(2.0), 0.8) == 1
    assert score.covered(members, np.array(1.9), 0.8) == 0


def test_area_weights_are_true_areas():
    latitude = np.arange(88, -90, -2.0)
    weights = score.area_weights(np.concatenate(([90.0], latitude, [-90.0])))
    assert weights.mean() == pytest.approx(1)
    # A polar cap of one degree against a ring of two degrees at the equator.
    assert weights[0, 0] / weights[45, 0] == pytest.approx(
        (1 - np.sin(np.radians(89))) / (2 * np.sin(np.radians(1)))
    )
    np.testing.assert_allclose(weights, weights[::-1])
    uneven = score.area_weights(np.array([-30.0, 30.0]), np.array([0.0, 10.0, 40.0]))
    np.testing.assert_allclose(uneven[0] / uneven[0, 0], [1, 2, 3])
    with pytest.raises(InputError, match="pole"):
        score.area_weights(np.array([91.0, 0.0]))
    with pytest.raises(InputError, match="rising or falling"):
        score.area_weights(np.array([1.0, 3.0, 2.0]))


def test_spectrum_finds_waves_and_keeps_the_energy():
    x = np.arange(32) * 2 * np.pi / 32
    wave = 3 * np.cos(3 * x[:, None] + 4 * x[None])
    expected = np.zeros(24)
    expected[5] = 0.25 * 9
    np.testing.assert_allclose(score.energy_spectrum(wave), expected, atol=1e-12)
    np.testing.assert_allclose(score.energy_spectrum(np.sin(7 * x), space=1)[7], 0.25)
    noise = RNG.normal(size=(2, 16, 24))
    np.testing.assert_allclose(score.energy_spectrum(noise).sum(-1), 0.5 * (noise**2).mean((1, 2)))
    ours, theirs = score.energy_spectrum(10 * noise), score.energy_spectrum(noise)
    assert score.spectrum_error(ours, theirs, 24) == pytest.approx(2)


def test_anomaly_correlation_by_hand():
    climate = np.array([[1.0, 2.0], [3.0, 4.0]])
    ours, theirs = climate + SHIFT[0], climate + SHIFT[1]
    assert score.anomaly_correlation(ours, theirs, climate) == pytest.approx(4 / np.sqrt(5 * 6))
    weights = np.array([[2.0], [1.0]])
    assert score.anomaly_correlation(ours, theirs, climate, weights) == pytest.approx(8 / np.sqrt(10 * 11))
    assert np.isnan(score.anomaly_correlation(climate, theirs, climate))


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(InputError, match=r"\(7, 4, 3\)"):
        score.crps(X, Y.T)
    with pytest.raises(InputError, match="same windows"):
        score.skill(np.zeros(3), np.zeros(4))
