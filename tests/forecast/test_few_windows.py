"""Where windows are few, training is in units of the errors there; forecasts have the honest scale."""

import numpy as np
import pytest
import tiny
import torch

from rheos.data.circle import Circle
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.denoise import Objective


def trained(monkeypatch, few):
    """A forecaster of a table, and the anchors and scales that its training clips had."""
    seen = []

    def spied(self, denoiser, x0, context, key, noise=None):
        seen.append((context.anchor, context.anchor_scale))
        return told(self, denoiser, x0, context, key, noise)

    told = Objective.__call__
    with monkeypatch.context() as patched:
        patched.setattr(Objective, "__call__", spied)
        patched.setattr("rheos.forecast.model.FEW_WINDOWS", few)
        forecaster = tiny.fitted(tiny.table(), tiny.SERIES)
    return forecaster, *(torch.cat(parts) for parts in zip(*seen, strict=True))


def test_training_is_in_units_of_the_errors_there(monkeypatch):
    few, anchor, narrow = trained(monkeypatch, 500)
    many, same, wide = trained(monkeypatch, 0)
    past = few.model.recipe.history
    torch.testing.assert_close(anchor, same)
    torch.testing.assert_close(narrow[:, :past], wide[:, :past])
    ratio = narrow[:, past:] / wide[:, past:]
    assert float(ratio.max()) <= 1.0
    assert float(ratio.min()) < 0.97
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))
    # The process is fitted to errors of unit variance.
    assert few.model.continuous.sigma_data == pytest.approx(1.0, abs=0.05)
    assert many.model.continuous.sigma_data < few.model.continuous.sigma_data
    assert few.model.history.scores[-1] != many.model.history.scores[-1]


def test_a_forecast_has_the_anchor_and_scale_of_all_windows(monkeypatch):
    model = trained(monkeypatch, 500)[0].model
    seen = Circle(model.layout.circular).lift(read(tiny.table()))
    windows = WindowSource(seen, model.recipe.window, model.codec)
    expected = model.recipe.anchor.fit(windows, np.arange(len(windows)))
    batch = windows.batch(np.arange(5))
    for found, other in zip(model.anchor(batch), expected(batch), strict=True):
        np.testing.assert_array_equal(found, other)
