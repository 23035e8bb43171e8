"""Baselines on data whose law is known, and what holds for all of them."""

import numpy as np
import pandas as pd
import pytest
import torch

from rheos import score
from rheos.baseline import (
    BASELINES,
    DEFAULT_BASELINES,
    Climatology,
    ConstantVelocity,
    LagRidge,
    Persistence,
    RandomWalk,
    Seasonal,
)
from rheos.baseline.paths import Span
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording

H = 6
# That of agents has tests of its own.
ALL = [method() for method in BASELINES if method is not ConstantVelocity]
FITTED = pytest.mark.parametrize("method", ALL, ids=lambda m: m.kind)


def dataset(values, periods=(), frequency=None, stamps=None, name=""):
    layout = Layout(
        channels=tuple(f"c{i}" for i in range(values.shape[1])), periods=periods, frequency=frequency
    )
    return Dataset(layout=layout, recordings=(Recording.of(values, stamps, name),))


def seasonal_series(frames=2000, period=12, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    cycle = 3 * rng.normal(size=(period, 2))
    return cycle[np.arange(frames) % period] + noise * rng.normal(size=(frames, 2)), cycle


def autoregression(frames=6000, phi=0.8, seed=1):
    shocks = np.random.default_rng(seed).normal(size=(frames, 1))
    out = np.zeros((frames, 1))
    for t in range(1, frames):
        out[t] = phi * out[t - 1] + shocks[t]
    return out


def test_persistence_paths_have_the_law_of_increments():
    """For AR(1), x_{o+h} - x_{o-1} has variance 2 (1 - phi^{h+1}) / (1 - phi^2) over origins."""
    phi, data = 0.8, dataset(autoregression())
    members = Persistence().fit(data, H).forecast(data.recordings[0], 6000, Key.of(0, 5000))
    gap = members[:, :, 0] - data.recordings[0].values[-1]
    expected = 2 * (1 - phi ** np.arange(1, H + 1)) / (1 - phi**2)
    np.testing.assert_allclose(gap.var(0), expected, rtol=0.08)


def test_lag_ridge_finds_the_conditional_law_of_an_autoregression():
    phi, values = 0.8, autoregression()
    data = dataset(values)
    fitted = LagRidge(penalty=0).fit(data, H)
    future = fitted.forecast(data.recordings[0], 6000, Key.of(0, 5900))[:, :, 0]
    leads = np.arange(1, H + 1)
    np.testing.assert_allclose(future.mean(0), phi**leads * values[-1, 0], atol=0.1)
    np.testing.assert_allclose(future.var(0), (1 - phi ** (2 * leads)) / (1 - phi**2), rtol=0.06)
    # Whole paths: neighboring leads hang together as in the process.
    correlation = np.corrcoef(future[:, -2], future[:, -1])[0, 1]
    assert correlation == pytest.approx(phi * np.sqrt((1 - phi**10) / (1 - phi**12)), abs=0.02)


def test_lag_ridge_is_the_solution_of_its_normal_equations():
    values = np.random.default_rng(2).normal(size=(90, 3)).cumsum(0) * [1, 10, 0.1] + 5
    values[40, 1] = np.nan
    rule = LagRidge(penalty=0.02).fit(dataset(values, (4,)), 5).rules[""]
    for column in range(3):
        x = values[:, column]
        x = (x - np.nanmean(x)) / np.nanstd(x)
        for lead in range(5):
            back = lead - 4 if lead < 4 else lead - 8
            rows = [
                (1, x[o - 1], x[o - 2], x[o - 3], x[o + back], x[o + lead])
                for o in range(4, 86)
                if np.isfinite([x[o - 1], x[o - 2], x[o - 3], x[o + back], x[o + lead]]).all()
            ]
            table = np.array(rows)
            design, answer = table[:, :-1], table[:, -1]
            shrink = 0.02 * len(rows) * np.diag([0, 1, 1, 1, 1])
            beta = np.linalg.solve(design.T @ design + shrink, design.T @ answer)
            np.testing.assert_allclose(rule.coefficients[lead, column], beta, atol=1e-8)


def test_lag_ridge_reads_the_lags_it_was_fitted_on():
    """Without noise every lead is exact, save 7 to 9, whose seasonal lag is one of the last three."""
    t = np.arange(400)
    values = (np.cos(0.7 * t) + np.sin(2 * np.pi * t / 10))[:, None]
    data = dataset(values, (10,))
    fitted = LagRidge(penalty=0).fit(
        Dataset(layout=data.layout, recordings=(data.recordings[0].until(300),)), 15
    )
    out = fitted.forecast(data.recordings[0], 333, Key.of(0, 3))
    leads = [*range(7), *range(10, 15)]
    np.testing.assert_allclose(out[0, leads], values[333:348][leads], atol=1e-4)
    np.testing.assert_allclose(out[1, leads], values[333:348][leads], atol=1e-4)


def test_random_walk_keeps_drift_and_joint_increments():
    rng = np.random.default_rng(3)
    steps = 0.1 + rng.normal(size=(3000, 2)) @ np.linalg.cholesky([[1, 0.8], [0.8, 1]]).T
    data = dataset(steps.cumsum(0))
    members = RandomWalk().fit(data, H).forecast(data.recordings[0], 3000, Key.of(0, 4000))
    gap = members - data.recordings[0].values[-1]
    np.testing.assert_allclose(gap[:, -1].mean(0), H * np.diff(steps.cumsum(0), axis=0).mean(0), atol=0.12)
    np.testing.assert_allclose(np.cov(gap[:, -1].T), H * np.array([[1, 0.8], [0.8, 1]]), rtol=0.12)
    np.testing.assert_allclose(np.cov(gap[:, 0].T), np.array([[1, 0.8], [0.8, 1]]), rtol=0.12)


@pytest.mark.parametrize("method", [Seasonal(), Climatology()], ids=lambda m: m.kind)
def test_phases_line_up(method):
    """A noisy cycle is forecast at its own phase, from every phase, also where the recording starts later."""
    values, cycle = seasonal_series(noise=0.1)
    stamps = pd.date_range("2001-01-01 05:00", periods=2000, freq="2h")
    data = dataset(values, (5, 12), "2h", stamps)
    fitted = method.fit(Dataset(layout=data.layout, recordings=(data.recordings[0].until(1900),)), H)
    assert method.kind == "seasonal" or fitted.phase_period == 12
    whole = data.recordings[0]
    late = Recording.of(values[1801:], stamps[1801:])
    for origin in (1900, 1907, 1923):
        expected = cycle[(origin + np.arange(H)) % 12]
        out = fitted.forecast(whole, origin, Key.of(0, 60))
        np.testing.assert_allclose(out.mean(0), expected, atol=0.5)
        np.testing.assert_array_equal(out, fitted.forecast(late, origin - 1801, Key.of(0, 60)))


def test_climatology_members_are_spans_of_the_training_data():
    values, _ = seasonal_series(240)
    data = dataset(values, (12,))
    members = Climatology().fit(data, H).forecast(data.recordings[0], 240, Key.of(0, 19))
    starts = [o for o in range(0, 240 - H + 1) if o % 12 == 0]
    spans = np.stack([values[o : o + H] for o in starts])
    for member in members:
        assert np.abs(spans - member).max((1, 2)).min() < 1e-12
    # 20 spans start at this phase: 19 members dealt from them all differ.
    assert len(np.unique(members[:, 0, 0])) == 19


def test_only_the_latest_paths_of_a_phase_count():
    values, _ = seasonal_series(600)
    values[:300] += 100
    data = dataset(values, (12,))
    members = Climatology(recent=20).fit(data, H).forecast(data.recordings[0], 600, Key.of(0, 50))
    assert members.max() < 50


def test_seasonal_takes_the_period_with_the_lowest_error_or_falls_back():
    values, _ = seasonal_series(600)
    assert Seasonal().fit(dataset(values, (5, 12)), H).rules[""].period == 12
    walk = np.random.default_rng(4).normal(size=(100, 1)).cumsum(0)
    plain, fallback = (
        m.fit(dataset(walk, (80,)), H).forecast(Recording.of(walk), 100, Key.of(0, 9))
        for m in (Persistence(), Seasonal())
    )
    np.testing.assert_array_equal(plain, fallback)


def test_good_baselines_beat_bad_ones_where_they_should():
    values, _ = seasonal_series(1200)
    data = dataset(values, (12,))
    train = Dataset(layout=data.layout, recordings=(data.recordings[0].until(1080),))
    means = {}
    for method in ALL:
        fitted = method.fit(train, H)
        means[method.kind] = np.mean(
            [
                score.crps(
                    fitted.forecast(data.recordings[0], o, Key.of(0, 60, "", str(o))), values[o : o + H]
                )
                for o in range(1080, 1200 - H, H + 1)
            ]
        )
    # The law is the climatology's; its CRPS is 0.3 / sqrt(pi), and yesterday's noise costs sqrt(2) of it.
    assert means["climatology"] == pytest.approx(0.3 / np.sqrt(np.pi), rel=0.12)
    assert means["seasonal"] == pytest.approx(0.3 * np.sqrt(2 / np.pi), rel=0.12)
    assert means["lag_ridge"] < means["seasonal"] < means["random_walk"]


@FITTED
def test_nothing_at_or_after_the_origin_is_read(method):
    values, _ = seasonal_series(400)
    data = dataset(values, (12,))
    fitted = method.fit(Dataset(layout=data.layout, recordings=(data.recordings[0].until(300),)), H)
    spoilt = values.copy()
    spoilt[350:] = np.nan
    spoilt[360:] = 1e9
    clean = fitted.forecast(Recording.of(values), 350, Key.of(0, 8))
    for other in (Recording.of(spoilt), Recording.of(values[:350])):
        np.testing.assert_array_equal(clean, fitted.forecast(other, 350, Key.of(0, 8)))


@FITTED
def test_members_are_reproducible_distinct_and_alone(method):
    values, _ = seasonal_series(900)
    data = dataset(values.astype(np.float32), (12,))
    fitted = method.fit(data, H)
    copy = values.copy()
    torch.manual_seed(1)
    members = fitted.forecast(data.recordings[0], 900, Key.of(7, 40, "", "900"))
    torch.manual_seed(2)
    some = fitted.forecast(data.recordings[0], 900, Key.of(7, [31, 4], "", "900"))
    assert members.shape == (40, H, 2)
    assert members.dtype == np.float32
    np.testing.assert_array_equal(some, members[[31, 4]])
    assert len(np.unique(members.reshape(40, -1), axis=0)) == 40
    other = fitted.forecast(data.recordings[0], 900, Key.of(8, 40, "", "900"))
    assert (other != members).any()
    np.testing.assert_array_equal(values, copy)


@FITTED
def test_missing_data_stays_inside_what_is_unknown(method):
    """Gaps, also at the origin, leave forecasts finite; a feature never observed stays missing."""
    values, cycle = seasonal_series(600)
    values = np.concatenate((values, np.full((600, 1), np.nan)), 1)
    values[np.random.default_rng(5).random((600, 3)) < 0.1] = np.nan
    values[200:230] = np.nan
    values[596:, 0] = np.nan
    data = dataset(values, (12,))
    members = method.fit(data, H).forecast(data.recordings[0], 600, Key.of(0, 40))
    assert np.isfinite(members[..., :2]).all()
    assert np.isnan(members[..., 2]).all()
    if method.kind in ("seasonal", "climatology", "lag_ridge"):
        np.testing.assert_allclose(members[..., :2].mean(0), cycle[np.arange(H) % 12], atol=0.8)


@FITTED
def test_fields_keep_their_shape_and_their_joint_paths(method):
    rng = np.random.default_rng(6)
    common = rng.normal(size=(200, 1, 1, 1)).cumsum(0) * np.ones((1, 1, 3, 4))
    common[:, :, 0, 0] = np.nan
    layout = Layout(kind="field", dims=("channel", "y", "x"), channels=("c",), periods=(12,))
    data = Dataset(layout=layout, recordings=(Recording.of(common),))
    members = method.fit(data, 4).forecast(data.recordings[0], 200, Key.of(0, 10))
    assert members.shape == (10, 4, 1, 3, 4)
    assert np.isnan(members[:, :, 0, 0, 0]).all()
    cells = members.reshape(10, 4, -1)[..., 1:]
    # All cells move as one in the data, so they must in every member.
    np.testing.assert_allclose(cells, np.broadcast_to(cells[..., :1], cells.shape), atol=1e-6)


@FITTED
def test_short_spans_degrade_until_nothing_is_left(method):
    values, _ = seasonal_series(30)
    short = dataset(values[:20], (12, 336))
    members = method.fit(short, H).forecast(short.recordings[0], 20, Key.of(0, 10))
    assert np.isfinite(members).all()
    if method.kind == "random_walk":
        hopeless = dataset(np.where(np.arange(9)[:, None] % 2, values[:9], np.nan))
    else:
        hopeless = dataset(values[:5])
    with pytest.raises(InputError, match="give more data"):
        method.fit(hopeless, H)


@FITTED
def test_unknown_sequences_and_impossible_origins_are_named(method):
    values, _ = seasonal_series(100)
    fitted = method.fit(dataset(values, (12,), name="a"), H)
    with pytest.raises(InputError, match="'b'"):
        fitted.forecast(Recording.of(values, name="b"), 50, Key.of(0))
    with pytest.raises(InputError, match="frame 101"):
        fitted.forecast(Recording.of(values, name="a"), 101, Key.of(0))
    with pytest.raises(InputError, match="frame 0"):
        fitted.forecast(Recording.of(values, name="a"), 0, Key.of(0))


def test_sequences_have_rules_and_paths_of_their_own():
    low, high = np.random.default_rng(7).normal(size=(2, 200, 1))
    layout = Layout(channels=("c",))
    pair = (Recording.of(low, name="low"), Recording.of(high + 100, name="high"))
    for method in ALL:
        fitted = method.fit(Dataset(layout=layout, recordings=pair), H)
        assert abs(fitted.forecast(pair[0], 200, Key.of(0, 30))[:, 0].mean()) < 5
        assert abs(fitted.forecast(pair[1], 200, Key.of(0, 30))[:, 0].mean() - 100) < 5


def test_moments_skip_what_is_missing():
    values = np.array([[1.0, np.nan, 4.0], [3.0, np.nan, 4.0], [np.nan, np.nan, 4.0]])
    span = Span.of(Recording.of(values), None)
    np.testing.assert_allclose(span.mean, [2, np.nan, 4])
    np.testing.assert_allclose(span.scale, [1, 1, 1])


def test_the_registry_is_closed_and_named():
    assert [m.name() for m in BASELINES] == [
        "persistence",
        "seasonal",
        "climatology",
        "lag_ridge",
        "random_walk",
        "damped_anomaly",
        "constant_velocity",
    ]
    assert [m.kind for m in DEFAULT_BASELINES] == ["persistence", "seasonal", "climatology", "lag_ridge"]
