"""Health: planted ailments are told, healthy members of the same law are not, whole or frame by frame."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pandas as pd
import pytest
import tiny
from scipy.ndimage import uniform_filter1d

from rheos import cli
from rheos.core.errors import InputError
from rheos.data.circle import Circle
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.forecast.engine import Engine, Stretch
from rheos.forecast.forecast import Forecast
from rheos.forecast.forecaster import load
from rheos.forecast.health import MEANINGS, RATE, Health, Watch, measures
from rheos.forecast.unwell import health_sentence

ALL = np.ones(1, bool)


def recorded(values):
    """One recording `(frames, channel, *space)`."""
    values = np.asarray(values, np.float32)
    empty = np.zeros((len(values), 0), np.float32)
    recording = Recording(
        name="",
        stamps=pd.RangeIndex(len(values)),
        values=values,
        known_future=empty,
        past=empty,
        static=np.zeros(0, np.float32),
    )
    channels = tuple(str(i) for i in range(values.shape[1]))
    space = ("y", "x")[: values.ndim - 2]
    kind = "field" if space else "series"
    layout = Layout(kind=kind, dims=("channel", *space), channels=channels, units=("",) * len(channels))
    return Dataset(layout=layout, recordings=(recording,))


def health_of(values):
    return Health.of(recorded(values))


def members(count, frames, seed=1, persistence=0.8):
    """Independent members of the law of the data, `(count, frames, 1)`."""
    return np.moveaxis(tiny.walk(frames + 100, count, seed, persistence)[100:], 1, 0)[..., None]


HEALTH = health_of(3.0 + 2.0 * tiny.walk(2400, 1, seed=11))
LEVEL, SPREAD = 3.0, 2.0


def told(values, health=HEALTH, exists=ALL):
    return Watch(health, exists)(LEVEL + SPREAD * values)


def bit(name):
    return 1 << MEANINGS.index(name)


@pytest.mark.parametrize("persistence", [0.8, 0.0, 0.97])
def test_healthy_members_are_left_alone(persistence):
    """200 members of 500 frames: no more than the stated share is flagged, with much or little memory."""
    health = health_of(tiny.walk(4800, 1, seed=21, persistence=persistence))
    flags = Watch(health, ALL)(members(200, 500, persistence=persistence))
    assert np.count_nonzero(flags) <= RATE * flags.size


@pytest.mark.parametrize("persistence", [0.8, 0.95])
def test_the_stated_rate_holds_on_average_over_training_spans(persistence):
    """20 spans of 1200 frames, a hundred members of 300 frames each."""
    alarms = [
        np.count_nonzero(
            Watch(health_of(tiny.walk(1200, 1, seed, persistence)), ALL)(
                members(100, 300, seed + 900, persistence)
            )
        )
        for seed in range(20)
    ]
    assert sum(alarms) <= RATE * 20 * 100 * 300


def test_few_training_frames_raise_no_more_alarms():
    """From 200 frames the limits are wide: the rate holds on average over training spans."""
    alarms = [
        np.count_nonzero(Watch(health_of(tiny.walk(200, 1, seed=seed)), ALL)(members(20, 300, seed + 500)))
        for seed in range(40)
    ]
    assert sum(alarms) <= RATE * 40 * 20 * 300


def test_a_member_that_runs_away_is_told_where_it_leaves_the_range():
    values = members(50, 200)
    values[7] *= np.exp(0.05 * np.arange(200))[:, None]
    flags = told(values)
    ill = np.flatnonzero(flags.any(1))
    assert ill.tolist() == [7]
    first = int(np.flatnonzero(flags[7])[0])
    assert 10 < first < 80
    assert flags[7, -1] & bit("size")
    assert flags[7, -1] & bit("energy")


def test_a_number_that_is_none_is_told_at_once_and_land_is_not():
    values = members(5, 60)
    values[2, 40] = np.nan
    values[3, 50] = np.inf
    flags = told(values)
    assert np.argwhere(flags & bit("not_finite")).tolist() == [[2, 40], [3, 50]]
    assert not told(np.full((2, 60, 1), np.nan), exists=np.zeros(1, bool)).any()


def test_a_member_that_stands_still_is_told_within_a_run():
    values = members(50, 200)
    values[4, 100:] = values[4, 100]
    flags = told(values)
    assert np.flatnonzero(flags.any(1)).tolist() == [4]
    assert set(flags[4, flags[4] > 0]) == {bit("change")}
    assert 100 < int(np.flatnonzero(flags[4])[0]) <= 100 + HEALTH.span


@pytest.mark.parametrize("kind", ["smooth", "rough"])
def test_members_of_the_right_size_but_the_wrong_spectrum_are_told(kind):
    """Moving averages and white noise, both scaled to the data's variance."""
    values = members(20, 400, persistence=0.0 if kind == "rough" else 0.8)
    if kind == "smooth":
        values = uniform_filter1d(values, 15, axis=1)
        values /= values.std(1, keepdims=True)
    flags = told(values)[:, 40:]
    assert (flags & bit("change")).any(1).all()
    assert np.count_nonzero(flags & bit("change")) > 0.4 * flags.size


