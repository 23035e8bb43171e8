"""The blocks held out of training: disjoint futures, spread over the span."""

import numpy as np
import pandas as pd
import pytest

from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec
from rheos.forecast.held_out import apart, blocks, split


def source(lengths, history=4, horizon=3):
    rng = np.random.default_rng(0)
    recordings = tuple(
        Recording.of(rng.normal(size=(n, 1)).astype(np.float32), pd.RangeIndex(n), str(n)) for n in lengths
    )
    dataset = Dataset(layout=Layout(channels=("a",)), recordings=recordings)
    return WindowSource(dataset, WindowSpec(history=history, horizon=horizon), Scale().fit(dataset))


@pytest.mark.parametrize("lengths", [(400,), (60,), (30,), (400, 50, 90)])
def test_no_frame_is_both_learned_and_held_out(lengths):
    windows = source(lengths)
    train, held = split(windows, 0.12)
    assert len(train) > 0
    assert len(held) > 0
    futures = [
        {
            (windows.sequence[i], windows.origin[i] + step)
            for i in part
            for step in range(windows.spec.horizon)
        }
        for part in (train, held)
    ]
    assert not futures[0] & futures[1]


def test_the_share_is_kept_and_spread():
    parts = blocks(10_000, 100, 48, 0.12)
    lengths = parts[:, 1] - parts[:, 0]
    assert lengths.sum() == pytest.approx(1200, rel=0.02)
    assert len(parts) == 6
    assert (parts[1:, 0] > parts[:-1, 1]).all()
    assert parts[0, 0] < 2000
    assert parts[-1, 1] > 8500
    assert parts[-1, 1] < 10_000  # the newest frames are learned from


def test_short_recordings_have_one_block_of_at_least_a_horizon():
    assert blocks(40, 10, 6, 0.1).tolist() == [[22, 28]]


def test_calibration_takes_windows_that_do_not_overlap_where_there_are_enough():
    windows = source((400, 300), horizon=4)
    _, held = split(windows, 0.3)
    chosen = apart(windows, held, 4, 12)
    for recording in (0, 1):
        origin = windows.origin[chosen[windows.sequence[chosen] == recording]]
        assert (np.diff(origin) >= 4).all()
    assert set(chosen) <= set(held)
    assert len(chosen) >= 12


@pytest.mark.parametrize(("fewest", "step"), [(3, 4), (7, 2), (12, 1)])
def test_few_windows_overlap_as_little_as_gives_enough(fewest, step):
    windows = source((100,), horizon=4)
    held = np.flatnonzero((windows.origin >= 50) & (windows.origin < 63))
    assert np.unique(np.diff(windows.origin[apart(windows, held, 4, fewest)])).tolist() == [step]
