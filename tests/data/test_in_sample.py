"""Units of training: errors of unit variance where the anchor was fitted, honest ones where it was not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rheos.data.anchor import DampedAnomaly, NoAnchor, Persistence
from rheos.data.anchor.in_sample import InSample
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

HISTORY, HORIZON = 3, 4


def source_of(values, kind="series"):
    stamps = pd.date_range("1900-01-01", periods=len(values), freq="MS")
    channels = tuple(f"c{i}" for i in range(values.shape[1]))
    dims = ("channel", "y", "x")[: values.ndim - 1]
    layout = Layout(channels=channels, kind=kind, dims=dims, frequency="MS")
    data = Dataset(layout=layout, recordings=(Recording.of(values, stamps),))
    return WindowSource(data, WindowSpec(history=HISTORY, horizon=HORIZON), Scale().fit(data))


def widths(anchor, batch):
    """Root mean square of canonical errors, by lead and variable."""
    center, scale = (part[:, HISTORY:] for part in anchor(batch))
    error = ((batch.future - center) / scale).reshape(*batch.future.shape[:3], -1)
    return np.sqrt(np.nanmean(error**2, axis=(0, 3)))


@pytest.mark.parametrize(("shape", "kind"), [((300,), "series"), ((2, 10, 12), "grid")])
def test_errors_are_of_unit_variance_where_the_anchor_was_fitted(shape, kind):
    values = np.random.default_rng(1).normal(size=(600, *shape))
    values[np.random.default_rng(2).random(values.shape) < 0.1] = np.nan
    source = source_of(values, kind)
    indices = np.arange(60)
    anchor = DampedAnomaly(memory=0.0).fit(source, indices)
    batch = source.batch(indices)
    # A climatology of 60 months takes a seventh of white noise with it.
    assert widths(anchor, batch).mean() < 0.93
    pupil = InSample.of(anchor, source, indices)
    np.testing.assert_allclose(widths(pupil, batch), 1.0, rtol=1e-5)


def test_only_the_scale_of_the_future_changes():
    values = np.random.default_rng(1).normal(size=(120, 5))
    source = source_of(values)
    indices = np.arange(60)
    anchor = DampedAnomaly().fit(source, indices)
    pupil = InSample.of(anchor, source, indices)
    batch = source.batch(indices)
    recent = {"level": np.full(batch.future.shape, 0.5, np.float32), "spread": np.full((60, 1, 5), 1.5)}
    for told in (batch, replace(batch, recent=recent)):
        (center, wide), (same, narrow) = anchor(told), pupil(told)
        np.testing.assert_array_equal(same, center)
        np.testing.assert_array_equal(narrow[:, :HISTORY], wide[:, :HISTORY])
        np.testing.assert_allclose(narrow[:, HISTORY:], wide[:, HISTORY:] * pupil.ratio, rtol=1e-6)
    assert pupil.ratio.min() < 0.9
    np.testing.assert_array_equal(pupil.future(batch), anchor.future(batch))
    assert pupil.numbers().keys() == anchor.numbers().keys()


def test_an_anchor_of_nothing_has_units_of_the_data():
    source = source_of(0.5 + np.random.default_rng(1).normal(size=(120, 2)))
    indices = np.arange(60)
    pupil = InSample.of(NoAnchor().fit(source, indices), source, indices)
    assert (pupil.ratio <= 1.0).all()
    assert all(part.dtype == np.float32 for part in pupil(source.batch(indices)))


def test_no_scale_grows_and_none_vanishes():
    source = source_of(np.random.default_rng(1).normal(size=(120, 2)))
    indices = np.arange(60)
    anchor = Persistence(memory=0.0).fit(source, indices)
    narrow, wide = (replace(anchor, scale=anchor.scale * factor) for factor in (0.3, 1e6))
    np.testing.assert_array_equal(InSample.of(narrow, source, indices).ratio, 1.0)
    np.testing.assert_allclose(InSample.of(wide, source, indices).ratio, 0.1, rtol=1e-6)


def test_axes_of_space_share_a_ratio():
    values = np.random.default_rng(1).normal(size=(120, 2, 3)) * np.array([1.0, 0.5])[:, None]
    stamps = pd.date_range("2020-01-01", periods=120, freq="s")
    layout = Layout(channels=("x", "y"), kind="trajectory", dims=("axis", "agent"), frequency="s")
    data = Dataset(layout=layout, recordings=(Recording.of(values, stamps),))
    codec = Scale(isotropic=True).fit(data)
    source = WindowSource(data, WindowSpec(history=HISTORY, horizon=HORIZON), codec)
    indices = np.arange(60)
    anchor = Persistence(memory=0.0).fit(source, indices)
    wide = replace(anchor, scale=np.full_like(anchor.scale, 10.0))
    ratio = InSample.of(wide, source, indices).ratio
    assert ratio.shape == (HORIZON, 1, 1)
    batch = source.batch(indices)
    error = (batch.future - wide.future(batch)) / 10.0
    np.testing.assert_allclose(ratio.ravel(), np.sqrt((error**2).mean((0, 2, 3))), rtol=1e-5)


def test_a_variable_never_seen_keeps_its_scale():
    values = np.random.default_rng(1).normal(size=(120, 2))
    values[:, 1] = np.nan
    source = source_of(values)
    indices = np.arange(60)
    anchor = Persistence(memory=0.0).fit(source, indices)
    np.testing.assert_array_equal(InSample.of(anchor, source, indices).ratio[:, 1], 1.0)
