"""Windows: alignment on a counting series, cuts, leakage, padding, panels, and known covariates."""

import numpy as np
import pandas as pd
import pytest
import torch

from rheos.core.errors import InputError
from rheos.data import calendar
from rheos.data.codec import Chain, Increments, Log, Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource, to_context
from rheos.data.windows import WindowSpec

SPEC = WindowSpec(history=3, horizon=2, lags=(4, 7))


def counting(lengths=(30,), codec=None, spec=SPEC, dtype=np.float64):
    """Values are 1000 * recording + frame + 1; covariates are the frame, and minus the frame."""
    made = []
    for i, length in enumerate(lengths):
        frame = np.arange(length, dtype=dtype)[:, None]
        stamps = pd.date_range("2020-01-06", periods=length, freq="h") + pd.Timedelta(i, "D")
        made.append(
            Recording.of(
                1000 * i + frame + 1,
                stamps,
                name=f"s{i}",
                known_future=frame,
                past=-frame,
                static=np.array([float(i)]),
            )
        )
    layout = Layout(
        channels=("count",), frequency="h", known_future=("frame",), past=("minus",), static=("number",)
    )
    data = Dataset(layout=layout, recordings=tuple(made))
    fitted = (codec or Scale()).fit(data)
    return WindowSource(data, spec, fitted), fitted


def raw(fitted, values, state=None):
    return fitted.decode(values, state or {})


def test_windows_by_hand():
    source, fitted = counting()
    assert source.origin[0] == SPEC.reach == 10
    assert source.origin[-1] == 28
    batch = source.gather(np.array([0]), np.array([12]))
    near = {"rtol": 0, "atol": 1e-4}
    np.testing.assert_allclose(raw(fitted, batch.history)[0, :, 0], [10, 11, 12], **near)
    np.testing.assert_allclose(raw(fitted, batch.future)[0, :, 0], [13, 14], **near)
    np.testing.assert_allclose(
        raw(fitted, batch.lagged)[0, :, :, 0], [[6, 3], [7, 4], [8, 5], [9, 6], [10, 7]], **near
    )
    mean, deviation = fitted.covariates.known_future[:, 0]
    np.testing.assert_allclose(batch.known_future[0, :, 0] * deviation + mean, [9, 10, 11, 12, 13], **near)
    mean, deviation = fitted.covariates.past[:, 0]
    np.testing.assert_allclose(batch.past[0, :, 0] * deviation + mean, [-9, -10, -11], **near)
    stamps = source.dataset.recordings[0].stamps[9:14]
    np.testing.assert_array_equal(batch.calendar[0], calendar.features(stamps, "h"))


def test_panels_of_different_lengths_keep_to_themselves():
    source, fitted = counting(lengths=(30, 4, 14))
    assert set(source.sequence.tolist()) == {0, 2}
    batch = source.batch(np.arange(len(source)))
    values = raw(fitted, np.concatenate([batch.history, batch.future], 1))[..., 0]
    expected = 1000 * batch.sequence[:, None] + batch.origin[:, None] + np.arange(-3, 2) + 1
    np.testing.assert_allclose(values, expected, atol=1e-3)
    assert (batch.static[batch.sequence == 2] > batch.static[batch.sequence == 0][0]).all()
    for row in range(len(batch)):
        stamps = source.dataset.recordings[batch.sequence[row]].stamps
        expected = calendar.features(stamps[batch.origin[row] - 3 : batch.origin[row] + 2], "h")
        np.testing.assert_array_equal(batch.calendar[row], expected)


def test_lags_before_the_start_cost_windows_only_where_many_are_left():
    long, _ = counting(lengths=(30,))
    short, _ = counting(lengths=(13,))
    assert long.origin[0] == 10
    assert short.origin[0] == 3
    assert np.isnan(short.batch(np.array([0])).lagged).any()


def test_a_split_shares_no_frame_of_the_future():
    source, _ = counting(lengths=(30, 24))
    training, validation = source.split(6)
    cut = np.array([24, 18])
    assert ((source.origin + SPEC.horizon)[training] <= cut[source.sequence[training]]).all()
    assert (source.origin[validation] >= cut[source.sequence[validation]]).all()
    assert (source.origin[training] + SPEC.horizon).max() == 24
    assert source.origin[validation].min() == 18
    chosen = source.windows(first_origin=12, last_origin=13)
    assert source.origin[chosen].tolist() == [12, 13, 12, 13]


def test_windows_need_something_seen_before_and_after():
    values = np.ones((20, 1))
    values[8:12] = np.nan
    data = Dataset(layout=Layout(channels=("a",)), recordings=(Recording.of(values),))
    source = WindowSource(data, WindowSpec(history=3, horizon=2), Scale().fit(data))
    assert source.origin.tolist() == [3, 4, 5, 6, 7, 13, 14, 15, 16, 17, 18]


CODECS = [
    Scale(),
    Scale(mode="window"),
    Increments(),
    Chain(links=(Log(), Increments(), Scale(mode="window"))),
]


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_nothing_from_the_origin_on_is_read(codec):
    """Corrupting every frame at or after the origin leaves the same bits in all that is known before."""
    source, fitted = counting(codec=codec)
    origin = 15
    record = source.dataset.recordings[0]
    values, past = record.values.copy(), record.past.copy()
    values[origin:], past[origin:] = 777.0, 777.0
    corrupted = Recording.of(values, record.stamps, "", record.known_future, past, record.static)
    other = WindowSource(Dataset(layout=source.dataset.layout, recordings=(corrupted,)), SPEC, fitted)
    at = (np.array([0]), np.array([origin]))
    clean, dirty = source.gather(*at), other.gather(*at)
    assert not np.array_equal(clean.future, dirty.future)
    for name in ("history", "lagged", "past", "known_future", "calendar", "static"):
        assert np.array_equal(getattr(clean, name), getattr(dirty, name), equal_nan=True), name
    for name, value in clean.state.items():
        assert np.array_equal(value, dirty.state[name]), name


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_coded_futures_decode_to_the_recording(codec):
    source, fitted = counting(codec=codec)
    batch = source.batch(np.arange(len(source)))
    frames = batch.origin[:, None] + np.arange(2)
    np.testing.assert_allclose(fitted.decode(batch.future, batch.state)[..., 0], frames + 1, rtol=1e-5)


