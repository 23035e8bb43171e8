"""What is measured on the training data."""

import numpy as np
import pandas as pd
import pytest
import torch

from rheos.core.context import Context
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.forecast.measure import (
    canonical_futures,
    channel_scale,
    deviation,
    mode_variances,
    solver_bias,
)
from rheos.process.process import Process
from rheos.sample.preset import BOUNDS


def test_the_scale_of_each_channel_is_its_standard_deviation():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 3, 2)) * np.array([2.0, 5.0, 0.0])[:, None] + 100
    values[::7, 0] = np.nan
    halves = [Recording.of(v, pd.RangeIndex(len(v)), str(len(v))) for v in (values[:20], values[20:])]
    scale = channel_scale(Dataset(layout=Layout(channels=("a", "b", "c")), recordings=tuple(halves)))
    assert scale[:2] == pytest.approx([np.nanstd(values[:, 0]), np.nanstd(values[:, 1])])
    assert scale[2] == 1.0


def test_missing_entries_are_left_out():
    mask = torch.tensor([[[1.0], [1.0], [0.0], [1.0]]])
    clip = torch.tensor([[[9.0], [3.0], [5.0], [4.0]]])
    context = Context(history_frames=1, mask=mask)
    found = canonical_futures(Process(), clip, context)
    assert torch.equal(found.nan_to_num(-1), torch.tensor([[3.0, -1.0, 4.0]]))
    assert deviation(found) == pytest.approx(12.5**0.5)


def test_the_presets_keep_their_bounds_on_fitted_modes():
    generator = torch.Generator().manual_seed(0)
    paths = torch.randn(200, 24, generator=generator).cumsum(1) / 4
    found = solver_bias(Process(), mode_variances(paths))
    for word, bound in BOUNDS.items():
        assert max(abs(ratio - 1) for ratio in found[word]) < bound


def test_nothing_varies_nothing_is_reported():
    assert mode_variances(torch.zeros(10, 4)) == []
    assert mode_variances(torch.full((10, 4), torch.nan)) == []
    assert solver_bias(Process(), []) == {}
