"""Cross-fitting: no training window's anchor saw a frame of its future, and errors are as wide as to come."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from rheos.data.anchor import Anchor, DampedAnomaly, FittedAnchor
from rheos.data.anchor.cross_fitted import CrossFitted
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

HISTORY, HORIZON = 3, 4


@dataclass(frozen=True, kw_only=True)
class FittedMean(FittedAnchor):
    """Forecasts the mean of the futures that it was fitted on."""

    mean: np.ndarray

    def future(self, batch):
        return np.broadcast_to(self.mean, batch.future.shape)

    def numbers(self):
        return {"mean": self.mean}


class Mean(Anchor):
    kind: Literal["mean"] = "mean"

    def measure(self, source, indices):
        future = source.batch(indices).future.astype(np.float64)
        return FittedMean(scale=np.full((HISTORY + HORIZON, 1), 2.5, np.float32), mean=future.mean(0))

    def rebuild(self, scale, numbers):
        return FittedMean(scale=scale, **numbers)


def source_of(*lengths):
    """Recordings whose values are drawn, so that every set of windows has a mean of its own."""
    rng = np.random.default_rng(0)
    stamps = pd.date_range("2020-01-01", periods=max(lengths), freq="h")
    recordings = tuple(
        Recording.of(rng.normal(size=(frames, 1)), stamps[:frames], name=str(i))
        for i, frames in enumerate(lengths)
    )
    data = Dataset(layout=Layout(channels=("a",), frequency="h"), recordings=recordings)
    return WindowSource(data, WindowSpec(history=HISTORY, horizon=HORIZON), Scale().fit(data))


def cross_fitted(source, indices):
    whole = Mean().fit(source, indices)
    return whole, CrossFitted.of(Mean(), source, indices, whole)


@pytest.mark.parametrize("lengths", [(60,), (40, 9, 25), (7,) * 12])
def test_a_window_is_forecast_from_those_that_share_no_frame_with_its_stretch(lengths):
    """By hand: six runs of windows; whatever shares a frame of its future with one of a run is left out."""
    source = source_of(*lengths)
    indices = np.flatnonzero(np.arange(len(source)) % 7 != 3)
    whole, crossed = cross_fitted(source, indices)
    batch = source.batch(indices)
    found = crossed.future(batch)
    frames = [
        {(int(source.sequence[i]), int(source.origin[i]) + lead) for lead in range(HORIZON)} for i in indices
    ]
    runs = np.array_split(np.arange(len(indices)), 6)
    for run in runs:
        # A run is a stretch of time: what lies between its windows is left out too.
        taken = set()
        for sequence in np.unique(source.sequence[indices[run]]):
            origins = [int(source.origin[indices[i]]) for i in run if source.sequence[indices[i]] == sequence]
            taken |= {(int(sequence), f) for f in range(min(origins), max(origins) + HORIZON)}
        others = [i for i in range(len(indices)) if not frames[i] & taken]
        expected = batch.future[others].astype(np.float64).mean(0)
        np.testing.assert_allclose(found[run], np.broadcast_to(expected, found[run].shape), rtol=1e-12)
    assert not np.allclose(found, whole.future(batch))


def test_other_windows_have_the_anchor_of_all():
    source = source_of(60)
    indices = np.arange(0, 40)
    whole, crossed = cross_fitted(source, indices)
    batch = source.batch(np.arange(38, len(source)))
    found, expected = crossed.future(batch), whole.future(batch)
    np.testing.assert_array_equal(found[2:], expected[2:])
    assert not np.isclose(found[:2], expected[:2]).any()


def test_all_else_is_that_of_the_anchor_of_all():
    source = source_of(60)
    whole, crossed = cross_fitted(source, np.arange(len(source)))
    batch = source.batch(np.arange(10))
    for name in ("scale", "rhythm", "unrest", "memory"):
        assert getattr(crossed, name) is getattr(whole, name)
    assert crossed.numbers() == whole.numbers()
    np.testing.assert_array_equal(crossed.spread(batch), whole.spread(batch))


def test_where_none_would_be_left_the_anchor_of_all_stands():
    source = source_of(8)
    indices = np.arange(len(source))
    whole, crossed = cross_fitted(source, indices)
    batch = source.batch(indices)
    np.testing.assert_array_equal(crossed.future(batch), whole.future(batch))


def test_errors_are_as_wide_as_those_of_windows_to_come():
    """White noise of 400 cells: a climatology of 60 months errs too little on its own, by a seventh."""
    frames = 2000
    values = np.random.default_rng(1).normal(size=(frames, 400))
    stamps = pd.date_range("1900-01-01", periods=frames, freq="MS")
    layout = Layout(channels=tuple(f"c{i}" for i in range(400)), frequency="MS")
    data = Dataset(layout=layout, recordings=(Recording.of(values, stamps),))
    source = WindowSource(data, WindowSpec(history=HISTORY, horizon=HORIZON), Scale().fit(data))
    indices = np.arange(60)
    whole = DampedAnomaly().fit(source, indices)
    crossed = CrossFitted.of(DampedAnomaly(), source, indices, whole)

    def width(anchor, rows):
        batch = source.batch(rows)
        return float(np.sqrt(np.mean((batch.future - anchor.future(batch)) ** 2)))

    to_come = width(whole, np.arange(100, len(source)))
    # 60 months of 400 cells tell a width to a standard error of 0.5 %.
    assert width(whole, indices) < 0.95 * to_come
    assert width(crossed, indices) == pytest.approx(to_come, rel=0.04)
