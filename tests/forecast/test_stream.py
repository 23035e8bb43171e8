"""Forecasts without end: labelled as they should be, the same members, the same cost of every frame."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import tiny
import xarray as xr

from rheos.core.errors import InputError
from rheos.data.calendar import through
from rheos.forecast.continuation import Continuation
from rheos.forecast.model import FittedModel

ROLLING = (*tiny.LOOP, "times=per_frame", "anchor=none", "process=plain", "block=4", "history=6")
SMALL = ("network.width=8", "network.depth=1", "network.heads=2", "network.rank=4")


@pytest.fixture(scope="module")
def causal_model():
    words = (*ROLLING, "network=causal", *SMALL, "holdout=40")
    return tiny.stirred(tiny.fitted(tiny.table(), words))


@pytest.fixture(scope="module")
def rolling_model():
    return tiny.stirred(tiny.fitted(tiny.panel(), (*ROLLING, *SMALL, "codec=scale")))


def joined(forecasts):
    return xr.concat([one.dataset for one in forecasts], "lead_time", data_vars="minimal")


@pytest.mark.parametrize("kind", ["table", "panel", "field", "coded"])
def test_stretches_are_the_forecast_bit_for_bit(kind, request):
    """Twelve frames, three stretches and more of the trained horizon, of two origins."""
    model = request.getfixturevalue(f"{kind}_model")
    recordings = model.model.tail.recordings
    at = [str(recordings[0].stamps[recordings[0].observed - 1 - back]) for back in (3, 0)]
    at = None if kind == "panel" else at
    given = {"at": at, "members": 6, "seed": 3, "quality": "fast"}
    whole = model.forecast(horizon=12, **given).dataset
    streamed = joined(islice(model.stream(**given), 12))
    xr.testing.assert_identical(streamed[list(whole.data_vars)], whole[list(whole.data_vars)])
    assert streamed.valid_time.equals(whole.valid_time)
    some = joined(islice(model.stream(**given | {"members": 2}), 3))
    assert some.equals(streamed.isel(member=slice(2), lead_time=slice(3)))


@pytest.mark.parametrize("kind", ["causal", "rolling"])
def test_rolling_frames_are_labelled_and_each_member_is_itself(kind, request):
    model = request.getfixturevalue(f"{kind}_model")
    given = {"seed": 2, "quality": "fast", "pace": "rolling"}
    many = joined(islice(model.stream(members=6, **given), 11))
    assert many.lead_time.values.tolist() == list(range(1, 12))
    assert many.lead_time.attrs["long_name"] == "frames ahead"
    usual = model.forecast(members=1, horizon=11, quality="fast").dataset
    assert many.valid_time.equals(usual.valid_time)
    assert many.init_time.equals(usual.init_time)
    few = joined(islice(model.stream(members=2, **given), 5))
    assert few.equals(many.isel(member=slice(2), lead_time=slice(5)))
    for name in many.data_vars:
        # Sequences that end elsewhere have no forecast from an init time; every other number is its own.
        values = many[name].values[np.isfinite(many[name].values)]
        assert len(np.unique(values)) == 6 * 11 * len(model.model.tail.recordings)
    other = joined(islice(model.stream(members=2, **given | {"seed": 5}), 5))
    assert not other.equals(few)


@pytest.mark.parametrize("kind", ["causal", "rolling"])
def test_a_rolling_frame_costs_the_same_calls_however_many_came_before(kind, request, monkeypatch):
    model = request.getfixturevalue(f"{kind}_model")
    network = model.model.denoiser.network
    calls = []
    handle = network.register_forward_pre_hook(lambda *_: calls.append(1))
    if kind == "causal":
        run = network._run
        monkeypatch.setattr(network, "_run", lambda *given: calls.append(given[0].shape[1]) or run(*given))
    counts = []
    for _ in islice(model.stream(members=4, quality="fast", pace="rolling"), 9):
        counts.append(list(calls))
        calls.clear()
    handle.remove()
    units = len(model.model.tail.recordings)
    # Ten steps a frame, four frames under way, so three steps for each further one.
    assert [len(count) for count in counts] == [units * (10 + (kind == "causal"))] + [
        units * (3 + (kind == "causal"))
    ] * 8
    if kind == "causal":
        assert counts[0] == [6] + [4] * 10
        assert counts[-1] == [1] + [4] * 3


def test_calibration_and_bounds_reach_every_frame(causal_model):
    """A calibration that only shifts moves every member and lead, beyond the trained ones as well."""
    model = causal_model.model
    kept = model.calibration, model.bounds
    frames = joined(islice(causal_model.stream(members=3, quality="fast", pace="rolling"), 7))
    model.calibration = replace(kept[0], shift=kept[0].shift + 5.0)
    try:
        moved = joined(islice(causal_model.stream(members=3, quality="fast", pace="rolling"), 7))
    finally:
        model.calibration, model.bounds = kept
    for name in frames.data_vars:
        np.testing.assert_allclose(moved[name] - frames[name], 5.0, rtol=0, atol=1e-4)


def test_a_continuation_keeps_no_more_than_a_window_looks_back_on(table_model):
    model = table_model.model
    recording = model.tail.recordings[0]
    own = Continuation(model, model.tail, 0, recording.observed, 3)
    sizes = []
    for number in range(80):
        own.add(np.full((3, 2, *model.tail.features), number, np.float32))
        held = own._values
        sizes.append((held.base is None, held.nbytes, len(own._stamps)))
    assert set(sizes[-20:]) == {(True, sizes[-1][1], 2)}
    here = recording.observed + 160
    stamps = through(recording.stamps, model.layout.frequency, here)[here - held.shape[1] :]
    assert own._stamps.equals(stamps[:2])
    window = own.window()
    assert window.history.shape[1] == model.recipe.history
    code = model.codec.encode(np.full((1, 1, *model.tail.features), 79.0), {})
    np.testing.assert_allclose(window.history[:, -2:], np.broadcast_to(code, (3, 2, *model.tail.features)))


def test_a_rolling_window_moves_on_with_its_frames(causal_model, monkeypatch):
    """Before the fifth frame the calendar of the window is the first one's, four frames later."""
    seen, context = [], FittedModel.context

    def noted(self, batch, **how):
        seen.append(batch.calendar[0])
        return context(self, batch, **how)

    monkeypatch.setattr(FittedModel, "context", noted)
    for _ in islice(causal_model.stream(members=2, quality="fast", pace="rolling"), 5):
        pass
    # Four frames lie before the fifth.
    np.testing.assert_array_equal(seen[-1][:-4], seen[0][4:])
    assert (seen[-1] != seen[0]).any()