def field(count, frames, seed):
    """White noise smoothed over three cells, `(count, frames, 1, 12, 16)`, of unit variance."""
    noise = np.random.default_rng(seed).normal(size=(count, frames, 1, 12, 16))
    for axis in (3, 4):
        noise = uniform_filter1d(noise, 3, axis=axis, mode="wrap")
    return 3.0 * noise


def test_fields_that_are_smooth_or_grainy_in_space_are_told():
    health = health_of(field(1, 400, 1)[0])
    healthy = field(20, 100, 2)
    ill = healthy.copy()
    ill[3] = 3.0 * uniform_filter1d(ill[3], 5, axis=3, mode="wrap")
    ill[3] /= ill[3].std()
    ill[6] = np.random.default_rng(4).normal(size=ill[6].shape)
    watch = Watch(health, np.ones((1, 12, 16), bool))
    flags = watch(ill)
    assert np.flatnonzero(flags.any(1)).tolist() == [3, 6]
    assert (flags[[3, 6], health.span :] & bit("relief")).all()


def test_frame_by_frame_is_as_good_as_all_at_once():
    values = LEVEL + SPREAD * members(6, 90)
    values[1, 30:] = values[1, 30]
    values[2, 50:] *= 9.0
    whole = Watch(HEALTH, ALL)(values)
    watch = Watch(HEALTH, ALL)
    cuts = [0, 1, 2, 30, 31, 80, 90]
    parts = [watch(values[:, a:b]) for a, b in pairwise(cuts)]
    assert whole.any()
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    assert watch._measured.shape[1] == HEALTH.span - 1


def test_measures_by_hand():
    values = np.array([[[[1.0, 3.0], [5.0, 1.0]]], [[[2.0, 2.0], [np.nan, 4.0]]]])[None]
    found = measures(values, np.array([1.0]), np.array([2.0]))[0, :, :, 0]
    z = (values[0, :, 0] - 1.0) / 2.0
    np.testing.assert_allclose(found[0, :2], [2.0, (z[0] ** 2).mean()])
    np.testing.assert_allclose(found[1, :2], [1.5, (0.25 + 0.25 + 2.25) / 3])
    assert np.isnan(found[0, 2])
    np.testing.assert_allclose(found[1, 2], (0.25 + 0.25 + 2.25) / 3)
    rows, columns = np.diff(z[0], axis=0), np.diff(z[0], axis=1)
    np.testing.assert_allclose(found[0, 3], (rows**2).mean() + (columns**2).mean())


def test_what_never_moves_in_the_data_may_stand_still():
    """Rain is zero for weeks: a member without rain is no sick one."""
    values = np.maximum(tiny.walk(2400, 1, seed=5, persistence=0.9) - 1.5, 0.0)
    health = health_of(values)
    assert health.least[2, 0] == 0.0
    dry = np.zeros((3, 100, 1))
    assert not Watch(health, ALL)(dry).any()


def test_few_runs_still_tell_one_that_stands_still():
    """Where the interval of few runs reaches below nothing, a thousandth of the least move is the limit."""
    health = health_of(np.exp(1.5 * tiny.walk(240, 1, seed=3, persistence=0.9)))
    unlimited = health.limits()[0][2, 0] / health.least[2, 0]
    assert unlimited == pytest.approx(1e-3)
    still = np.full((2, 60, 1), float(health.center[0]))
    assert (Watch(health, ALL)(still)[:, health.span + 1 :] & bit("change")).all()


def test_too_little_to_know_says_nothing_but_what_is_no_number():
    health = health_of(tiny.walk(20, 1, seed=2))
    values = members(3, 30)
    values[1, 4] = np.nan
    assert np.argwhere(Watch(health, ALL)(values)).tolist() == [[1, 4]]


