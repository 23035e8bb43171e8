"""Missing history: conditional means are those of the exact law, and a ridge on them forecasts by it."""

from dataclasses import replace

import numpy as np
import pytest

from rheos.data.anchor import Ridge
from rheos.data.anchor.gaps import Gaps, _autocovariance, _kriged
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

R = 0.9


def autoregression(frames, seed=0, lag=1):
    """x_i = R x_(i - lag) + noise, of unit variance, `(frames, 1)` float32."""
    noise = np.random.default_rng(seed).normal(size=frames) * np.sqrt(1 - R**2)
    values = noise / np.sqrt(1 - R**2)
    for i in range(lag, frames):
        values[i] = R * values[i - lag] + noise[i]
    return values[:, None].astype(np.float32)


def dropped(values, share, seed=1):
    gone = np.random.default_rng(seed).uniform(size=values.shape) < share
    return np.where(gone, np.nan, values)


def source_of(values, history=8, horizon=3, lags=(), past=None):
    names = () if past is None else tuple(f"p{i}" for i in range(past.shape[1]))
    layout = Layout(channels=tuple(f"c{i}" for i in range(values.shape[1])), past=names)
    data = Dataset(layout=layout, recordings=(Recording.of(values, past=past),))
    return WindowSource(data, WindowSpec(history=history, horizon=horizon, lags=lags), Scale().fit(data))


def exact(row, at):
    """E[x_at | what is seen of a row] of the autoregression, by the normal equations."""
    seen = np.flatnonzero(np.isfinite(row))
    covariance = R ** np.abs(seen[:, None] - seen)
    toward = R ** np.abs(np.asarray(at)[:, None] - seen)
    return toward @ np.linalg.solve(covariance, row[seen])


@pytest.fixture(scope="module")
def gappy():
    """An autoregression, a third of it missing, and windows of it."""
    source = source_of(dropped(autoregression(30000), 1 / 3))
    return source, source.batch(np.arange(len(source)))


def test_gaps_of_an_autoregression_are_its_conditional_means(gappy):
    _, batch = gappy
    filled = Gaps.of(batch).fill(batch)
    law = np.stack([exact(row, np.arange(8)) for row in batch.history[::100, :, 0]])
    off = filled.history[::100, :, 0] - law
    # One missing entry has a standard deviation of 0.31 given its neighbors.
    assert np.sqrt((off**2).mean()) < 0.02
    assert np.abs(off).max() < 0.2
    seen = np.isfinite(batch.history)
    assert np.array_equal(filled.history[seen], batch.history[seen])


def test_what_comes_late_is_carried_on_toward_the_mean(gappy):
    """The last three frames missing, as those of a column that is reported late: R, R^2, R^3 of the last."""
    _, batch = gappy
    history = np.full((1, 8, 1), 2.0, np.float32)
    history[:, 5:] = np.nan
    late = replace(batch.rows(slice(0, 1)), history=history)
    found = Gaps.of(batch).fill(late).history[0, 5:, 0]
    np.testing.assert_allclose(found, 2 * R ** np.arange(1, 4), atol=0.05)


def test_a_ridge_forecasts_from_gaps_by_the_exact_law():
    """Kalman's posterior: E[future | what was seen], the missing history integrated out.

    Missing values taken for the last one seen err by 0.14 here.
    """
    source = source_of(dropped(autoregression(30000), 1 / 3))
    fitted = Ridge().measure(source, source.windows(last_origin=20000))
    batch = source.batch(source.windows(first_origin=20100)[::20])
    law = np.stack([exact(row, np.arange(8, 11)) for row in batch.history[..., 0]])
    assert np.sqrt(((fitted.future(batch)[..., 0] - law) ** 2).mean()) < 0.03


def test_a_seasonal_value_comes_from_the_same_phase_of_other_seasons():
    """x_i = R x_(i-6) + noise: E[x_-6 | x_0, x_-12] = R (x_0 + x_-12) / (1 + R^2)."""
    source = source_of(autoregression(30000, lag=6), history=3, horizon=2, lags=(6, 12))
    batch = source.batch(np.arange(len(source)))
    gaps = Gaps.of(batch)
    part = batch.rows(np.arange(100, 200))
    now, before = part.history, part.lagged[:, :3, 1]
    part.lagged[:, :3, 0] = np.nan
    found = gaps.fill(part).lagged[:, :3, 0]
    np.testing.assert_allclose(found, R * (now + before) / (1 + R**2), atol=0.1)


