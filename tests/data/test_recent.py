"""Recent errors of anchors: their formula, known at the origin alone, drifts followed, the spread of now."""

from dataclasses import replace

import numpy as np
import pytest

import rheos
from rheos.data.anchor import DampedAnomaly, NoAnchor, Perceptron, Persistence, Ridge, Seasonal
from rheos.data.anchor.recent import carried, follow, lookback, looked_back, stride_of, trailing
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec
from rheos.forecast.model import FittedModel

RNG = np.random.default_rng(0)
HISTORY, HORIZON = 6, 3


def source_of(*series, late=0, **layout):
    """Windows of recordings of one or more channels, in deviations."""
    several = [v.reshape(len(v), -1).astype(np.float32) for v in series]
    names = tuple("ab"[: several[0].shape[1]])
    recordings = tuple(Recording.of(v, name=str(i)) for i, v in enumerate(several))
    data = Dataset(layout=Layout(channels=names, **layout), recordings=recordings)
    spec = WindowSpec(history=HISTORY, horizon=HORIZON, late={"a": late} if late else {})
    return WindowSource(data, spec, Scale().fit(data))


def fitted_on(source, config):
    return config.fit(source, np.arange(len(source)))


def walks(frames=200, channels=2):
    values = RNG.normal(size=(frames, channels)).cumsum(0)
    values[50:53, 0] = np.nan
    values[70] = np.nan
    values[80, 0] += 60.0  # further off than errors count
    return values


def by_the_formula(source, anchor, sequence, origin):
    """b and r by loops over windows, leads and channels."""
    stride, channels = stride_of(source), source.features[0]
    level, spread = np.zeros((HORIZON, channels)), np.zeros(channels)
    for channel in range(channels):
        above, below = np.zeros((2, HORIZON))
        square, share = 3.0, 3.0
        for k in range(1, lookback(anchor.memory) + 1):
            start, weight = origin - k * stride, 0.5 ** ((k - 1) / anchor.memory)
            if start < HISTORY:
                break
            batch = source.gather(np.array([sequence]), np.array([start]))
            z = ((batch.future - anchor.future(batch)) / anchor.spread(batch))[0, :, channel]
            for lead in range(HORIZON):
                if np.isfinite(z[lead]):
                    one = np.clip(z[lead], -4, 4)
                    above[lead] += weight * one
                    below[lead] += weight
                    square += weight * one**2 / HORIZON
                    share += weight / HORIZON
        level[:, channel], spread[channel] = above / (20 + below), np.sqrt(square / share)
    return level, spread


@pytest.mark.parametrize("ahead", [False, True])
def test_level_and_spread_are_the_formulas(ahead):
    source = source_of(walks(), walks(90))
    anchor = fitted_on(source, Persistence(memory=4))
    wanted = [by_the_formula(source, anchor, i, at) for i, at in ((0, 200), (1, 44), (0, 95), (1, 8), (1, 9))]
    follow(source, anchor, ahead=ahead)
    batch = source.gather(np.array([0, 1, 0, 1, 1]), np.array([200, 44, 95, 8, 9]))
    for row, (level, spread) in enumerate(wanted):
        assert batch.recent["level"][row] == pytest.approx(level, abs=2e-6)
        assert batch.recent["spread"][row, 0] == pytest.approx(spread, rel=2e-6)
    assert np.any(wanted[4][0] != 0.0)
    one = batch.rows(np.array([2]))
    assert np.array_equal(one.recent["level"], batch.recent["level"][2:3])
    # Nothing precedes the first windows: they stay as they are.
    assert np.all(wanted[3][0] == 0.0)
    assert np.all(wanted[3][1] == 1.0)


@pytest.mark.parametrize("config", [Persistence(), Seasonal(), Ridge(), DampedAnomaly(), Perceptron(steps=1)])
def test_where_nothing_came_before_forecasts_are_the_anchors(config):
    """A source no longer than a window's history, or shorter, tells of no recent errors."""
    source = source_of(walks())
    anchor = fitted_on(source, config)
    for frames in (2, HISTORY, HISTORY + 2):
        short = WindowSource(source_of(walks()[:frames]).dataset, source.spec, source.codec)
        recent = follow(short, anchor).at(0).recent
        assert np.all(recent["level"] == 0.0)
        assert np.all(recent["spread"] == 1.0)


