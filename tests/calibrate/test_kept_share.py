"""How much of what a network adds to its anchor is kept, on ensembles whose best share is known."""

import numpy as np
import pytest

from rheos import score
from rheos.calibrate import AffineCalibration
from rheos.core.errors import InputError

LEADS, CHANNELS = 5, 3
UNITS = np.array([1.0, 100.0, 0.01])


def forecasts(windows, signal=1.0, noise=1.0, members=20, seed=0, space=()):
    """Ensembles about anchor + s + n, truths about anchor + s: least squares keep s^2 / (s^2 + n^2)."""
    rng = np.random.default_rng(seed)
    shape = (windows, LEADS, CHANNELS, *space)
    units = UNITS.reshape(CHANNELS, *(1,) * len(space))
    anchor = 5.0 * rng.normal(size=shape)
    law = anchor + signal * rng.normal(size=shape)
    center = law + noise * rng.normal(size=shape)
    ensemble = center[:, None] + rng.normal(size=(windows, members, *shape[1:]))
    truth = law + rng.normal(size=shape)
    return ensemble * units, truth * units, anchor * units


def fit(ensemble, truth, anchor, toward_anchor=True):
    return AffineCalibration(toward_anchor=toward_anchor).fit(ensemble, truth, anchor=anchor)


def score_of(fitted, ensemble, truth, anchor):
    done = [fitted.apply(e, e.mean(0), a) for e, a in zip(ensemble, anchor, strict=True)]
    return score.crps(np.stack(done, 1) / UNITS, truth / UNITS).mean()


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("members", [4, 20])
def test_the_share_of_least_squares_is_kept(noise, members):
    """The mean of 4 members is off by half a unit: taken for the network's noise, it would be felt."""
    kept = fit(*forecasts(400, noise=noise, members=members)).kept
    assert kept.own == pytest.approx(1 / (1 + noise**2), abs=0.035)
    assert kept.common == pytest.approx(1 / (1 + noise**2), abs=0.05)


def test_more_members_than_the_center_is_the_mean_of_change_nothing():
    ensemble, truth, anchor = forecasts(400, noise=1.0)
    kept = AffineCalibration(toward_anchor=True).fit(ensemble, truth, 4, anchor).kept
    few = fit(ensemble[:, :4], truth, anchor).kept
    assert (kept.common, kept.own) == (few.common, few.own)


def test_variables_count_alike_whatever_their_units():
    """One of three, of the largest numbers, has noise: 3 / (3 + 1) is kept; for that one alone 1 / 2 were."""
    kept = fit(*forecasts(400, noise=np.array([0.0, 1.0, 0.0]))).kept
    assert kept.own == pytest.approx(0.75, abs=0.035)
    assert kept.common == pytest.approx(0.75, abs=0.05)
    np.testing.assert_allclose(kept.unit, np.broadcast_to(np.sqrt(2) * UNITS, (LEADS, CHANNELS)), rtol=0.1)


@pytest.mark.parametrize("members", [4, 20])
@pytest.mark.parametrize(("common", "own"), [(0.0, 1.0), (1.0, 0.0), (2.0, 0.5)])
def test_what_variables_have_in_common_has_a_share_of_its_own(members, common, own):
    """A law and noise of both kinds, each kind's share that of least squares."""
    rng = np.random.default_rng(4)
    shape = (600, LEADS, CHANNELS)

    def parts(deviations):
        alone = rng.normal(size=shape)
        shared = rng.normal(size=(*shape[:2], 1))
        return deviations[0] * shared + deviations[1] * (alone - alone.mean(2, keepdims=True))

    law = parts((1.0, 1.0))
    center = law + parts((common, own))
    ensemble = center[:, None] + rng.normal(size=(600, members, LEADS, CHANNELS))
    truth = law + rng.normal(size=shape)
    anchor = np.full(shape, 7.0)
    fitted = fit((ensemble + 7.0) * UNITS, (truth + 7.0) * UNITS, anchor * UNITS)
    assert fitted.kept.common == pytest.approx(1 / (1 + common**2), abs=0.035)
    assert fitted.kept.own == pytest.approx(1 / (1 + own**2), abs=0.035)
    way = ensemble[0].mean(0)
    scaled = way * UNITS / fitted.kept.unit
    mean = scaled.mean(1, keepdims=True)
    goal = fitted.kept.unit * (fitted.kept.common * mean + fitted.kept.own * (scaled - mean))
    found = fitted.apply(
        np.zeros((1, LEADS, CHANNELS)) + (way + 7.0) * UNITS, (way + 7.0) * UNITS, 7.0 * UNITS
    )
    np.testing.assert_allclose(found[0] - fitted.shift - 7.0 * UNITS, goal, rtol=1e-9, atol=1e-9)


