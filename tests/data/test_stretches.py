"""Stretches of windows in turn: none of the others shares a frame to forecast with them."""

import numpy as np
import pandas as pd
import pytest

from rheos.data.anchor.stretches import stretches
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

HISTORY, HORIZON = 3, 4


def source_of(*lengths):
    rng = np.random.default_rng(0)
    stamps = pd.date_range("2020-01-01", periods=max(lengths), freq="h")
    recordings = tuple(
        Recording.of(rng.normal(size=(frames, 1)), stamps[:frames], name=str(i))
        for i, frames in enumerate(lengths)
    )
    data = Dataset(layout=Layout(channels=("a",), frequency="h"), recordings=recordings)
    return WindowSource(data, WindowSpec(history=HISTORY, horizon=HORIZON), Scale().fit(data))


@pytest.mark.parametrize("lengths", [(60,), (40, 9, 25), (7,) * 12])
def test_the_others_share_no_frame_with_a_stretch(lengths):
    """By hand: six runs of windows; what shares a frame with the time of a run goes."""
    source = source_of(*lengths)
    indices = np.flatnonzero(np.arange(len(source)) % 7 != 3)
    sequence, origin = source.sequence[indices], source.origin[indices]
    runs = list(stretches(source, indices))
    assert np.concatenate([mine for mine, _ in runs]).tolist() == list(range(len(indices)))
    assert len(runs) == 6
    for mine, others in runs:
        taken = set()
        for one in np.unique(sequence[mine]):
            there = origin[mine][sequence[mine] == one]
            taken |= {(one, frame) for frame in range(there.min(), there.max() + HORIZON)}
        free = [
            i
            for i in range(len(indices))
            if not {(sequence[i], origin[i] + h) for h in range(HORIZON)} & taken
        ]
        assert others.tolist() == free


def test_a_run_without_which_no_more_than_half_is_left_is_passed_over():
    """Of 17 windows a run leaves 11 or more at the ends and 8 or less inside."""
    source = source_of(17 + HISTORY + HORIZON - 1)
    kept = [mine.tolist() for mine, _ in stretches(source, np.arange(17))]
    assert kept == [[0, 1, 2], [12, 13, 14], [15, 16]]
