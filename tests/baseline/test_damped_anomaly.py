"""Damped anomalies on the law they are exact for: an AR(1) about a cycle."""

import numpy as np
import pandas as pd
import pytest

from rheos.baseline import Climatology, DampedAnomaly, Persistence
from rheos.baseline.damped_anomaly import best_season, damping, phase_means
from rheos.baseline.paths import Span
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.score import crps

PHI, SEASON, H = 0.8, 12, 6
STAMPS = pd.date_range("1920-05-01", periods=6000, freq="MS")


def law(frames=6000, noise=1.0, seed=1):
    """An AR(1) of unit innovations about a cycle that starts in May, and the cycle by calendar month."""
    rng = np.random.default_rng(seed)
    cycle = 5 * rng.normal(size=(SEASON, 1))
    anomaly = np.zeros((frames, 1))
    for t in range(1, frames):
        anomaly[t] = PHI * anomaly[t - 1] + noise * rng.normal()
    return cycle[(4 + np.arange(frames)) % SEASON] + anomaly, anomaly, cycle


def dataset(values, periods=(SEASON,), stamps=STAMPS):
    layout = Layout(
        kind="field",
        dims=("channel", "x"),
        channels=("sst",),
        periods=periods,
        frequency="MS",
    )
    return Dataset(layout=layout, recordings=(Recording.of(values[:, None], stamps[: len(values)]),))


def test_an_autoregression_about_a_cycle_has_its_conditional_law():
    values, anomaly, cycle = law()
    data = dataset(values)
    fitted = DampedAnomaly(recent=5000).fit(data, H)
    assert fitted.season == SEASON
    leads = np.arange(1, H + 1)
    np.testing.assert_allclose(fitted.anomalies.rules[""].factor[:, 0], PHI**leads, atol=0.035)
    np.testing.assert_allclose(fitted.climatology[""], cycle[np.arange(SEASON)], atol=0.35)
    for origin in (5990, 5993):
        members = fitted.forecast(data.recordings[0], origin, Key.of(0, 400))[:, :, 0, 0]
        mean = cycle[(4 + origin + np.arange(H)) % SEASON, 0] + PHI**leads * anomaly[origin - 1, 0]
        np.testing.assert_allclose(members.mean(0), mean, atol=0.4)
        np.testing.assert_allclose(members.var(0), (1 - PHI ** (2 * leads)) / (1 - PHI**2), rtol=0.2)


def test_without_noise_it_is_exact():
    """a_t = phi a_{t-1} to the digit: the damped anomaly is the truth once the climatology is."""
    anomaly = np.cos(np.pi * np.arange(480))[:, None] * np.array([1.0, 3.0])
    cycle = np.random.default_rng(0).normal(size=(SEASON, 2))
    # Each phase sees the anomaly with one sign only in a season of even length, so 12 must not be taken.
    values = cycle[0] + anomaly
    fitted = DampedAnomaly().fit(dataset(values, periods=()), H)
    assert fitted.season == 1
    np.testing.assert_allclose(fitted.anomalies.rules[""].factor, np.tile([[-1.0], [1.0]], (3, 2)), atol=1e-9)
    made = fitted.forecast(dataset(values).recordings[0], 477, Key.of(0, 3))[0, :3, 0]
    np.testing.assert_allclose(made, values[477:480], atol=1e-6)


def test_damping_is_least_squares_over_the_pairs_that_are_whole():
    values = np.random.default_rng(3).normal(size=(40, 3)).cumsum(0)
    values[7, 0] = values[20:23, 1] = np.nan
    values[:, 2] = 0.0
    factor = damping(values, 4)
    for lead in range(4):
        for column in range(2):
            pairs = [(values[t, column], values[t + lead + 1, column]) for t in range(39 - lead)]
            whole = np.array([p for p in pairs if np.isfinite(p).all()])
            best = np.linalg.lstsq(whole[:, :1], whole[:, 1], rcond=None)[0][0]
            assert factor[lead, column] == pytest.approx(best)
    assert (factor[:, 2] == 0).all()


def test_means_of_phases_leave_gaps_out():
    values = np.arange(14.0).reshape(7, 2)
    values[3, 0] = np.nan
    values[:, 1] = np.nan
    means = phase_means(values, np.arange(7) % 3, 3)
    np.testing.assert_allclose(means[:, 0], [(0 + 12) / 2, (2 + 8) / 2, (4 + 10) / 2])
    assert np.isnan(means[:, 1]).all()
    # A phase that was never seen has the mean of all.
    assert phase_means(values[:2], np.array([0, 1]), 3)[2, 0] == 1.0


def test_the_season_is_one_that_pays():
    values, _, _ = law(240)
    noise = np.random.default_rng(5).normal(size=(240, 1))
    assert best_season([Span.of(dataset(values).recordings[0], "MS")], (5, 12)) == 12
    assert best_season([Span.of(dataset(noise).recordings[0], "MS")], (5, 12)) == 1
    assert best_season([Span.of(dataset(values[:30]).recordings[0], "MS")], (12,)) == 1


def test_it_beats_what_it_is_made_of():
    values, _, _ = law(1500)
    data = dataset(values)
    train = Dataset(layout=data.layout, recordings=(data.recordings[0].until(1200),))
    scores = {}
    for method in (DampedAnomaly(), Climatology(), Persistence()):
        fitted = method.fit(train, 3)
        scores[method.kind] = np.mean(
            [
                crps(
                    fitted.forecast(data.recordings[0], o, Key.of(0, 50, "", str(o))), values[o : o + 3, None]
                )
                for o in range(1200, 1494, 5)
            ]
        )
    assert scores["damped_anomaly"] < 0.93 * min(scores["climatology"], scores["persistence"])


def test_land_and_ice():
    """Cells without a value have no forecast; cells that never change are forecast as they are."""
    values, _, _ = law(240)
    field = np.concatenate((values, np.full((240, 1), np.nan), np.full((240, 1), -1.8)), axis=1)
    made = DampedAnomaly().fit(dataset(field), H).forecast(dataset(field).recordings[0], 230, Key.of(0, 9))
    assert np.isfinite(made[..., 0]).all()
    assert np.isnan(made[..., 1]).all()
    np.testing.assert_allclose(made[..., 2], -1.8)