def test_center_and_scale_are_moved_by_them():
    source = source_of(walks())
    anchor = fitted_on(source, Persistence())
    plain = source.gather(np.array([0]), np.array([150]))
    told = follow(source, anchor).gather(np.array([0]), np.array([150]))
    (center, scale), (moved, wider) = anchor(plain), anchor(told)
    future = slice(HISTORY, None)
    assert np.array_equal(moved[:, :HISTORY], center[:, :HISTORY])
    assert np.array_equal(wider[:, :HISTORY], scale[:, :HISTORY])
    assert moved[:, future] == pytest.approx(center[:, future] + scale[:, future] * told.recent["level"])
    assert wider[:, future] == pytest.approx(scale[:, future] * told.recent["spread"])


@pytest.mark.parametrize(("stride", "count", "length"), [(1, 5, 40), (3, 4, 40), (7, 3, 40), (50, 3, 40)])
def test_sums_along_a_recording_are_those_of_every_origin(stride, count, length):
    values = RNG.normal(size=(length, 2))
    weight = 2.0 ** (-np.arange(count) / 2.5)
    wanted = np.zeros_like(values)
    for n in range(length):
        for k in range(1, count + 1):
            if n - k * stride >= 0:
                wanted[n] += weight[k - 1] * values[n - k * stride]
    assert trailing(values, stride, weight) == pytest.approx(wanted)


def test_a_lasting_error_is_learned_and_the_scale_is_that_of_now():
    """z = 2 in every window: b = 2 W / (20 + W) and r^2 = (3 + 4 W) / (3 + W), W the sum of weights."""
    source = source_of(np.repeat([-1.0, 1.0], 200))
    anchor = fitted_on(source, NoAnchor())
    follow(source, replace(anchor, scale=anchor.scale / 2, memory=10.0))
    found = source.gather(np.array([0]), np.array([399])).recent
    weights = (0.5 ** (np.arange(30) / 10)).sum()
    assert found["level"] == pytest.approx(np.full((1, 3, 1), 2 * weights / (20 + weights)))
    assert found["spread"] == pytest.approx(np.full((1, 1, 1), np.sqrt((3 + 4 * weights) / (3 + weights))))


def test_a_trend_that_the_anchor_does_not_know_is_followed():
    """A seasonal anchor lags a period of growth behind, every time: 20 / (20 + W) of that is left."""
    frames = np.arange(3000)
    source = source_of(0.02 * frames + 3 * np.sin(2 * np.pi * frames / 12), periods=(12,))
    source = WindowSource(source.dataset, source.spec.model_copy(update={"lags": (12,)}), source.codec)
    anchor = fitted_on(source, Seasonal(memory=20))

    def errors():
        batch = source.gather(np.zeros(40, int), np.arange(2700, 2900, 5))
        return (batch.future - anchor(batch)[0][:, HISTORY:]).ravel()

    plain = errors()
    follow(source, anchor)
    weights = (0.5 ** (np.arange(60) / 20)).sum()
    assert np.all(plain > 0)
    assert errors() == pytest.approx(plain * 20 / (20 + weights), rel=1e-3)


def test_nothing_from_the_origin_on_is_looked_at():
    values = walks()
    source = source_of(values)
    anchor, codec = fitted_on(source, Persistence()), source.codec
    changed = values.copy()
    changed[150:] += 7.0
    found = [
        follow(WindowSource(one.dataset, one.spec, codec), anchor)
        .gather(np.array([0]), np.array([150]))
        .recent
        for one in (source, source_of(changed))
    ]
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
    assert np.all(found[0]["level"] != 0)


