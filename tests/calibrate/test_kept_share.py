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
    fitted = fit(*forecasts(400, noise=noise, members=members))
    assert fitted.kept == pytest.approx(1 / (1 + noise**2), abs=0.035)


def test_variables_count_alike_whatever_their_units():
    """One of three, of the largest numbers, has noise: 3 / (3 + 1) is kept; for that one alone 1 / 2 were."""
    fitted = fit(*forecasts(400, noise=np.array([0.0, 1.0, 0.0])))
    assert fitted.kept == pytest.approx(0.75, abs=0.035)


@pytest.mark.parametrize("members", [4, 20])
def test_what_variables_have_in_common_is_kept_whole_where_it_is_right(members):
    """Noise that adds up to nothing over the variables leaves their mean right, and single ones at a half."""
    rng = np.random.default_rng(4)
    common, own = rng.normal(size=(400, LEADS, 1)), rng.normal(size=(400, LEADS, CHANNELS)) * np.sqrt(1.5)
    center = common + own - own.mean(2, keepdims=True)
    ensemble = center[:, None] + rng.normal(size=(400, members, LEADS, CHANNELS))
    truth = common + rng.normal(size=center.shape)
    fitted = fit(ensemble * UNITS, truth * UNITS, np.zeros(center.shape))
    assert fitted.kept == pytest.approx(1.0, abs=0.03)
    turned = fit((ensemble - 2 * common[:, None]) * UNITS, truth * UNITS, np.zeros(center.shape))
    assert turned.kept < 0.05


def test_members_lie_about_the_kept_share_of_the_way():
    ensemble, truth, anchor = forecasts(300, noise=1.0)
    fitted = fit(ensemble, truth, anchor)
    members, center = ensemble[0].astype(np.float32), ensemble[0].mean(0)
    goal = anchor[0] + fitted.kept * (center - anchor[0])
    out = fitted.apply(members, center, anchor[0])
    expected = goal + fitted.shift + fitted.scale * (members - center)
    np.testing.assert_allclose(out / UNITS, expected / UNITS, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(fitted.apply(members[[7]], center, anchor[0])[0], out[7])
    with pytest.raises(InputError, match="toward the anchor"):
        fitted.apply(members, center)


def test_what_is_kept_forecasts_better_and_its_spread_is_right():
    fitted, unseen = fit(*forecasts(300, noise=1.5)), forecasts(300, noise=1.5, seed=1)
    bare = fit(*forecasts(300, noise=1.5), toward_anchor=False)
    assert bare.kept == 1.0
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
    share = fit(ensemble, truth, np.zeros(shape)).kept
    assert 0.15 < share < 0.75


def test_where_mean_and_anchor_are_the_same_nothing_is_known_and_nothing_moves():
    ensemble, truth, _ = forecasts(30, signal=0.0, noise=0.0)
    fitted = fit(ensemble, truth, ensemble.mean(1))
    assert fitted.kept == pytest.approx(0.5)
    out = fitted.apply(ensemble[0], ensemble[0].mean(0), ensemble[0].mean(0))
    expected = ensemble[0].mean(0) + fitted.shift + fitted.scale * (ensemble[0] - ensemble[0].mean(0))
    np.testing.assert_allclose(out, expected)


def test_missing_truths_and_cells_that_are_land_count_for_nothing():
    ensemble, truth, anchor = forecasts(60, noise=1.0, space=(4, 3))
    truth[:, :, :, 0] = np.nan
    truth[np.random.default_rng(2).random(truth.shape) < 0.1] = np.nan
    wild = np.where(np.isfinite(truth), anchor, 1e6)
    one, two = fit(ensemble, truth, anchor), fit(ensemble, truth, wild)
    assert one.kept == two.kept == pytest.approx(0.5, abs=0.05)
    ensemble[:, :, :, :, 0] = np.nan
    assert fit(ensemble, truth, wild).kept == one.kept


def test_with_too_few_windows_all_is_kept():
    fitted = fit(*forecasts(5, signal=0.0))
    assert fitted.is_identity
    assert fitted.kept == 1.0


def test_the_share_survives_storage_and_models_without_one_keep_all():
    fitted = fit(*forecasts(40))
    arrays = fitted.to_arrays()
    assert type(fitted).from_arrays(arrays).kept == fitted.kept < 1.0
    assert not fitted.is_identity
    del arrays["kept"]
    assert type(fitted).from_arrays(arrays).kept == 1.0
