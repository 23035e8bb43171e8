"""Late columns: found where they end early, hidden at every origin, and nothing else is touched."""

from dataclasses import replace

import numpy as np
import pytest

import rheos
from rheos.core.errors import InputError
from rheos.data.circle import Circle
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.late import as_known, late_columns, late_words, require_late
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

NAMES = ("prompt", "slow")


def dataset_of(values, past=None, circular=()):
    names = () if past is None else ("wind",)
    layout = Layout(channels=NAMES, past=names, circular=circular)
    return Dataset(layout=layout, recordings=(Recording.of(values, past=past),))


def numbered(frames=300):
    """Values that say their frame, and a covariate that does."""
    count = np.arange(frames, dtype=np.float32)[:, None]
    return np.concatenate([count, count], 1), count.copy()


def test_a_column_that_ends_early_is_late():
    values, past = numbered()
    values[-3:, 1] = np.nan
    past[-2:] = np.nan
    assert late_columns(dataset_of(values, past)) == {"slow": 3, "wind": 2}
    assert late_words({"slow": 3, "wind": 0}) == ["slow is reported 3 frames late"]


@pytest.mark.parametrize(
    "gaps",
    [slice(100, 103), slice(0, None, 5), slice(250, None)],
    ids=["as long a gap inside", "observed now and then", "ended long ago"],
)
def test_other_gaps_are_no_delay(gaps):
    values, _ = numbered(304)
    seen = np.ones(304, bool)
    seen[-3:] = False
    seen[gaps] = bool(gaps.step)
    if gaps.step:
        seen &= np.arange(304) % gaps.step == 0
    values[~seen, 1] = np.nan
    assert late_columns(dataset_of(values)) == {}


def test_frames_known_ahead_are_no_delay():
    values, _ = numbered()
    values[-5:] = np.nan
    assert late_columns(dataset_of(values)) == {}


def test_every_recording_must_be_late():
    values, _ = numbered()
    ended = values.copy()
    ended[-3:, 1] = np.nan
    data = dataset_of(ended)
    assert late_columns(replace(data, recordings=(*data.recordings, Recording.of(values)))) == {}
    assert late_columns(replace(data, recordings=data.recordings * 2)) == {"slow": 3}


def test_what_was_not_reported_yet_is_hidden_at_every_origin():
    """Values say their frame: history, every lag and the past hold just those reported by then."""
    values, past = numbered()
    data = dataset_of(values, past)
    spec = WindowSpec(history=8, horizon=4, lags=(5, 20), late={"slow": 3, "wind": 2})
    source = WindowSource(data, spec, Scale().fit(data))
    plain = WindowSource(data, spec.model_copy(update={"late": {}}), source.codec)
    batch, whole = (s.gather(np.zeros(2, int), np.array([100, 200])) for s in (source, plain))
    assert np.isnan(batch.history[:, -3:, 1]).all()
    assert np.array_equal(batch.history[:, :5], whole.history[:, :5])
    assert np.array_equal(batch.history[..., 0], whole.history[..., 0])
    assert np.array_equal(batch.future, whole.future)
    assert np.isnan(batch.past[:, -2:]).all()
    assert np.array_equal(batch.past[:, :-2], whole.past[:, :-2])
    # Lag 5 of frame i of the clip lies 8 - i + 5 frames before the origin: the last two of 12 are late.
    assert np.isnan(batch.lagged[:, :, 0, 1]).tolist() == [[False] * 10 + [True] * 2] * 2
    assert np.array_equal(batch.lagged[:, :, 1], whole.lagged[:, :, 1])
    assert np.array_equal(batch.lagged[..., 0], whole.lagged[..., 0])


def test_a_late_direction_is_late_in_the_plane():
    values, _ = numbered()
    data = dataset_of(values, circular=(0.0, 360.0))
    seen = Circle(data.layout.circular).lift(data)
    spec = WindowSpec(history=8, horizon=4, late={"slow": 1})
    history = WindowSource(seen, spec, Scale().fit(seen)).batch(np.arange(1)).history
    assert np.isnan(history[0, -1]).tolist() == [False, True, True]
    assert np.isfinite(history[0, :-1]).all()


def test_baselines_know_no_more():
    values, past = numbered()
    data = dataset_of(values, past)
    known = as_known(data.recordings[0], data.layout, 100, {"slow": 3, "wind": 2})
    assert np.flatnonzero(np.isnan(known.values[:, 1])).tolist() == [97, 98, 99]
    assert np.flatnonzero(np.isnan(known.past[:, 0])).tolist() == [98, 99]
    assert np.isfinite(known.values[:, 0]).all()
    assert as_known(data.recordings[0], data.layout, 100, {}) is data.recordings[0]


@pytest.fixture(scope="module")
def late():
    """A model of a table whose second column is reported three frames late, and that table."""
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(240, 2)), 0).astype(np.float32) / 4
    values[-3:, 1] = np.nan
    data = dataset_of(values)
    words = ["training.steps=20", "network.width=8", "network.depth=1", "holdout=24", "history=6", "block=10"]
    return rheos.fit(data, 4, words=words), data


def test_a_model_keeps_what_is_late_and_says_so(late, tmp_path):
    forecaster, _ = late
    assert forecaster.model.recipe.late == {"slow": 3}
    forecaster.save(tmp_path / "model")
    assert rheos.load(tmp_path / "model").model.recipe.window.late == {"slow": 3}
    assert "slow is reported 3 frames late" in (tmp_path / "model" / "README.md").read_text()


def test_a_forecast_starts_after_the_last_frame_of_any_column(late):
    """The origin is not put back to where the late column ends, and its frames are not filled."""
    forecaster, data = late
    made = forecaster.forecast(data, members=10).dataset
    assert int(made["init_time"][0]) == 239
    assert made["valid_time"].values[0].tolist() == [240, 241, 242, 243]
    assert np.isfinite(made["slow"]).all()


def test_a_backtest_does_not_know_what_was_late(late):
    """Values that a table has by now, but had not at the origin, change no forecast."""
    forecaster, data = late
    (recording,) = data.recordings
    changed = recording.values.copy()
    changed[217:220, 1] = 50.0
    other = replace(data, recordings=(replace(recording, values=changed),))
    one, two = (forecaster.forecast(d, at=219, members=10).dataset for d in (data, other))
    assert one["slow"].equals(two["slow"])
    assert one["prompt"].equals(two["prompt"])


def test_names_that_are_none_are_refused():
    values, _ = numbered()
    with pytest.raises(InputError, match=r"late\.slwo names no target .*did you mean 'slow'"):
        rheos.fit(dataset_of(values), 4, words=["late.slwo=2", "training.steps=1"])


def test_frames_of_a_field_come_whole():
    with pytest.raises(InputError, match=r"late\.a is for columns .* a field comes whole"):
        require_late({"a": 2}, Layout(kind="field", channels=("a",)))
