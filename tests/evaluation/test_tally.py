"""The account of scores against loops over members, written out."""

import numpy as np
import pytest

from rheos.data.circle import Circle
from rheos.evaluation.tally import Tally
from rheos.score import circular_crps, crps

CHANNELS = ("a", "b")
SCALE = np.array([2.0, 0.5])


def cases(windows=3, members=7, space=(), holes=True, seed=0):
    """Ensembles `(member, lead, channel, *space)` and truths with gaps."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(windows):
        truth = rng.normal(3, 1, (4, 2, *space))
        if holes:
            truth[rng.random(truth.shape) < 0.2] = np.nan
        made.append((rng.normal(3, 1.3, (members, 4, 2, *space)), truth))
    return made


def taken_in(made, area=None, sums=True):
    tally = Tally(np.ones(made[0][1].shape[2:]) if area is None else area, sums)
    for ensemble, truth in made:
        tally.add(ensemble, truth)
    return tally


def fair_crps(members, y):
    """E|X - y| - E|X - X'| / 2 over distinct pairs, by loops."""
    count = len(members)
    pairs = sum(abs(a - b) for i, a in enumerate(members) for b in members[:i])
    return sum(abs(x - y) for x in members) / count - pairs / (count * (count - 1))


def entries(made, channel):
    """Every scored entry of one channel: its members and truth, window by window."""
    for ensemble, truth in made:
        flat, values = ensemble[:, :, channel], truth[:, channel]
        for place in np.ndindex(values.shape):
            if not np.isnan(values[place]):
                yield flat[(slice(None), *place)], values[place]


def test_crps_is_the_mean_of_fair_crps_in_training_deviations():
    made = cases()
    scores = taken_in(made).scores(CHANNELS, SCALE)
    by_variable = [np.mean([fair_crps(m, y) for m, y in entries(made, c)]) for c in range(2)]
    # Within a window entries weigh alike, and so do windows: all have the same leads.
    assert list(scores["crps_by_variable"].values()) == pytest.approx(by_variable)
    assert scores["crps"] == pytest.approx(np.mean(by_variable / SCALE))


def test_rmse_and_spread():
    made = cases()
    scores = taken_in(made).scores(CHANNELS, SCALE)
    squares, variances = [], []
    for c in range(2):
        for members, y in entries(made, c):
            squares.append(((np.mean(members) - y) / SCALE[c]) ** 2)
            variances.append(np.var(members, ddof=1) * 8 / 7 / SCALE[c] ** 2)
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(squares)))
    assert scores["spread_skill"] == pytest.approx(np.sqrt(np.mean(variances) / np.mean(squares)))


def test_a_reliable_ensemble_has_spread_as_large_as_its_error():
    rng = np.random.default_rng(1)
    made = [(rng.normal(size=(5, 4, 2)), rng.normal(size=(4, 2))) for _ in range(1000)]
    scores = taken_in(made).scores(CHANNELS, np.ones(2))
    assert scores["spread_skill"] == pytest.approx(1.0, abs=0.03)


def test_coverage_counts_truths_inside_the_interval():
    rng = np.random.default_rng(1)
    made = [(rng.normal(size=(19, 4, 2)), rng.normal(size=(4, 2))) for _ in range(1000)]
    tally = taken_in(made)
    assert tally.scores(CHANNELS, SCALE)["coverage_90"] == pytest.approx(0.9, abs=0.01)
    assert np.mean(tally.levels, axis=0)[:3] == pytest.approx([0.5, 0.8, 0.9], abs=0.02)
    assert tally.histogram.sum() == 8000
    assert tally.histogram / 8000 == pytest.approx(np.full(20, 0.05), abs=0.01)


@pytest.mark.parametrize("members", [2, 7, 19, 50, 100])
def test_the_histogram_is_flat_where_every_rank_is_as_frequent(members):
    """Whatever their number: ranks that do not fit into 20 bins are shared, or some bins would stick out."""
    ensemble = np.arange(members, dtype=float)[:, None, None] * np.ones((1, members + 1, 1))
    tally = Tally(np.ones(()), sums=True)
    tally.add(ensemble, np.arange(members + 1)[:, None] - 0.5)
    assert tally.histogram == pytest.approx(np.full(20, (members + 1) / 20))


