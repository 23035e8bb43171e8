"""Anchors: planted laws recovered, independent least squares, honest scales, no leakage, no gaps."""

import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.anchor import (
    ANCHORS,
    Advection,
    DampedAnomaly,
    DampedModes,
    ForecastColumn,
    Geometric,
    NoAnchor,
    Perceptron,
    Persistence,
    Ridge,
    Seasonal,
)
from rheos.data.anchor.base import last_observed, some
from rheos.data.anchor.penalty import chosen, forward, leave_out, solve
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

CONFIGS = [
    NoAnchor(),
    Persistence(),
    Persistence(damped=True),
    Seasonal(),
    DampedAnomaly(),
    DampedModes(),
    Ridge(),
]


def source_of(values, history=6, horizon=3, lags=(), known_future=None, periods=(), stamps=None, periodic=()):
    channels = tuple(f"c{i}" for i in range(values.shape[1]))
    covariates = () if known_future is None else tuple(f"k{i}" for i in range(known_future.shape[1]))
    layout = Layout(
        channels=channels,
        known_future=covariates,
        periods=periods,
        frequency=None if stamps is None else "h",
        periodic=periodic,
    )
    recording = Recording.of(values, stamps, known_future=known_future)
    data = Dataset(layout=layout, recordings=(recording,))
    return WindowSource(data, WindowSpec(history=history, horizon=horizon, lags=lags), Scale().fit(data))


def everything(source):
    return np.arange(len(source))