def test_neighbors_in_time_go_before_the_season_where_they_tell_more():
    """A slow wave of random phase: its neighbors say all, whatever other seasons say."""
    frame = np.arange(6000)
    values = np.sin(2 * np.pi * frame / 97)[:, None].astype(np.float32)
    source = source_of(values, history=12, horizon=6, lags=(7, 14))
    batch = source.batch(np.arange(0, len(source), 3))
    gaps, part = Gaps.of(batch), batch.rows(np.arange(50))
    truth = part.history[:, 6].copy()
    part.history[:, 6] = np.nan
    part.lagged[:, 3:9, 0] = np.nan
    np.testing.assert_allclose(gaps.fill(part).history[:, 6], truth, atol=0.02)


def test_past_covariates_are_carried_on_too():
    rng = np.random.default_rng(3)
    source = source_of(rng.normal(size=(20000, 1)).astype(np.float32), past=autoregression(20000))
    batch = source.batch(np.arange(len(source)))
    part = batch.rows(np.arange(1))
    before = part.past[0, 5, 0]
    part.past[:, 6:] = np.nan
    np.testing.assert_allclose(
        Gaps.of(batch).fill(part).past[0, 6:, 0], before * R ** np.arange(1, 3), atol=0.05
    )


def test_whole_windows_stay_as_they_are_and_nothing_of_the_future_is_read(gappy):
    _, batch = gappy
    gaps = Gaps.of(batch)
    other = replace(batch, future=np.full_like(batch.future, np.nan))
    again = Gaps.of(other).fill(other)
    filled = gaps.fill(batch)
    assert np.array_equal(again.history, filled.history)
    whole = batch.rows(np.flatnonzero(np.isfinite(batch.history).all((1, 2))))
    assert len(whole) > 100
    assert np.array_equal(gaps.fill(whole).history, whole.history)


def test_entries_never_seen_stay_missing():
    values = np.concatenate([autoregression(500), np.full((500, 1), np.nan, np.float32)], 1)
    source = source_of(dropped(values, 0.2))
    batch = source.batch(np.arange(len(source)))
    filled = Gaps.of(batch).fill(batch)
    assert np.isfinite(filled.history[..., 0]).all()
    assert np.isnan(filled.history[..., 1]).all()


def test_kriging_is_that_of_the_four_nearest_frames():
    """Mean and variance by the normal equations, where under the covariance the second nearest count too."""
    lag = np.arange(12)
    along = np.exp(-((lag / 4) ** 2)) + 0.01 * (lag == 0)
    values, seen = np.random.default_rng(0).normal(size=(1, 12, 1, 1)), np.ones((1, 12, 1, 1), bool)
    seen[0, [0, 4, 5, 6, 11]] = False
    mean, variance = _kriged(np.where(seen, values, 0.0), seen, along[None, None])
    for frame, near in ((0, [1, 2]), (4, [2, 3, 7, 8]), (6, [2, 3, 7, 8]), (11, [9, 10])):
        known = along[np.abs(np.subtract.outer(near, near))]
        weights = np.linalg.solve(known, along[np.abs(np.array(near) - frame)])
        assert mean[0, frame, 0, 0] == pytest.approx(weights @ values[0, near, 0, 0], abs=2e-2)
        left = along[0] - weights @ along[np.abs(np.array(near) - frame)]
        assert variance[0, frame, 0, 0] == pytest.approx(left, abs=2e-3)
    assert mean[seen].tolist() == variance[seen].tolist() == [0] * 7


def test_a_short_gap_of_another_season_counts_as_seen_and_a_long_one_does_not():
    along = np.stack([R ** np.arange(12.0), 0.3 * (np.arange(12) == 0)])[:, None, None]
    across = np.array([[1.0, 0.8], [0.8, 1.0]])[..., None]
    gaps = Gaps(mean=np.zeros((2, 1)), across=across, along=np.repeat(along, 2, 1), past=np.zeros((0, 12)))
    away, seen = np.random.default_rng(0).normal(size=(1, 12, 2, 1)), np.ones((1, 12, 2, 1), bool)
    seen[0, 2, 1] = seen[0, 4:11, 1] = False
    others = gaps._others(np.where(seen, away, 0.0), seen, slice(None))[0, :, 0, 0]
    near = R * (away[0, 1, 1, 0] + away[0, 3, 1, 0]) / (1 + R**2)
    assert others[2] == pytest.approx(0.8 * near, abs=1e-3)
    assert others[7] == 0


def test_autocovariance_is_that_of_pairs_both_seen():
    values = dropped(autoregression(40000), 1 / 3).reshape(-1, 20, 1, 1)[:, :8]
    np.testing.assert_allclose(_autocovariance(values)[0, 0], R ** np.arange(8), atol=0.06)