def test_a_single_variable_has_one_share():
    ensemble, truth, anchor = (part[..., :1] for part in forecasts(400, noise=1.0))
    kept = fit(ensemble, truth, anchor).kept
    assert kept.own == kept.common == pytest.approx(0.5, abs=0.05)
    assert str(kept) == f"{kept.common:.0%}"


def test_a_variable_that_its_anchor_forecasts_exactly_has_no_say():
    """A place in the shade: truth and anchor are 0, what the network adds there tells nothing."""
    ensemble, truth, anchor = forecasts(400, noise=0.5)
    dark = (np.s_[:, :2, 1], np.s_[:, :, :2, 1])
    truth[dark[0]] = anchor[dark[0]] = 0.0
    ensemble[dark[1]] *= 50
    fitted = fit(ensemble, truth, anchor)
    assert fitted.kept.own == pytest.approx(0.8, abs=0.04)
    assert fitted.kept.common == pytest.approx(0.8, abs=0.05)
    assert np.isnan(fitted.kept.unit[:2, 1]).all()
    assert np.isfinite(fitted.apply(ensemble[0], ensemble[0].mean(0), anchor[0])).all()


def test_members_lie_about_the_kept_share_of_the_way():
    ensemble, truth, anchor = forecasts(300, noise=1.0)
    fitted = fit(ensemble, truth, anchor)
    members, center = ensemble[0].astype(np.float32), ensemble[0].mean(0)
    goal = anchor[0] + fitted.kept.of((center - anchor[0])[..., None])[..., 0]
    out = fitted.apply(members, center, anchor[0])
    expected = goal + fitted.shift + fitted.scale * (members - center)
    np.testing.assert_allclose(out / UNITS, expected / UNITS, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(fitted.apply(members[[7]], center, anchor[0])[0], out[7])
    np.testing.assert_array_equal(fitted.apply(members[:, :2], center[:2], anchor[0, :2]), out[:, :2])
    late = np.array([3, 4, 4])
    some = fitted.at(late).apply(members[:, late], center[late], anchor[0, late])
    np.testing.assert_array_equal(some, out[:, late])
    with pytest.raises(InputError, match="toward the anchor"):
        fitted.apply(members, center)


def test_what_is_kept_forecasts_better_and_its_spread_is_right():
    fitted, unseen = fit(*forecasts(300, noise=1.5)), forecasts(300, noise=1.5, seed=1)
    bare = fit(*forecasts(300, noise=1.5), toward_anchor=False)
    assert bare.kept is None
    assert score_of(fitted, *unseen) < 0.9 * score_of(bare, *unseen)
    ensemble, truth, anchor = unseen
    done = np.stack([fitted.apply(e, e.mean(0), a) for e, a in zip(ensemble, anchor, strict=True)], 1)
    assert score.spread_skill(done / UNITS, truth / UNITS) == pytest.approx(1.0, abs=0.06)


def test_figures_are_of_windows_that_the_share_had_not_seen():
    figures = fit(*forecasts(300, noise=1.5)).figures
    assert (figures["crps"][1] < 0.9 * figures["crps"][0]).all()
    np.testing.assert_allclose(figures["spread_skill"][1], 1.0, atol=0.08)


@pytest.mark.parametrize("windows", [8, 16, 40])
def test_little_data_harm_little_and_help_where_the_network_knows_nothing(windows):
    """The right share is 1, then 0: gains on unseen windows of the mean over seeds, and of the worst."""
    for signal, noise, most, least in ((1.0, 0.0, -0.05, -0.01), (0.0, 1.0, 0.02, 0.08)):
        gains = []
        for seed in range(8):
            seen, unseen = (
                forecasts(n, signal, noise, seed=s) for n, s in ((windows, seed), (100, 50 + seed))
            )
            plain = score_of(fit(*seen, toward_anchor=False), *unseen)
            gains.append(1 - score_of(fit(*seen), *unseen) / plain)
        assert min(gains) > most
        assert np.mean(gains) > least


def test_an_error_that_all_windows_of_a_block_share_is_no_proof():
    """Eight spells, each with one error for all windows: the share is as doubtful as with eight of these."""
    rng, shape = np.random.default_rng(3), (80, LEADS, CHANNELS)
    spell = np.repeat(rng.normal(size=(8, 1, 1)), 10, axis=0)
    added = np.repeat(rng.normal(size=(8, 1, 1)), 10, axis=0)
    truth = np.broadcast_to(spell, shape) * UNITS
    ensemble = (
        np.broadcast_to(added, shape)[:, None] + 0.01 * rng.normal(size=(80, 20, LEADS, CHANNELS))
    ) * UNITS
    assert 0.15 < fit(ensemble, truth, np.zeros(shape)).kept.common < 0.75


def test_where_mean_and_anchor_are_the_same_nothing_is_known_and_nothing_moves():
    ensemble, truth, _ = forecasts(30, signal=0.0, noise=0.0)
    fitted = fit(ensemble, truth, ensemble.mean(1))
    assert fitted.kept.own == fitted.kept.common == pytest.approx(0.5)
    out = fitted.apply(ensemble[0], ensemble[0].mean(0), ensemble[0].mean(0))
    expected = ensemble[0].mean(0) + fitted.shift + fitted.scale * (ensemble[0] - ensemble[0].mean(0))
    np.testing.assert_allclose(out, expected)


def test_missing_truths_and_cells_that_are_land_count_for_nothing():
    ensemble, truth, anchor = forecasts(60, noise=1.0, space=(4, 3))
    truth[:, :, :, 0] = np.nan
    truth[np.random.default_rng(2).random(truth.shape) < 0.1] = np.nan
    wild = np.where(np.isfinite(truth), anchor, 1e6)
    one, two = fit(ensemble, truth, anchor), fit(ensemble, truth, wild)
    members, here = ensemble[0], anchor[0]
    whole = one.apply(members, members.mean(0), here)
    alone = one.apply(members[..., 2, 1], members[..., 2, 1].mean(0), here[..., 2, 1])
    np.testing.assert_allclose(whole[..., 2, 1], alone, rtol=1e-12)
    ensemble[:, :, :, :, 0] = np.nan
    three = fit(ensemble, truth, wild)
    assert one.kept.own == two.kept.own == three.kept.own == pytest.approx(0.5, abs=0.05)
    assert one.kept.common == two.kept.common == three.kept.common == pytest.approx(0.5, abs=0.05)
    for name, figures in one.figures.items():
        np.testing.assert_array_equal(two.figures[name], figures)
    np.testing.assert_array_equal(two.shift, one.shift)


def test_chance_counts_only_where_there_is_a_truth():
    ensemble, truth, anchor = forecasts(800, noise=1.0, members=4)
    truth[np.random.default_rng(6).random(truth.shape) < 0.5] = np.nan
    kept = fit(ensemble, truth, anchor).kept
    assert kept.own == pytest.approx(0.5, abs=0.035)
    assert kept.common == pytest.approx(0.5, abs=0.05)


def test_with_too_few_windows_all_is_kept():
    fitted = fit(*forecasts(5, signal=0.0))
    assert fitted.is_identity
    assert fitted.kept is None


def test_the_shares_survive_storage_and_models_without_them_keep_all():
    fitted = fit(*forecasts(40))
    arrays = fitted.to_arrays()
    again = type(fitted).from_arrays(arrays)
    assert (again.kept.common, again.kept.own) == (fitted.kept.common, fitted.kept.own)
    np.testing.assert_array_equal(again.kept.unit, fitted.kept.unit)
    assert not fitted.is_identity
    del arrays["kept"], arrays["unit"]
    assert type(fitted).from_arrays(arrays).kept is None