def test_increments_keep_every_frame_of_the_history():
    source, _ = counting(codec=Increments())
    batch = source.batch(np.array([0]))
    assert (batch.history == 1).all()
    assert (batch.lagged[:, 1:] == 1).all()


def test_forecasts_start_anywhere():
    source, fitted = counting()
    inside, end = source.at(0, 12), source.at(0, 28)
    assert np.isnan(inside.future).all()
    np.testing.assert_allclose(raw(fitted, inside.history)[0, :, 0], [10, 11, 12], atol=1e-4)
    assert np.array_equal(end.calendar, source.gather(np.array([0]), np.array([28])).calendar)
    assert list(source.valid_times(0, 29)) == list(pd.date_range("2020-01-07 05:00", periods=2, freq="h"))
    early = source.at(0, 1)
    assert np.isnan(early.history[0, :2]).all()
    assert np.isfinite(early.history[0, 2]).all()
    stamps = pd.date_range("2020-01-05 22:00", periods=5, freq="h")
    np.testing.assert_array_equal(early.calendar[0], calendar.features(stamps, "h"))
    with pytest.raises(InputError, match="origin -1"):
        source.at(0, -1)


def test_a_forecast_beyond_the_end_needs_its_known_covariates():
    source, fitted = counting()
    with pytest.raises(InputError, match=r"'frame' .* 2020-01-07 06:00:00.*rheos template"):
        source.at(0)
    record = source.dataset.recordings[0]
    stamps = record.stamps.append(calendar.extend(record.stamps, "h", 2))
    longer = Recording.of(
        np.concatenate([record.values, [[np.nan], [np.nan]]]),
        stamps,
        known_future=np.arange(32.0)[:, None],
        past=np.concatenate([record.past, [[np.nan], [np.nan]]]),
        static=record.static,
    )
    source = WindowSource(Dataset(layout=source.dataset.layout, recordings=(longer,)), SPEC, fitted)
    batch = source.at(0)
    assert batch.origin == [30]
    assert source.origin.max() == 28
    assert list(source.valid_times(0)) == list(stamps[30:])


def test_frame_numbers_beyond_the_end():
    values = np.arange(40.0)[:, None]
    data = Dataset(layout=Layout(channels=("a",), periods=(10,)), recordings=(Recording.of(values),))
    source = WindowSource(data, WindowSpec(history=4, horizon=3, lags=(10,)), Scale().fit(data))
    batch = source.at(0)
    expected = calendar.features(pd.RangeIndex(36, 43), None, (10,))
    np.testing.assert_array_equal(batch.calendar[0], expected)
    assert list(source.valid_times(0, 42)) == [42, 43, 44]
    assert np.isnan(source.at(0, 42).history[0, -2:]).all()


def test_lags_shorter_than_the_horizon_are_refused():
    with pytest.raises(ValueError, match="lag 3 is shorter than the horizon"):
        WindowSpec(history=3, horizon=4, lags=(3,))


def test_the_context_fills_gaps_with_zero_and_says_so():
    source, _ = counting()
    batch = source.batch(np.arange(2))
    batch.history[0, 1], batch.future[1, 0] = np.nan, np.nan
    scale = np.full((5, 1), 2.0, np.float32)
    clip, context = to_context(batch, anchor=(np.ones((2, 5, 1), np.float32), scale), periodic=(True,))
    assert clip.shape == (2, 5, 1)
    assert clip.dtype == torch.float32
    assert clip[0, 1] == clip[1, 3] == context.history[0, 1] == 0
    assert context.mask[..., 0].tolist() == [[1, 0, 1, 1, 1], [1, 1, 1, 0, 1]]
    assert context.anchor_scale.shape == (2, 5, 1)
    assert context.history_frames == 3
    assert context.periodic == (True,)
    assert context.lagged.shape == (2, 5, 2, 1)
    assert len(context.rows(slice(0, 1)).anchor_scale) == 1


def test_a_forecast_covers_what_exists():
    values = np.arange(24.0).reshape(12, 1, 1, 2)
    values[:, 0, 0, 1] = np.nan
    data = Dataset(layout=Layout(kind="field", channels=("a",)), recordings=(Recording.of(values),))
    source = WindowSource(data, WindowSpec(history=2, horizon=2), Scale().fit(data))
    assert source.exists.tolist() == [[[True, False]]]
    _, context = to_context(source.at(0), exists=source.exists)
    assert context.mask[0, :, 0, 0].tolist() == [[1, 0]] * 4
    assert context.lagged is context.known_future is context.calendar is None


def test_nothing_given_is_changed():
    values = np.arange(30.0)[:, None]
    values.flags.writeable = False
    data = Dataset(layout=Layout(channels=("a",)), recordings=(Recording.of(values),))
    source = WindowSource(data, SPEC, Scale(mode="window").fit(data))
    source.batch(np.arange(3)).history[:] = 0
    assert (source.batch(np.arange(3)).history != 0).any()
