"""Affine calibration on ensembles whose right correction is known."""

import numpy as np
import pytest
from scipy import optimize

from rheos import score
from rheos.calibrate import AffineCalibration
from rheos.calibrate.search import Errors, best_affine, crps_after, smooth
from rheos.core.errors import InputError

LEADS, CHANNELS = 6, 2


def forecasts(windows, members=30, shift=0.0, scale=1.0, seed=0, space=()):
    """Reliable ensembles spoilt so that `shift` and `scale` mend them: y' = c + shift + scale (y - c)."""
    rng = np.random.default_rng(seed)
    shape = (LEADS, CHANNELS, *space)
    center = rng.normal(size=(windows, 1, *shape)) * 3
    width = (1 + 0.2 * np.arange(LEADS)).reshape(LEADS, *(1,) * (1 + len(space)))
    draws = center + width * rng.normal(size=(windows, members + 1, *shape))
    tail = (1,) * len(space)
    shift = np.broadcast_to(shift, (LEADS, CHANNELS)).reshape(LEADS, CHANNELS, *tail)
    scale = np.broadcast_to(scale, (LEADS, CHANNELS)).reshape(LEADS, CHANNELS, *tail)
    return center - shift + (draws[:, 1:] - center) / scale, draws[:, 0]


def score_of(fitted, ensemble, truth):
    done = [fitted.apply(e, e.mean(0)) for e in ensemble]
    return score.crps(np.stack(done, 1), truth).mean()


@pytest.mark.parametrize(("shift", "scale"), [((0.8, -0.5), (2.0, 0.6)), ((0.0, 1.5), (1.0, 1.7))])
def test_planted_shift_and_scale_are_found(shift, scale):
    ensemble, truth = forecasts(400, shift=shift, scale=scale)
    fitted = AffineCalibration().fit(ensemble, truth)
    np.testing.assert_allclose(fitted.scale, np.broadcast_to(scale, (LEADS, CHANNELS)), rtol=0.06)
    np.testing.assert_allclose(fitted.shift, np.broadcast_to(shift, (LEADS, CHANNELS)), atol=0.05)
    assert fitted.note == ""


@pytest.mark.parametrize(("members", "block"), [(5, None), (20, 4)])
def test_a_small_perfect_ensemble_is_not_widened(members, block):
    """The center holds its own members; taken for independent they would ask for a wider ensemble."""
    ensemble, truth = forecasts(1200, members=members)
    errors = Errors.of(ensemble[..., None], truth[..., None], block or members)
    np.testing.assert_allclose(best_affine(errors)[1].mean(), 1, atol=0.03)
    assert AffineCalibration().fit(ensemble, truth, block).scale.mean() == pytest.approx(1, abs=0.03)


def test_figures_tell_before_from_after_on_unseen_windows():
    ensemble, truth = forecasts(120, scale=2.0)
    figures = AffineCalibration().fit(ensemble, truth).figures
    np.testing.assert_allclose(figures["spread_skill"][0], 0.5, atol=0.06)
    np.testing.assert_allclose(figures["spread_skill"][1], 1.0, atol=0.1)
    np.testing.assert_allclose(figures["coverage_90"][1], 0.9, atol=0.04)
    assert (figures["coverage_90"][0] < 0.7).all()
    assert (figures["crps"][1] < figures["crps"][0]).all()
    expected = score.aggregate(score.crps(np.moveaxis(ensemble, 1, 0), truth), axes=(0, 1))
    np.testing.assert_allclose(figures["crps"][0], expected, rtol=1e-10)


def test_what_is_calibrated_stays_nearly_as_it_is():
    for seed in range(5):
        fitted = AffineCalibration().fit(*forecasts(30, seed=seed))
        np.testing.assert_allclose(fitted.scale, 1, atol=0.2)
        unseen = forecasts(300, seed=100 + seed)
        plain = score.crps(np.moveaxis(unseen[0], 1, 0), unseen[1]).mean()
        assert score_of(fitted, *unseen) < 1.01 * plain


@pytest.mark.parametrize("windows", [8, 12, 28])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.6])
def test_held_out_scores_do_not_suffer(windows, scale):
    gains = []
    for seed in range(8):
        fitted = AffineCalibration().fit(*forecasts(windows, scale=scale, seed=seed))
        unseen = forecasts(100, scale=scale, seed=50 + seed)
        plain = score.crps(np.moveaxis(unseen[0], 1, 0), unseen[1]).mean()
        gains.append(1 - score_of(fitted, *unseen) / plain)
    assert min(gains) > -0.02
    assert np.mean(gains) > (-0.005 if scale == 1 else 0.01 if windows == 8 else 0.02)


def test_leads_keep_what_they_have_of_their_own():
    """Scale and shift that grow with the lead: their means over leads would be off by 20 % and 0.5."""
    scale, shift = np.linspace(1.0, 1.6, LEADS)[:, None], np.linspace(0.0, 1.2, LEADS)[:, None]
    fitted = AffineCalibration().fit(*forecasts(400, shift=shift, scale=scale))
    np.testing.assert_allclose(fitted.scale[1:-1], np.repeat(scale, CHANNELS, 1)[1:-1], rtol=0.08)
    np.testing.assert_allclose(fitted.shift[1:-1], np.repeat(shift, CHANNELS, 1)[1:-1], atol=0.12)


