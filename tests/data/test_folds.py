"""Folds: windows are anchored by what never saw their block, so that training errors are honest."""

from dataclasses import replace

import numpy as np
import pytest
from tests.data.test_anchor import everything, source_of
from tests.data.test_damped_anomaly import HISTORY, fit, law

from rheos.data.anchor import DampedAnomaly, Persistence, Ridge
from rheos.data.anchor.folds import Folds, Spans
from rheos.data.window_source import WindowSource

BLOCKS = 4


def autoregressive(frames, channels=1, seed=0):
    """A law that is worth a regression at all leads, and many features that are not."""
    values = np.random.default_rng(seed).normal(size=(frames, channels))
    for i in range(6, frames):
        values[i] += 0.3 * values[i - 6] - 0.3 * values[i - 5] - 0.3 * values[i - 3]
    return source_of(values, history=24, lags=(12,))


def by_hand(source):
    """The block of every window, by the definition: equal shares of the origins."""
    place = np.arange(len(source))
    return BLOCKS * place // len(source)


def test_a_window_is_forecast_by_a_ridge_that_never_saw_its_block():
    source = autoregressive(2000)
    ridge = Ridge(penalties=(0.05,), blocks=BLOCKS)
    fitted = ridge.fit(source, everything(source))
    block, batch = by_hand(source), source.batch(everything(source))
    found, _ = fitted.unseen(batch)
    for number in range(BLOCKS):
        alone = ridge.fit(source, np.flatnonzero(block != number))
        np.testing.assert_array_equal(alone.base, fitted.base)
        mine = block == number
        np.testing.assert_allclose(found[mine, 24:], alone.future(batch.rows(mine)), atol=1e-6)


def test_training_errors_have_the_size_of_those_to_come():
    """Dozens of features for 180 windows: in sample the errors are too small, unseen ones are not."""
    source, later = (autoregressive(n, 12, seed) for n, seed in ((220, 0), (3000, 1)))
    later = WindowSource(later.dataset, source.spec, source.codec)
    fitted = Ridge(penalties=(0.01,)).fit(source, everything(source))

    def size(batch, anchor):
        center, scale = anchor
        return float(np.sqrt(np.mean(((batch.future - center[:, 24:]) / scale[:, 24:]) ** 2)))

    own, new = source.batch(everything(source)), later.batch(everything(later))
    assert size(own, fitted(own)) < 0.96
    assert size(own, fitted.unseen(own)) == pytest.approx(1, abs=0.01)
    assert size(new, fitted(new)) == pytest.approx(1, abs=0.06)


def test_a_season_is_left_out_of_the_climatology_that_forecasts_it():
    values, _ = law(96)
    source, fitted = fit(values, blocks=BLOCKS)
    block, batch = by_hand(source), source.batch(everything(source))
    found, _ = fitted.unseen(batch)
    for number in range(BLOCKS):
        alone = DampedAnomaly().fit(source, np.flatnonzero(block != number))
        mine = batch.rows(np.flatnonzero(block == number))
        expected = replace(alone, damping=fitted.damping).future(mine)
        np.testing.assert_allclose(found[block == number, HISTORY:], expected, atol=1e-5)


def test_blocks_follow_the_origins_of_each_sequence():
    source = autoregressive(60)
    batch = source.batch(everything(source))
    spans = Spans.of(batch.rows(slice(10, 20)))
    first = int(batch.origin[10])
    found = spans.block(batch, 5)
    place = batch.origin - first
    np.testing.assert_array_equal(found, np.clip(place // 2, 0, 4))
    marks = tuple(lambda part, k=k: np.full(part.future.shape, float(k)) for k in range(5))
    np.testing.assert_array_equal(Folds(spans=spans, without=marks).future(batch)[:, 0, 0], found)


def test_rules_without_numbers_of_their_own_have_no_folds():
    source = autoregressive(120)
    fitted = Persistence().fit(source, everything(source))
    batch = source.batch(everything(source))
    assert fitted.folds is None
    np.testing.assert_array_equal(fitted.unseen(batch)[0], fitted(batch)[0])
    assert set(Ridge().fit(source, everything(source)).to_arrays()).isdisjoint({"folds", "without"})


def test_weights_of_too_many_entries_are_not_kept_for_every_block(monkeypatch):
    monkeypatch.setattr("rheos.data.anchor.ridge._FOLDS_BYTES", 1)
    source = autoregressive(120)
    fitted = Ridge().fit(source, everything(source))
    batch = source.batch(everything(source))
    assert fitted.folds is None
    np.testing.assert_array_equal(fitted.unseen(batch)[0], fitted(batch)[0])
