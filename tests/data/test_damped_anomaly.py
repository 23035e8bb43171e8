"""Damped anomalies: climatology and damping of a known law, an independent fit, honest scale, gaps."""

import numpy as np
import pandas as pd
import pytest

from rheos.data.anchor import DampedAnomaly
from rheos.data.calendar import features
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

HISTORY, HORIZON = 4, 3


def source_of(values, frequency="MS"):
    stamps = pd.date_range("1900-01-01", periods=len(values), freq=frequency)
    layout = Layout(channels=tuple(f"c{i}" for i in range(values.shape[1])), frequency=frequency)
    data = Dataset(layout=layout, recordings=(Recording.of(values, stamps),))
    spec = WindowSpec(history=HISTORY, horizon=HORIZON)
    return WindowSource(data, spec, Scale().fit(data)), stamps


def law(frames=1200, rho=0.8, shape=(1,), seed=0):
    """A year's two harmonics and first-order autoregressive anomalies of innovation 1."""
    rng = np.random.default_rng(seed)
    anomaly = np.zeros((frames, *shape))
    for i in range(1, frames):
        anomaly[i] = rho * anomaly[i - 1] + rng.normal(size=shape)
    stamps = pd.date_range("1900-01-01", periods=frames, freq="MS")
    turn = 2 * np.pi * (stamps.day_of_year.values - 1) / 365.25
    season = 5 + 3 * np.sin(turn) - 2 * np.cos(2 * turn)
    return anomaly + season.reshape(-1, *(1,) * len(shape)), season


def fit(values, **options):
    source, _ = source_of(values)
    return source, DampedAnomaly(**options).fit(source, np.arange(len(source)))


def test_climatology_and_damping_are_those_of_the_law():
    values, season = law(6000)
    source, fitted = fit(values)
    assert fitted.damping[:, 0] == pytest.approx([0.8, 0.64, 0.512], abs=0.04)
    batch = source.batch(np.arange(500, 600))
    anchor, _ = fitted(batch)
    expected = season[batch.origin[:, None] + np.arange(HORIZON)]
    last = (values[batch.origin - 1, 0] - season[batch.origin - 1])[:, None]
    expected = expected + last * 0.8 ** np.arange(1, HORIZON + 1)
    unit, mean = source.codec.scale[0], source.codec.location[0]
    np.testing.assert_allclose(anchor[:, HISTORY:, 0] * unit + mean, expected, atol=0.35)


def test_the_climatology_is_the_shrunk_regression_on_the_calendar():
    """Independent: stack the penalty's root under the rows and call lstsq."""
    values, _ = law(300)
    source, fitted = fit(values)
    batch = source.batch(np.arange(len(source)))
    target = batch.history[:, -1, 0].astype(float)
    stamps = source.dataset.recordings[0].stamps
    columns = features(stamps, "MS")[batch.origin - 1].astype(float)
    rows = np.column_stack([columns, np.ones(len(target))])
    penalty = np.sqrt(1e-3 * len(target)) * np.eye(rows.shape[1])[:-1]
    expected = np.linalg.lstsq(
        np.concatenate([rows, penalty]), np.append(target, np.zeros(len(penalty))), rcond=None
    )[0]
    np.testing.assert_allclose(fitted.coefficients[:, 0], expected, atol=1e-8)


def test_the_scale_is_the_error_of_the_law():
    values, _ = law(6000)
    source, fitted = fit(values)
    error = np.sqrt([1, 1 + 0.64, 1 + 0.64 + 0.64**2])
    np.testing.assert_allclose(fitted.scale[HISTORY:, 0] * source.codec.scale[0], error, rtol=0.05)


def test_few_years_are_scaled_for_windows_never_seen(monkeypatch):
    """8 years leave the climatology uncertain: blocks left out say most of it, residuals in sample little."""

    def deviation():
        ratios = []
        for seed in range(40):
            source, _ = source_of(law(156, seed=seed)[0])
            training, test = source.split(60)
            batch = source.batch(test)
            anchor, scale = DampedAnomaly().fit(source, training)(batch)
            ratios.append(((batch.future - anchor[:, HISTORY:]) / scale[:, HISTORY:]) ** 2)
        return np.sqrt(np.mean(ratios))

    left_out = deviation()
    monkeypatch.setattr(
        "rheos.data.anchor.damped_anomaly.time_blocks", lambda batch, _: np.zeros(len(batch), int)
    )
    assert left_out == pytest.approx(1, abs=0.13)
    assert deviation() > left_out + 0.1


def test_entries_are_drawn_toward_their_channel():
    values, _ = law(80, shape=(1, 4, 5))
    _, own = fit(values, pooling=0.0)
    _, shared = fit(values, pooling=1e9)
    _, between = fit(values, pooling=1.0)
    assert shared.damping.std(axis=(1, 2, 3)).max() < 1e-6
    spread = own.damping[0].std()
    assert 0.2 * spread < between.damping[0].std() < 0.8 * spread


def test_gaps_take_the_last_value_with_its_own_season():
    values, season = law(6000)
    source, fitted = fit(values)
    holed = values.copy()
    holed[1199] = np.nan
    other = WindowSource(source_of(holed)[0].dataset, source.spec, source.codec)
    anchor, _ = fitted(other.gather(np.array([0]), np.array([1200])))
    unit, mean = source.codec.scale[0], source.codec.location[0]
    anomaly = values[1198, 0] - season[1198]
    first = anchor[0, HISTORY, 0] * unit + mean
    assert first == pytest.approx(season[1200] + 0.8 * anomaly, abs=0.3)


def test_what_never_was_observed_is_finite_and_quiet():
    values, _ = law(200, shape=(1, 2, 3))
    values[:, 0, 0, 0] = np.nan
    values[:, 0, 1, 2] = -1.8
    source, fitted = fit(values)
    anchor, scale = fitted(source.batch(np.arange(20)))
    assert np.isfinite(anchor).all()
    assert (scale > 0).all()
    unit = source.codec.scale.ravel()[0]
    ice = anchor[:, HISTORY:, 0, 1, 2] * unit + source.codec.location.ravel()[0]
    np.testing.assert_allclose(ice, -1.8, atol=0.02)


def test_the_number_of_pieces_changes_nothing(monkeypatch):
    values, _ = law(150, shape=(2, 3, 4))
    values[np.random.default_rng(0).uniform(size=values.shape) < 0.2] = np.nan
    _, whole = fit(values)
    monkeypatch.setattr("rheos.data.anchor.damped_anomaly._PIECE_BYTES", 1)
    _, pieces = fit(values)
    np.testing.assert_allclose(pieces.coefficients, whole.coefficients, atol=1e-10)
    np.testing.assert_allclose(pieces.damping, whole.damping, atol=1e-10)