def test_numbers_survive_storage():
    back = Health.from_arrays(HEALTH.to_arrays())
    assert back.span == HEALTH.span
    for mine, theirs in zip(HEALTH.limits(), back.limits(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert Health.from_arrays({}) is None
    wider = replace(HEALTH, runs=0.1 * HEALTH.runs).limits()
    assert (wider[1][:3] > HEALTH.limits()[1][:3]).all()


HORIZON = 60


def planted(engine, recording, origin, number):
    """A block of four members of the law of `tiny.table`: member 2 runs away, member 5 ends in no number."""
    values = np.stack([members(4, HORIZON, seed=3 * number + channel)[..., 0] for channel in (1, 2)], axis=2)
    if number == 0:
        values[2, 20:, 1] += np.exp(0.2 * np.arange(HORIZON - 20))
    else:
        values[1, -3:, 0] = np.nan
    return values[:, : engine.horizon].astype(np.float32)


@pytest.fixture
def ill(table_model, monkeypatch):
    monkeypatch.setattr(Engine, "block", planted)
    return table_model


def test_a_forecast_tells_its_sick_members_in_memory_and_on_disk(ill, tmp_path):
    made = ill.forecast(members=6, horizon=HORIZON)
    table = made.health()
    assert table.columns.tolist() == ["init_time", "member", "lead_time", "share", "reasons"]
    assert table["member"].tolist() == [2, 5]
    assert 20 < table["lead_time"][0] < 45
    assert table["lead_time"][1] == HORIZON - 2
    assert table["share"][1] == 3 / HORIZON
    assert "size" in table["reasons"][0]
    assert table["reasons"][1] == "not_finite"
    health = made.dataset["health"]
    assert health.dims == ("init_time", "member", "lead_time")
    assert health.dtype == np.uint8
    assert health.attrs["flag_meanings"].split() == list(MEANINGS)
    assert np.flatnonzero(health.any("lead_time").values[0]).tolist() == [2, 5]
    assert made.variables == ("a", "b")
    stored = ill.forecast(members=6, horizon=HORIZON, out=tmp_path / "f.zarr")
    pd.testing.assert_frame_equal(stored.health(), table)
    made.to_zarr(tmp_path / "g.zarr")
    pd.testing.assert_frame_equal(Forecast.open(tmp_path / "g.zarr").health(), table)
    assert health_sentence(stored.dataset).startswith(
        "2 of 6 members leave what the training data show, member 2 first, at lead time"
    )


def test_the_command_line_says_it_in_one_sentence(ill, tmp_path, capsys):
    ill.save(tmp_path / "m")
    words = ["forecast", str(tmp_path / "m"), "--members", "6", "--out", str(tmp_path / "f.zarr")]
    main_of([*words, "--horizon", str(HORIZON)])
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1].startswith("rheos: 2 of 6 members leave what the training data show")
    words[-1] = str(tmp_path / "g.zarr")
    main_of([*words, "--horizon", "20"])
    assert "members leave" not in capsys.readouterr().err


def main_of(words):
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert not left.value.code


def test_a_model_that_does_not_know_says_so(table_model, monkeypatch):
    monkeypatch.setattr(table_model.model, "health", None)
    made = table_model.forecast(members=2, quality="fast")
    assert "health" not in made.dataset.coords
    assert health_sentence(made.dataset) is None
    with pytest.raises(InputError, match="nothing is known of the members' health"):
        made.health()


def test_a_model_keeps_what_it_knows(table_model, tmp_path):
    table_model.save(tmp_path / "m")
    mine, theirs = table_model.model.health, load(tmp_path / "m").model.health
    for name, array in mine.to_arrays().items():
        np.testing.assert_array_equal(theirs.to_arrays()[name], array)
    # Of the training span alone: 240 frames less the 40 held out, two variables of unit variance.
    assert mine.span == 24
    assert mine.center.shape == (2,)
    np.testing.assert_allclose(mine.center, tiny.walk(240, 2)[:200].mean(0), atol=1e-6)


def test_frozen_streams_are_told_as_they_come(table_model, monkeypatch):
    def frozen(engine, recording, origin, number):
        values = members(4, 40, seed=8)[..., 0]
        values[3, 5:] = values[3, 5]
        both = np.stack([values, members(4, 40, seed=9)[..., 0]], axis=2).astype(np.float32)
        for start in range(0, 40, tiny.HORIZON):
            yield Stretch(both[:, start : start + tiny.HORIZON], None)

    monkeypatch.setattr(Engine, "stretches", frozen)
    monkeypatch.setattr(Engine, "finish", lambda engine, values, first, lead=0: values)
    sick = [one.health()["member"].tolist() for one in islice(table_model.stream(members=4), 35)]
    assert sick[:20] == [[]] * 20
    assert sick[34] == [3]


def test_directions_are_watched_in_the_plane():
    """A wind that turns through north is no jump."""
    angle = (30.0 * tiny.walk(1200, 1, seed=3) + 360.0) % 360.0
    data = recorded(angle)
    circle = Circle((360.0,))
    health = Health.of(circle.lift(replace(data, layout=replace(data.layout, circular=(360.0,)))))
    drawn = (30.0 * members(20, 200, seed=4) + 360.0) % 360.0
    watch = Watch(health, np.ones(2, bool))
    assert not watch(circle.lifted(drawn)).any()
    still = np.repeat(drawn[:, :1], 60, axis=1)
    assert (Watch(health, np.ones(2, bool))(circle.lifted(still))[:, -1] == bit("change")).all()
