"""What must hold of a score whatever the numbers: reliability, propriety, invariance, masks."""

import numpy as np
import pytest
from scipy.special import ndtr

from rheos import score

CASES = 100_000


def reliable(members, cases=CASES, seed=0):
    """Truth and members drawn from one law that changes from case to case."""
    rng = np.random.default_rng(seed)
    center, scale = rng.normal(size=cases), np.exp(0.5 * rng.normal(size=cases))
    draws = center + scale * rng.normal(size=(members + 1, cases))
    return draws[1:], draws[0]


def test_a_reliable_ensemble_has_flat_ranks_and_ratio_one():
    for members in (4, 19):
        ensemble, truth = reliable(members)
        histogram = score.rank_histogram(score.ranks(ensemble, truth), members)
        assert histogram.sum() == CASES
        # Delta is chi-square over its degrees of freedom; beyond 4 standard deviations is no accident.
        assert abs(score.unevenness(histogram) - 1) < 4 * np.sqrt(2 / members)
        assert score.spread_skill(ensemble, truth) == pytest.approx(1, abs=0.02)
        uniform = score.pit(score.ranks(ensemble, truth), members)
        assert uniform.mean() == pytest.approx(0.5, abs=0.004)
        assert uniform.var() == pytest.approx(1 / 12, abs=0.001)


@pytest.mark.parametrize(("members", "level", "expected"), [(19, 0.9, 0.9), (19, 0.5, 0.5), (9, 0.9, 0.8)])
def test_coverage_of_a_reliable_ensemble(members, level, expected):
    assert score.covered(*reliable(members), level).mean() == pytest.approx(expected, abs=0.005)


def test_fair_scores_do_not_depend_on_the_number_of_members():
    means = [score.crps(*reliable(m, seed=m)).mean() for m in (2, 4, 16)]
    np.testing.assert_allclose(means, means[-1], rtol=0.015)
    plain = [score.crps(*reliable(m, seed=m), "plain").mean() for m in (2, 4)]
    np.testing.assert_allclose(plain, means[-1] * np.array([1.5, 1.25]), rtol=0.015)
    brier = [score.brier_score(*reliable(m, seed=m), 0.5).mean() for m in (2, 16)]
    assert brier[0] == pytest.approx(brier[1], rel=0.015)


def vector_scores(ensemble, truth):
    pair = ensemble.reshape(len(ensemble), -1, 2), truth.reshape(-1, 2)
    return {
        "energy": score.energy_score(*pair).mean(),
        "variogram": score.variogram_score(*pair).mean(),
    }


def all_scores(ensemble, truth):
    return {
        "fair": score.crps(ensemble, truth).mean(),
        "plain": score.crps(ensemble, truth, "plain").mean(),
        "brier": score.brier_score(ensemble, truth, 0.5).mean(),
        "tail": score.threshold_weighted_crps(ensemble, truth, 1.0).mean(),
        "wql": score.weighted_quantile_loss(ensemble, truth),
    }


@pytest.mark.parametrize("change", [lambda x: x + 0.3, lambda x: x.mean(0) + 1.4 * (x - x.mean(0))])
def test_spoiling_a_true_ensemble_never_helps(change):
    ensemble, truth = reliable(20)
    best, spoilt = all_scores(ensemble, truth), all_scores(change(ensemble), truth)
    assert all(spoilt[name] > best[name] for name in best)


def test_wrong_dependence_is_seen_by_the_joint_scores():
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky([[1, 0.9], [0.9, 1]])
    draws = rng.normal(size=(21, 4000, 2)) @ root.T
    wrong = np.stack((draws[1:, :, 0], rng.permutation(draws[1:, :, 1])), -1)
    best = vector_scores(draws[1:], draws[0])
    spoilt = vector_scores(wrong, draws[0])
    assert all(spoilt[name] > best[name] for name in best)


def test_flatness_is_uniform_for_reliable_ensembles_and_small_for_others():
    """Of 200 reliable sets of 28 windows 2 are rejected at 1 % on average, 11 or more by a chance below 1e-5;
    every ensemble half as wide is."""
    rng = np.random.default_rng(5)
    edges = np.linspace(0, 1, 21)

    def p_value(ranks: np.ndarray) -> float:
        return score.flatness(np.stack([np.histogram(row, edges)[0] for row in ranks]), draws=400)

    chances = np.array([p_value(rng.uniform(size=(28, 12))) for _ in range(200)])
    assert (chances < 0.01).sum() <= 10
    assert 0.35 < np.median(chances) < 0.65
    narrow = [p_value(ndtr(2 * rng.normal(size=(28, 12)))) for _ in range(20)]
    assert max(narrow) < 0.01
    together = [p_value(np.repeat(rng.uniform(size=(28, 1)), 12, 1)) for _ in range(100)]
    assert np.mean(np.array(together) < 0.01) < 0.1, "windows whose ranks go together are fewer cases"
    assert np.isnan(score.flatness(np.zeros((28, 20))))


