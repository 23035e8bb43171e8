"""Forecasts keep to the limits of their variables, also after calibration and beyond the horizon."""

import json

import numpy as np
import pytest
import tiny

from rheos.core.errors import InputError
from rheos.forecast.forecaster import fit, load


def rain():
    frame = tiny.table()
    frame["a"] = np.maximum(frame["a"], 0.0)
    return frame


def test_no_member_leaves_the_limits(tmp_path):
    model = fit(rain(), tiny.HORIZON, words=tiny.SERIES, out=tmp_path / "model")
    assert model.model.history.bounds["a"][:2] == (0.0, None)
    assert model.model.history.bounds["a"][2] > 0
    model.model.calibration.scale[:] = 3.0
    drawn = model.forecast(members=8, horizon=2 * tiny.HORIZON).dataset
    assert float(drawn["a"].min()) == 0.0
    assert float(drawn["b"].min()) < 0
    assert "a in [0, ]" in (tmp_path / "model" / "README.md").read_text()
    again = load(tmp_path / "model")
    assert again.model.bounds.words(("a", "b")) == {"a": (0.0, None)}


def test_limits_are_declared_in_words(tmp_path):
    words = (*tiny.SERIES, "bounds.b=[-9,0.1]")
    with pytest.raises(InputError, match=r"bounds\.b=\[-9, 0\.1\], but .* lie outside"):
        fit(rain(), tiny.HORIZON, words=words, out=tmp_path / "model")
    model = fit(rain(), tiny.HORIZON, words=(*tiny.SERIES, "bounds.b=[-9,null]"), out=tmp_path / "model")
    assert model.model.bounds.words(("a", "b")) == {"b": (-9.0, None)}
    assert json.loads((tmp_path / "model" / "config.json").read_text())["recipe"]["bounds"] == {
        "b": [-9.0, None]
    }


def test_limits_can_be_left_out():
    model = fit(rain(), tiny.HORIZON, words=(*tiny.SERIES, "bounds=none"))
    assert not model.model.bounds.any
