"""Calibration draws members toward what the anchor forecasts: of a persistence, the last value known."""

from itertools import islice

import numpy as np
import pytest
import tiny
import xarray as xr

from rheos.calibrate import AffineCalibration, FittedCalibration
from rheos.calibrate.kept_share import Kept
from rheos.core.circle import mean_direction, signed
from rheos.forecast.engine import Engine
from rheos.forecast.forecaster import fit
from rheos.sample.preset import preset

S = tiny.HORIZON
LAST = (*tiny.SERIES, "anchor=persistence", "anchor.memory=0")
WIND = (*LAST, "circular.wind=360")


def wind():
    """A direction that wanders about north, and a speed."""
    frame = tiny.table()
    return frame.assign(wind=np.mod(25 * frame["b"], 360.0)).drop(columns="b")


def keeping(share, forecaster):
    """The forecaster with a calibration that keeps a share of what its network adds to the anchor."""
    shape = forecaster.model.calibration.shift.shape
    kept = Kept(np.ones(shape), common=share, own=share)
    forecaster.model.calibration = FittedCalibration(np.zeros(shape), np.ones(shape), kept=kept)
    return forecaster


@pytest.fixture(scope="module")
def lasting():
    return keeping(0.0, fit(tiny.table(), S, words=LAST))


@pytest.fixture(scope="module")
def windy():
    # A whole turn too many shows only in a part of the way.
    return keeping(0.4, fit(wind(), S, words=WIND))


@pytest.fixture
def told(monkeypatch):
    """What calibration is fitted on."""
    kept, usual = [], AffineCalibration.fit

    def fit_and_tell(self, ensemble, truth, block=None, anchor=None):
        kept.append((ensemble, truth, anchor))
        return usual(self, ensemble, truth, block, anchor)

    monkeypatch.setattr(AffineCalibration, "fit", fit_and_tell)
    return kept


def test_members_lie_about_the_anchor_of_their_stretch(lasting):
    model = lasting.model
    origin = model.tail.recordings[0].observed
    raw, moved = (
        Engine(model, model.tail, preset("fast"), horizon=2 * S, calibrated=calibrated)
        for calibrated in (False, True)
    )
    first = raw.block(0, origin, 0)
    center = first.mean(0, dtype=np.float64)
    # A stretch beyond the first goes on from each member's own last frame.
    last = np.stack([model.tail.recordings[0].values[origin - 1], center[S - 1]])
    goal = np.repeat(last, S, axis=0)
    for number in range(2):
        expected = goal + raw.block(0, origin, number) - center
        assert moved.block(0, origin, number) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_stream_has_the_same_members(lasting):
    whole = lasting.forecast(members=5, horizon=2 * S, quality="fast").dataset
    frames = islice(lasting.stream(members=5, quality="fast"), 2 * S)
    streamed = xr.concat([frame.dataset for frame in frames], "lead_time")
    for name in whole.data_vars:
        if "lead_time" in whole[name].dims:
            np.testing.assert_array_equal(
                streamed[name].transpose(*whole[name].dims).values, whole[name].values
            )


def test_directions_go_the_shorter_way(windy):
    """Members about north on both sides of it, the last direction on either."""
    model, recording = windy.model, windy.model.tail.recordings[0]
    place = model.layout.channels.index("wind")
    crossed = 0
    for origin in range(recording.observed - 12, recording.observed + 1):
        raw, moved = (
            Engine(model, model.tail, preset("fast"), horizon=2 * S, calibrated=calibrated).block(
                0, origin, 0
            )
            for calibrated in (False, True)
        )
        middle = mean_direction(raw[..., place], 360.0, 0)
        last = np.repeat([recording.values[origin - 1, place], middle[S - 1]], S)
        # Set straight, the members' mean is the anchor; of the second stretch it is the mean of their own.
        straight = (middle + signed(raw[..., place] - middle, 360.0)).mean(0)
        own = straight[S - 1] - middle[S - 1]
        anchor, center = signed(last - middle, 360.0) + np.repeat([0.0, own], S), straight - middle
        goal = anchor + 0.4 * (center - anchor)
        expected = goal + signed(raw[..., place] - middle, 360.0) - center
        found = signed(moved[..., place] - middle, 360.0)
        assert np.abs(signed(found - expected, 360.0)).max() < 0.01
        crossed += int((np.abs(last - middle) > 180).any())
    assert crossed > 0


@pytest.mark.parametrize(("source", "words"), [(tiny.table, LAST), (wind, WIND)])
def test_calibration_is_fitted_with_the_anchor_of_each_window(source, words, told):
    model = fit(source(), S, words=words).model
    (ensemble, truth, anchor), circle = told[0], model.circle
    assert anchor.shape == truth.shape
    frames = source()[list(model.layout.channels)].to_numpy(np.float32)
    futures = np.lib.stride_tricks.sliding_window_view(frames[1:], S, axis=0).swapaxes(1, 2)
    for came, center, point in zip(truth, ensemble.mean(1), anchor, strict=True):
        away = np.abs(circle.about(futures, center) - came).max((1, 2))
        assert away.min() < 1e-3
        before = np.broadcast_to(frames[away.argmin()], center.shape)
        np.testing.assert_allclose(point, circle.about(before, center, axis=1), rtol=1e-4, atol=1e-3)
    kept = model.calibration.kept
    assert 0 < kept.own < 1
    assert 0 < kept.common < 1
    assert f"of what the network adds to its anchor {kept} kept" in model.history.calibration["note"]
    assert f"{kept.common:.0%} of what variables have in common and {kept.own:.0%} of the rest" == str(kept)


def test_the_anchor_keeps_to_the_limits_of_its_variable(told):
    """A ridge that goes below 0, where no member may."""
    frame = tiny.table()
    frame["a"] = np.maximum(frame["a"], 0.0)
    fit(frame, S, words=(*tiny.SERIES, "bounds.a=[0,null]"))
    assert told[0][2][..., 0].min() == 0