def test_known_covariates_end_the_stream_where_they_end(covariate_model):
    source = tiny.covariates(260, ahead=12)
    streamed = covariate_model.stream(source, members=2, quality="fast")
    assert len(list(islice(streamed, 12))) == 12
    with pytest.raises(InputError, match="'plan' must be known ahead"):
        next(streamed)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"pace": "walking"}, "pace='walking', but a stream goes by stretches or rolling"),
        ({"members": 0}, "an ensemble has at least one"),
        ({"at": []}, "names no frame"),
        ({"quality": "great"}, "quality 'great'"),
        ({"pace": "rolling"}, "trained with one for all: fit it with times=per_frame anchor=none"),
    ],
)
def test_what_cannot_be_streamed_is_said_at_once(given, sentence, table_model):
    with pytest.raises(InputError, match=sentence):
        table_model.stream(**given)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("times=per_frame",), "anchor 'ridge' starts anew at each window"),
        (("times=per_frame", "anchor=none", "codec={kind: scale, mode: window}"), "codec is measured anew"),
    ],
)
def test_a_model_that_cannot_roll_says_why(words, sentence):
    model = tiny.fitted(tiny.table(), (*tiny.SERIES, *words, "training.steps=1", "validation=0.1"))
    with pytest.raises(InputError, match=sentence):
        model.stream(pace="rolling")