def test_wql_is_a_ratio_of_sums_over_everything():
    """GluonTS: quantiles by nearest rank, loss summed over all entries, over the summed magnitude."""
    made = cases()
    total, magnitude = np.zeros(19), 0.0
    for c in range(2):
        for members, y in entries(made, c):
            ordered = np.sort(members)
            for i in range(19):
                q = 0.05 * (i + 1)
                x = ordered[round((len(ordered) - 1) * q)]
                total[i] += 2 * abs((x - y) * ((y <= x) - q))
            magnitude += abs(y)
    assert taken_in(made).scores(CHANNELS, SCALE)["wql"] == pytest.approx(total.mean() / magnitude)


def test_crps_sum_is_the_same_of_the_sum_over_variables():
    made = cases()
    scores = taken_in(made).scores(CHANNELS, SCALE)
    summed = [(e.sum(2, keepdims=True), t.sum(1, keepdims=True)) for e, t in made]
    assert scores["crps_sum"] == pytest.approx(taken_in(summed).scores(("sum",), np.ones(1))["wql"])
    assert taken_in(made, sums=False).scores(CHANNELS, SCALE)["crps_sum"] is None


def test_cells_weigh_by_their_area():
    made = cases(space=(2, 3))
    area = np.array([[1.5], [0.5]]) * np.ones((2, 3))
    scores = taken_in(made, area).scores(CHANNELS, SCALE)
    found = []
    for ensemble, truth in made:
        for lead in range(4):
            weights, values = [], []
            for place in np.ndindex(2, 3):
                y = truth[(lead, 0, *place)]
                if not np.isnan(y):
                    weights.append(area[place])
                    values.append(fair_crps(ensemble[(slice(None), lead, 0, *place)], y))
            found.append(np.average(values, weights=weights))
    assert scores["crps_by_variable"]["a"] == pytest.approx(np.mean(found))


def test_scores_of_a_window_and_a_lead():
    made = cases(holes=False)
    tally = taken_in(made)
    whole = np.array(
        [[[fair_crps(e[:, s, c], t[s, c]) / SCALE[c] for c in range(2)] for s in range(4)] for e, t in made]
    )
    assert tally.per_window(SCALE) == pytest.approx(whole.mean((1, 2)))
    assert tally.by_lead(SCALE)["crps"] == pytest.approx(whole.mean((0, 2)))


def test_where_nothing_is_observed_scores_are_null():
    made = [(np.zeros((5, 4, 2)), np.full((4, 2), np.nan))]
    scores = taken_in(made).scores(CHANNELS, SCALE)
    assert {k: v for k, v in scores.items() if k != "crps_by_variable"} == dict.fromkeys(
        ("crps", "wql", "crps_sum", "rmse", "coverage_90", "spread_skill")
    )


def test_directions_are_scored_on_the_circle():
    """Near north as near south: turning all by half a turn, or a truth by a whole one, changes no score."""
    made = cases(holes=True)
    near = [(40 * (e - 3), 40 * (t - 3)) for e, t in made]
    scores = []
    for ensemble, truth in (near[0], near[1]):
        pair = []
        for turn, extra in ((180, 0), (0, 0), (0, 360)):
            tally = Tally(np.ones(()), sums=False, circle=Circle((360.0, 0.0)))
            shift = np.array([turn, 0.0])
            moved, seen = ensemble + shift, truth + shift + np.array([extra, 0])
            moved[..., 0] %= 360
            seen[..., 0] = seen[..., 0] % 360 + extra
            tally.add(moved, seen)
            pair.append(tally)
        scores.append(pair)
    for south, north, turned in scores:
        for name in ("crps", "squared", "variance", "covered", "levels", "loss"):
            for other in (north, turned):
                np.testing.assert_allclose(
                    np.array(getattr(other, name)), np.array(getattr(south, name)), atol=1e-8, equal_nan=True
                )


def test_the_crps_of_a_direction_is_that_of_the_circle():
    ensemble, truth = cases(windows=1, holes=False)[0]
    ensemble, truth = 90 * ensemble, 90 * truth
    tally = Tally(np.ones(()), sums=False, circle=Circle((0.0, 360.0)))
    tally.add(ensemble, truth)
    np.testing.assert_allclose(tally.crps[0][:, 1], circular_crps(ensemble[..., 1], truth[..., 1]))
    np.testing.assert_allclose(tally.crps[0][:, 0], crps(ensemble[..., 0], truth[..., 0]))