def test_the_order_of_members_does_not_matter():
    ensemble, truth = reliable(9, 60)
    shuffled = np.random.default_rng(2).permutation(ensemble)
    both = [all_scores(e, truth) | vector_scores(e, truth) for e in (ensemble, shuffled)]
    for name, value in both[0].items():
        assert value == pytest.approx(both[1][name], abs=1e-12), name
    np.testing.assert_array_equal(score.ranks(ensemble, truth), score.ranks(shuffled, truth))


def test_missing_entries_change_nothing():
    """Entries without truth, whatever was forecast there, and entries that do not exist score alike."""
    ensemble, truth = reliable(6, 50)
    hole = np.full(10, np.nan)
    wide = np.concatenate((ensemble, np.random.default_rng(3).normal(size=(6, 10))), 1)
    gappy = np.concatenate((truth, hole))
    weights = np.linspace(1, 2, 60)
    for metric in (
        score.crps,
        score.squared_error,
        score.covered,
        score.interval_width,
        lambda e, y: score.brier_score(e, y, 0.2),
        lambda e, y: score.threshold_weighted_crps(e, y, 0.2),
    ):
        scores = metric(wide, gappy)
        assert np.isnan(scores[50:]).all()
        assert score.aggregate(scores, weights) == pytest.approx(
            score.aggregate(metric(ensemble, truth), weights[:50]), abs=1e-12
        )
    for metric in (score.spread, score.rmse, score.spread_skill, score.weighted_quantile_loss):
        assert metric(wide, gappy) == pytest.approx(metric(ensemble, truth), abs=1e-12)
    histogram = score.rank_histogram(score.ranks(wide, gappy), 6)
    assert histogram.sum() == 50
    for metric in (score.energy_score, score.variogram_score):
        assert metric(wide, gappy) == pytest.approx(float(metric(ensemble, truth)), rel=1e-12)
        assert np.isnan(metric(ensemble, np.full(50, np.nan)))


def test_nothing_observed_is_nan_not_zero():
    ensemble, truth = np.zeros((3, 4)), np.full(4, np.nan)
    assert np.isnan(score.aggregate(score.crps(ensemble, truth)))
    assert np.isnan(score.weighted_quantile_loss(ensemble, truth))
    assert np.isnan(score.unevenness(score.rank_histogram(score.ranks(ensemble, truth), 3)))


def test_aggregate_weighs_and_keeps_axes():
    entries = np.array([[1.0, np.nan], [3.0, 5.0]])
    np.testing.assert_allclose(score.aggregate(entries, axes=0), [2, 5])
    np.testing.assert_allclose(score.aggregate(entries, np.array([[3.0], [1.0]])), (3 + 3 + 5) / 5)


def test_ties_are_broken_evenly_and_reproducibly():
    ensemble, truth = np.zeros((3, 40_000)), np.zeros(40_000)
    rank = score.ranks(ensemble, truth, seed=1)
    assert score.unevenness(score.rank_histogram(rank, 3)) < 4
    np.testing.assert_array_equal(rank, score.ranks(ensemble, truth, seed=1))
    assert (rank != score.ranks(ensemble, truth, seed=2)).any()


def test_scores_leave_their_arguments_alone():
    ensemble, truth = reliable(5, 20)
    copies = ensemble.copy(), truth.copy()
    all_scores(ensemble, truth)
    np.testing.assert_array_equal(ensemble, copies[0])
    np.testing.assert_array_equal(truth, copies[1])


def test_intervals_cover_the_true_skill():
    """Half the mean loss is a skill of 0.5; 28 correlated windows, 200 repeats, nominal 90 %."""
    rng = np.random.default_rng(4)
    hits = 0
    for repeat in range(200):
        hard = rng.gamma(9, size=29)
        theirs = hard[1:] + 0.5 * hard[:-1]
        ours = 0.5 * theirs + 0.4 * rng.normal(size=28)
        estimate = score.skill(ours, theirs, draws=300, seed=repeat)
        hits += estimate.low <= 0.5 <= estimate.high
    assert 0.8 < hits / 200 < 0.96


def test_intervals_are_paired_reproducible_and_modest():
    theirs = np.random.default_rng(5).gamma(1, size=28)
    exact = score.skill(0.75 * theirs, theirs)
    np.testing.assert_allclose(exact, 0.25)
    difference = score.mean_difference(theirs - 0.5, theirs)
    np.testing.assert_allclose(difference, -0.5)
    noisy = theirs + 0.1 * np.random.default_rng(6).normal(size=28)
    assert score.skill(noisy, theirs, seed=3) == score.skill(noisy, theirs, seed=3)
    assert np.isnan(score.skill(noisy[:2], theirs[:2]).low)
    gappy = np.append(noisy, np.nan)
    assert score.skill(gappy, np.append(theirs, 1.0)) == score.skill(noisy, theirs)


def test_blocks_are_runs_of_neighbors():
    series = np.arange(12.0)[:, None]
    means = score.resampled_means(series, draws=500, block=12)
    # One block of all windows, wherever it starts on the circle, is the series itself.
    np.testing.assert_allclose(means, 5.5)
    assert (
        score.resampled_means(series, draws=500, block=6).std()
        > score.resampled_means(series, draws=500, block=1).std()
    )
