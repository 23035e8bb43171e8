"""Where windows are few, training sees errors of anchors that never saw them; forecasts have that of all."""

import numpy as np
import tiny
import torch

from rheos.data.anchor.cross_fitted import CrossFitted
from rheos.data.circle import Circle
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.denoise import Objective


def trained(monkeypatch, few):
    """A forecaster of a table, and the anchors its training clips had."""
    anchors = []

    def spied(self, denoiser, x0, context, key, noise=None):
        anchors.append(context.anchor)
        return told(self, denoiser, x0, context, key, noise)

    told = Objective.__call__
    with monkeypatch.context() as patched:
        patched.setattr(Objective, "__call__", spied)
        patched.setattr("rheos.forecast.fitting._FEW_WINDOWS", few)
        forecaster = tiny.fitted(tiny.table(), tiny.SERIES)
    return forecaster, torch.cat(anchors)


def test_the_network_is_trained_on_errors_of_windows_never_seen(monkeypatch):
    few, crossed = trained(monkeypatch, 500)
    many, plain = trained(monkeypatch, 0)
    past = few.model.recipe.history
    torch.testing.assert_close(crossed[:, :past], plain[:, :past])
    assert not torch.isclose(crossed[:, past:], plain[:, past:]).all(1).any()
    # Whose errors are wider than those of windows that the anchor was fitted on.
    assert few.model.continuous.sigma_data > many.model.continuous.sigma_data


def test_a_forecast_has_the_anchor_of_all_windows(monkeypatch):
    few, _ = trained(monkeypatch, 500)
    model = few.model
    assert not isinstance(model.anchor, CrossFitted)
    seen = Circle(model.layout.circular).lift(read(tiny.table()))
    windows = WindowSource(seen, model.recipe.window, model.codec)
    expected = model.recipe.anchor.fit(windows, np.arange(len(windows)))
    batch = windows.batch(np.arange(5))
    np.testing.assert_array_equal(model.anchor.future(batch), expected.future(batch))