def noisy(shape=(300, 2), seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    season = np.sin(2 * np.pi * np.arange(shape[0]) / 12)
    values += 3 * season.reshape(-1, *(1,) * (len(shape) - 1))
    values[rng.uniform(size=shape) < missing] = np.nan
    return values


def test_every_anchor_is_tried():
    # Those of trajectories, of moving fields, of columns and what is trained have tests of their own.
    others = {Geometric, Advection, ForecastColumn, Perceptron}
    assert {type(config) for config in CONFIGS} | others == set(ANCHORS)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_anchors_are_finite_whatever_is_missing(config):
    values = noisy(missing=0.4)
    values[100:140] = np.nan
    source = source_of(values, lags=(12,), periods=(12,))
    fitted = config.fit(source, everything(source))
    batch = source.gather(np.zeros(301, int), np.arange(301))
    anchor, scale = fitted(batch)
    assert anchor.shape == scale.shape == (301, 9, 2)
    assert anchor.dtype == scale.dtype == np.float32
    assert np.isfinite(anchor).all()
    assert (scale > 0).all()


def test_history_is_scaled_by_how_far_it_lies_from_the_last_value():
    """A random walk: k frames back it is sqrt(k) steps away; the last frame takes the one before it."""
    steps = np.random.default_rng(3).normal(size=(4000, 1))
    source = source_of(np.cumsum(steps, 0), history=6, lags=(), periods=())
    _, scale = Persistence().fit(source, everything(source))(source.batch(np.arange(2)))
    unit = source.codec.scale[0]
    expected = np.sqrt([5, 4, 3, 2, 1, 1]) / unit
    np.testing.assert_allclose(scale[0, :6, 0], expected, rtol=0.08)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_nothing_from_the_origin_on_is_read(config):
    values = noisy()
    source = source_of(values, lags=(12,), periods=(12,))
    fitted = config.fit(source, source.windows(last_origin=190))
    changed = values.copy()
    changed[200:] = 1e3
    other_source = source_of(changed, lags=(12,), periods=(12,))
    other_source = WindowSource(other_source.dataset, source.spec, source.codec)
    again = config.fit(other_source, other_source.windows(last_origin=190))
    at = (np.array([0]), np.array([200]))
    assert np.array_equal(fitted(source.gather(*at))[0], again(other_source.gather(*at))[0])
    assert np.array_equal(fitted.scale, again.scale)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_restored_from_arrays_is_the_same(config):
    source = source_of(noisy(), lags=(12,), periods=(12,))
    fitted = config.fit(source, everything(source))
    again = config.restore(fitted.to_arrays())
    batch = source.batch(np.arange(5))
    assert np.array_equal(fitted(batch)[0], again(batch)[0])
    assert np.array_equal(fitted.scale, again.scale)


@pytest.mark.parametrize("config", [Persistence(), Seasonal(), Ridge()], ids=repr)
def test_canonical_data_have_unit_variance_at_every_lead(config):
    walk = np.cumsum(np.random.default_rng(3).normal(size=(2000, 1)), axis=0)
    source = source_of(walk, lags=(8,))
    batch = source.batch(everything(source))
    anchor, scale = config.fit(source, everything(source))(batch)
    canonical = (batch.future - anchor[:, 6:]) / scale[:, 6:]
    # Unrest is one ratio for all leads: what the last season was off tells most of the nearest.
    assert np.sqrt((canonical**2).mean(0)) == pytest.approx(1, abs=0.04)
    if not isinstance(config, Seasonal):
        ratio = scale[0, 6:, 0] / scale[0, 6, 0]
        assert ratio == pytest.approx(np.sqrt([1, 2, 3]), rel=0.05)


@pytest.mark.parametrize("config", [Persistence(), Seasonal()], ids=repr)
def test_the_scale_is_that_of_what_was_observed(config):
    source = source_of(noisy(missing=0.4), lags=(12,), periods=(12,))
    fitted, batch = config.fit(source, everything(source)), source.batch(everything(source))
    residual = batch.future - fitted.future(batch)
    assert fitted.scale[6:] == pytest.approx(np.sqrt(np.nanmean(residual**2, axis=0)), rel=1e-5)


def test_last_observed_by_hand():
    history = np.array([[1.0, 2.0, np.nan], [np.nan, np.nan, np.nan], [4.0, np.nan, 5.0]])[..., None]
    assert last_observed(history)[:, 0].tolist() == [2, 0, 5]


def test_subsamples_are_evenly_spread():
    assert some(np.arange(10), 20).tolist() == list(range(10))
    assert some(np.arange(101), 5).tolist() == [0, 25, 50, 75, 100]


def test_history_is_anchored_on_the_last_value():
    source = source_of(noisy(), lags=(12,))
    batch = source.batch(np.arange(4))
    anchor, _ = Ridge().fit(source, everything(source))(batch)
    assert np.array_equal(anchor[:, :6], np.repeat(batch.history[:, -1:], 6, axis=1))


def test_damping_is_that_of_the_process():
    rng = np.random.default_rng(0)
    values = np.zeros((20000, 1))
    for i in range(1, len(values)):
        values[i] = 0.8 * values[i - 1] + rng.normal()
    source = source_of(values)
    fitted = Persistence(damped=True).fit(source, everything(source))
    assert fitted.damping[:, 0] == pytest.approx([0.8, 0.64, 0.512], abs=0.03)


def test_the_season_is_the_best_lag_of_each_channel():
    frame = np.arange(200)
    values = np.stack([np.sin(2 * np.pi * frame / 5), np.sin(2 * np.pi * frame / 7)], axis=1)
    source = source_of(values, lags=(5, 7))
    fitted = Seasonal().fit(source, everything(source))
    assert fitted.lag.tolist() == [0, 1]
    batch = source.batch(np.arange(3))
    np.testing.assert_allclose(fitted(batch)[0][:, 6:], batch.future, atol=1e-5)


def test_ridge_without_penalty_recovers_a_planted_law():
    """x_s = 0.5 x_(s-1) - 0.3 x_(s-2) + 0.2 k_s + 1 without noise is forecast exactly."""
    rng = np.random.default_rng(0)
    known = rng.normal(size=(400, 1))
    values = np.zeros((400, 1))
    for i in range(2, 400):
        values[i] = 0.5 * values[i - 1] - 0.3 * values[i - 2] + 0.2 * known[i] + 1
    source = source_of(values, horizon=1, known_future=known)
    fitted = Ridge(penalties=(1e-12,)).fit(source, source.windows(last_origin=200))
    batch = source.batch(source.windows(first_origin=300))
    np.testing.assert_allclose(fitted(batch)[0][:, 6:], batch.future, atol=1e-5)


def test_ridge_solutions_are_those_of_the_normal_equations():
    """Independent: standardize the rows, stack sqrt(penalty) I under them, and call lstsq."""
    rng = np.random.default_rng(1)
    features, target = rng.normal(size=(200, 5)) * [1, 5, 0.1, 2, 0] + 3, rng.normal(size=200)
    target += features[:, 0] - 2 * features[:, 2]
    z = np.column_stack([features, np.ones(200), target])
    for penalty in (1e-6, 0.1, 3.0):
        weights = solve(z.T @ z, np.array([[penalty]]))[0]
        deviation = np.where(features.std(0) > 1e-9, features.std(0), np.inf)
        rows = (features - features.mean(0)) / deviation
        stacked = np.concatenate([rows, np.sqrt(penalty * 200) * np.eye(5)])
        aim = np.concatenate([target - target.mean(), np.zeros(5)])
        expected = np.linalg.lstsq(stacked, aim, rcond=None)[0] / deviation
        np.testing.assert_allclose(weights[:5], expected, atol=1e-9)
        assert weights[5] == pytest.approx(target.mean() - expected @ features.mean(0))


def test_a_penalty_of_its_own_takes_a_feature_out():
    """Forbidden features leave the others as they are in a fit without those columns."""
    rng = np.random.default_rng(4)
    features, target = rng.normal(size=(150, 4)), rng.normal(size=150)
    target += features @ [1.0, -1.0, 2.0, 0.5]
    z = np.column_stack([features, np.ones(150), target])
    weights = solve(z.T @ z, np.array([[0.1, 1e9, 0.1, 1e9]]))[0]
    kept = z[:, [0, 2, 4, 5]]
    np.testing.assert_allclose(weights[[0, 2, 4]], solve(kept.T @ kept, np.array([[0.1]]))[0], atol=1e-6)
    np.testing.assert_allclose(weights[[1, 3]], 0, atol=1e-6)


def blocks_of_rows():
    rng = np.random.default_rng(2)
    features, target = rng.normal(size=(90, 4)), rng.normal(size=90)
    z = np.column_stack([features, np.ones(90), target])
    return [z[:30], z[30:50], z[50:]]


def residuals(train, test):
    weights = solve(train.T @ train, np.array([[0.2]]))[0]
    return ((test[:, -1] - test[:, :5] @ weights) ** 2).sum()


def test_left_out_residuals_are_those_of_refitting():
    parts = blocks_of_rows()
    found = leave_out(np.stack([part.T @ part for part in parts]), np.array([[0.2]]))
    expected = sum(
        residuals(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)
    )
    assert found[0] == pytest.approx(expected)


def test_forward_residuals_are_those_of_the_blocks_before():
    parts = blocks_of_rows()
    found = forward(np.stack([part.T @ part for part in parts]), np.array([[0.2]]))
    expected = residuals(parts[0], parts[1]) + residuals(np.concatenate(parts[:2]), parts[2])
    assert found[0] == pytest.approx(expected)
    assert found[1] == pytest.approx(sum((part[:, -1] ** 2).sum() for part in parts[1:]))


def test_no_regression_unless_it_forecast_better_by_two_percent():
    square = np.array([[0.975, 0.985, 3.0], [0.97, 0.981, 2.0], [1.0, 1.0, 1.0]])
    assert chosen(square).tolist() == [1, 2, 2]


def test_walks_are_anchored_on_their_last_value():
    """Nothing forecasts a walk's steps: by the least square alone a third of all forecasts would be one."""
    values = np.random.default_rng(0).normal(size=(900, 12)).cumsum(0)
    source = source_of(values, horizon=4)
    fitted = Ridge().fit(source, everything(source))
    assert (fitted.weights == 0).all(-1).mean() > 0.85


def test_a_calendar_that_was_true_for_a_season_is_not_trusted():
    """The day's amplitude falls all through the data: the past of the series says so, the calendar cannot.

    With the calendar's features free the error is 0.325, the noise alone 0.3.
    """
    rng = np.random.default_rng(0)
    frame = np.arange(2400)
    values = (4 - frame / 800) * np.sin(2 * np.pi * frame / 24) + 0.3 * rng.normal(size=2400)
    stamps = pd.date_range("2020-01-06", periods=2400, freq="h")
    source = source_of(values[:, None], history=24, horizon=6, lags=(24, 48), stamps=stamps)
    training, test = source.split(300)
    batch = source.batch(test)
    anchor, _ = Ridge().fit(source, training)(batch)
    error = np.sqrt(((batch.future - anchor[:, 24:]) ** 2).mean()) * source.codec.scale[0]
    assert error < 0.319


def test_noise_is_shrunk_to_the_mean():
    values = np.random.default_rng(5).normal(size=(600, 1))
    source = source_of(values, history=24, lags=(12,))
    fitted = Ridge().fit(source, everything(source))
    assert (fitted.base == 0).all()
    anchor, scale = fitted(source.batch(everything(source)))
    assert np.abs(anchor[:, 24:]).mean() < 0.15
    assert scale[:, 24:] == pytest.approx(1, abs=0.05)


def test_ridge_beats_simpler_rules_on_windows_never_seen():
    rng = np.random.default_rng(7)
    frame = np.arange(3000)
    values = 2 * np.sin(2 * np.pi * frame / 24) + 0.5 * np.sin(2 * np.pi * frame / 168)
    for i in range(1, 3000):
        values[i] += 0.5 * (values[i - 1] - 2 * np.sin(2 * np.pi * (i - 1) / 24)) + 0.3 * rng.normal()
    stamps = pd.date_range("2020-01-06", periods=3000, freq="h")
    source = source_of(values[:, None], history=24, horizon=12, lags=(24, 168), stamps=stamps)
    training, test = source.split(600)
    batch = source.batch(test)
    error = {}
    for config in CONFIGS:
        anchor, scale = config.fit(source, training)(batch)
        residual = batch.future - anchor[:, 24:]
        error[config] = np.sqrt((residual**2).mean())
        if isinstance(config, Ridge):
            assert np.sqrt(((residual / scale[:, 24:]) ** 2).mean()) == pytest.approx(1, abs=0.1)
    # The law is the damped anomaly's own; every other rule is simpler than the ridge.
    simpler = [
        e for config, e in error.items() if not isinstance(config, Ridge | DampedAnomaly | DampedModes)
    ]
    assert error[Ridge()] < 0.9 * min(simpler)
    assert error[DampedAnomaly()] < error[Ridge()]


def test_fields_with_land_and_ice():
    """A wave that moves one cell a frame around a ring: the neighbor forecasts it; land and ice are quiet."""
    rng = np.random.default_rng(0)
    values = np.zeros((300, 1, 3, 8))
    values[0] = rng.normal(size=(1, 3, 8))
    for i in range(1, 300):
        values[i] = 0.9 * np.roll(values[i - 1], 1, axis=-1) + rng.normal(size=(1, 3, 8))
    values[:, 0, 0, 0], values[:, 0, 0, 5] = np.nan, 1.0
    source = source_of(values, history=3, horizon=2, periodic=(False, True))
    training, test = source.split(30)
    fitted = Ridge().fit(source, training)
    batch = source.batch(test)
    anchor, scale = fitted(batch)
    assert np.isfinite(anchor).all()
    error = (batch.future - anchor[:, 3:])[:, 0, 0, 1:] * source.codec.scale[0, 0, 0]
    persistent = (batch.future - last_observed(batch.history)[:, None])[:, 0, 0, 1:]
    assert np.sqrt((error**2).mean()) == pytest.approx(1, abs=0.2)
    assert np.sqrt((persistent**2).mean()) * source.codec.scale[0, 0, 0] > 2.5
    assert scale[:, 3:].min() > 0.02


def test_one_window_is_enough_and_none_is_refused():
    source = source_of(noisy((9, 1)))
    anchor, scale = Ridge().fit(source, np.array([0]))(source.batch(np.array([0])))
    assert np.isfinite(anchor).all()
    assert (scale > 0).all()
    with pytest.raises(InputError, match="no complete window"):
        Ridge().fit(source, np.array([], int))


def test_the_number_of_pieces_changes_nothing(monkeypatch):
    source = source_of(noisy(missing=0.2), lags=(12,), periods=(12,))
    whole = Ridge().fit(source, everything(source))
    monkeypatch.setattr("rheos.data.anchor.ridge._FEATURES_BYTES", 2**14)
    pieces = Ridge().fit(source, everything(source))
    np.testing.assert_allclose(pieces.weights, whole.weights, atol=1e-8)
    batch = source.batch(np.arange(50))
    np.testing.assert_allclose(pieces(batch)[0], whole(batch)[0], atol=1e-5)