def test_too_little_data_changes_nothing_and_says_so():
    ensemble, truth = forecasts(30, scale=3.0)
    truth[5:] = np.nan
    fitted = AffineCalibration().fit(ensemble, truth)
    assert fitted.is_identity
    assert "8 observed windows and found 5" in fitted.note
    assert fitted.figures == {}
    np.testing.assert_array_equal(fitted.apply(ensemble[0], ensemble[0].mean(0)), ensemble[0])


def test_ranks_among_members_are_kept_and_members_stand_alone():
    ensemble, truth = forecasts(40, scale=0.5, shift=1.0)
    fitted = AffineCalibration().fit(ensemble, truth)
    members, center = ensemble[0].astype(np.float32), ensemble[0].mean(0)
    copy = members.copy()
    out = fitted.apply(members, center)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out.argsort(0), members.argsort(0))
    np.testing.assert_array_equal(fitted.apply(members[[7]], center)[0], out[7])
    np.testing.assert_array_equal(members, copy)
    expected = center + fitted.shift + fitted.scale * (members - center)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(fitted.apply(members[:, :3], center[:3]), out[:, :3])


def test_missing_truth_changes_nothing():
    ensemble, truth = forecasts(40, scale=1.8)
    gappy, hole = truth.copy(), np.random.default_rng(1).random(truth.shape) < 0.1
    gappy[hole] = np.nan
    wild = ensemble.copy()
    wild[np.broadcast_to(hole[:, None], wild.shape)] = 1e6
    one, two = (AffineCalibration().fit(e, gappy) for e in (ensemble, wild))
    np.testing.assert_allclose(one.scale, two.scale, rtol=1e-9)
    np.testing.assert_allclose(one.shift, two.shift, rtol=1e-9, atol=1e-12)
    gappy[:, :, 1] = np.nan
    half = AffineCalibration().fit(ensemble, gappy)
    assert (half.scale[:, 1] == 1).all()
    np.testing.assert_allclose(half.scale[:, 0], 1.8, rtol=0.2)


def test_fields_are_pooled_over_space_beside_land():
    ensemble, truth = forecasts(10, members=12, scale=1.5, space=(9, 8))
    truth[..., :3, :] = np.nan
    ensemble[..., :3, :] = np.nan
    fitted = AffineCalibration().fit(ensemble, truth)
    np.testing.assert_allclose(fitted.scale, 1.5, rtol=0.1)
    out = fitted.apply(ensemble[0], ensemble[0].mean(0))
    assert np.isnan(out[..., :3, :]).all()
    np.testing.assert_allclose(out.std(0)[..., 3:, :] / ensemble[0].std(0)[..., 3:, :], 1.5, rtol=0.1)


def test_the_search_finds_the_minimum_of_the_fair_score():
    """Against a general minimizer over both numbers, on the score as the score room defines it."""
    ensemble, truth = forecasts(25, members=9, shift=0.4, scale=1.4)
    errors = Errors.of(ensemble[..., None], truth[..., None], 5)
    shift, scale = best_affine(errors)

    def loss(numbers, lead, channel):
        """Members of the block about the mean of the block's others, the rest about that of the block."""
        total = 0.0
        for members, y in zip(ensemble[:, :, lead, channel], truth[:, lead, channel], strict=True):
            half_spread = np.abs(members[:, None] - members).sum() / (2 * 9 * 8)
            total -= numbers[1] * half_spread
            for m in range(9):
                center = np.mean([members[n] for n in range(5) if n != m])
                total += abs(center + numbers[0] + numbers[1] * (members[m] - center) - y) / 9
        return total / 25

    for lead, channel in ((0, 0), (3, 1)):
        best = optimize.minimize(loss, (0.0, 1.0), (lead, channel), method="Nelder-Mead")
        ours = loss((shift[lead, channel], scale[lead, channel]), lead, channel)
        assert ours <= best.fun + 1e-4
        assert crps_after(errors, shift, scale)[:, lead, channel].mean() == pytest.approx(ours, abs=1e-10)


def test_smoothing_averages_neighboring_leads():
    values = np.array([[1.0], [2.0], [6.0], [0.0]])
    np.testing.assert_allclose(smooth(values, 1)[:, 0], [1.5, 3, 8 / 3, 3])
    np.testing.assert_array_equal(smooth(values, 0), values)


def test_a_calibration_survives_storage():
    fitted = AffineCalibration().fit(*forecasts(30, scale=2.0))
    arrays = fitted.to_arrays()
    assert all(isinstance(a, np.ndarray) and a.dtype.kind in "fu" for a in arrays.values())
    back = type(fitted).from_arrays(arrays)
    np.testing.assert_array_equal(back.scale, fitted.scale)
    np.testing.assert_array_equal(back.figures["crps"], fitted.figures["crps"])
    quiet = AffineCalibration().fit(*forecasts(3))
    assert type(quiet).from_arrays(quiet.to_arrays()).note == quiet.note != ""


def test_shapes_that_do_not_fit_are_named():
    ensemble, truth = forecasts(30, scale=2.0)
    with pytest.raises(InputError, match="2 to 1 members"):
        AffineCalibration().fit(ensemble[:, :1], truth)
    with pytest.raises(InputError, match="window, member"):
        AffineCalibration().fit(ensemble, truth[:, :2])
    fitted = AffineCalibration().fit(ensemble, truth)
    long = np.concatenate((ensemble[0], ensemble[0]), 1)
    with pytest.raises(InputError, match="6 leads"):
        fitted.apply(long, long.mean(0))