@pytest.mark.parametrize(
    ("periods", "late", "stride"),
    [((), 0, 3), ((4,), 0, 4), ((2,), 0, 4), ((12,), 0, 12), ((13,), 0, 3), ((), 2, 5), ((4,), 2, 8)],
)
def test_windows_looked_back_on_are_known_and_of_the_same_phase(periods, late, stride):
    source = source_of(walks(), late=late, periods=periods)
    assert stride_of(source) == stride
    anchor = fitted_on(source, Persistence(memory=2))
    assert looked_back(source, anchor) == 6 * stride + source.spec.reach
    assert looked_back(source, replace(anchor, memory=0.0)) == source.spec.reach


def test_later_stretches_go_on_with_them_where_phases_agree():
    source = source_of(walks(), periods=(3,))
    batch = follow(source, fitted_on(source, Persistence())).gather(np.array([0]), np.array([150]))
    kept = carried(source, batch, 5)
    assert all(np.array_equal(kept[name], np.repeat(batch.recent[name], 5, 0)) for name in batch.recent)
    assert carried(source_of(walks(), periods=(4,)), batch, 5) == {}


def test_memory_is_kept_with_the_anchor_and_can_be_none():
    source = source_of(walks())
    anchor = fitted_on(source, Persistence(memory=7))
    assert Persistence(memory=7).restore(anchor.to_arrays()).memory == 7
    forgetful = fitted_on(source, Persistence(memory=0))
    assert "memory" not in forgetful.to_arrays()
    assert Persistence().restore(forgetful.to_arrays()).memory == 0
    assert follow(source, forgetful).gather(np.array([0]), np.array([150])).recent == {}
    assert fitted_on(source, NoAnchor()).memory == 0


def test_errors_of_too_many_windows_are_not_followed(monkeypatch):
    source = source_of(walks())
    monkeypatch.setattr("rheos.data.anchor.base._MOST_ERROR_BYTES", 4 * 200 * HORIZON * 2 - 1)
    assert fitted_on(source, Persistence()).memory == 0
    monkeypatch.setattr("rheos.data.anchor.base._MOST_ERROR_BYTES", 4 * 200 * HORIZON * 2)
    assert fitted_on(source, Persistence()).memory == 20


WORDS = ("training.steps=2", "training.checks=1", "network.width=8", "network.depth=1", "network.heads=1")


def test_training_and_every_stretch_of_a_forecast_are_told(monkeypatch):
    """All windows that are trained on, calibrated on and forecast from; later stretches as the first."""
    values = walks(400, 1)
    data = Dataset(
        layout=Layout(channels=("a",)), recordings=(Recording.of(np.nan_to_num(values).astype(np.float32)),)
    )
    told, context = [], FittedModel.context

    def watched(model, batch, **how):
        told.append(batch.recent)
        return context(model, batch, **how)

    monkeypatch.setattr(FittedModel, "context", watched)
    forecaster = rheos.fit(data, 4, words=[*WORDS, "block=5"])
    assert len(told) > 3
    assert all(recent["level"].any() for recent in told)
    told.clear()
    forecaster.forecast(members=5, horizon=12)
    assert len(told) == 3
    assert told[0]["level"].any()
    assert all(np.array_equal(one["level"], np.repeat(told[0]["level"], 5, 0)) for one in told[1:])


def test_a_saved_model_forecasts_from_its_own_tail_as_from_the_whole_file(tmp_path):
    """The tail is long enough for the recent errors, and no bit of them hangs on what else was asked for."""
    frames = np.arange(900)
    values = np.sin(frames / 4) + np.cumsum(RNG.normal(size=900)) / 30
    table = Dataset(
        layout=Layout(channels=("a",)), recordings=(Recording.of(values[:, None].astype(np.float32)),)
    )
    model = rheos.fit(table, 4, words=[*WORDS, "anchor.memory=5", "block=5"])
    assert len(model.model.tail.recordings[0]) < 900
    own, whole = (model.forecast(source, members=5) for source in (None, table))
    assert np.array_equal(own.dataset["a"].values, whole.dataset["a"].values)
    model.save(tmp_path / "model")
    again = rheos.load(tmp_path / "model").forecast(members=5)
    assert np.array_equal(own.dataset["a"].values, again.dataset["a"].values)
    longer = rheos.load(tmp_path / "model").forecast(members=5, horizon=7)
    assert longer.dataset["a"].sizes["lead_time"] == 7
