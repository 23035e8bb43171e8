"""`process=two_sided`: one word fits, keeps, loads and forecasts it; starts are the anchor's past errors."""

import numpy as np
import pytest
import tiny
import torch

from rheos import Forecasting, IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.data.reader import read
from rheos.denoise import EndsDenoiser
from rheos.forecast.draw import draw
from rheos.forecast.forecaster import options
from rheos.forecast.recipe import make_recipe
from rheos.sample.preset import preset
from rheos.sample.transport_preset import Transport

WORDS = (*tiny.SERIES, "process=two_sided")
TABLE = tiny.table()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two") / "m"


@pytest.fixture(scope="module")
def model(folder):
    return tiny.fitted(TABLE, WORDS, out=folder)


def test_one_word_fits_keeps_loads_and_forecasts(model, folder):
    kept, _ = tiny.require_whole_trip(model, folder)
    assert (kept.model.recipe.objective.kind, kept.model.shapes.channels) == ("ends", 4)
    assert [kept.model.calls(word) for word in ("fast", "balanced", "best")] == [10, 20, 50]


def test_starts_are_the_errors_that_the_anchor_made(model):
    denoiser = model.model.denoiser
    assert isinstance(denoiser, EndsDenoiser)
    errors = denoiser.starts.clips
    assert errors.shape[1:] == (tiny.HORIZON, 2)
    assert 100 < len(errors) <= 256
    windows = model.model.source(read(TABLE))
    clip, context = model.model.context(windows.batch(np.arange(len(windows))), forecasting=False)
    past = context.history_frames
    made = ((clip - context.anchor) / context.anchor_scale)[:, past:]
    # The anchor was fitted once more, on all windows: those of training are nearly what they were.
    nearest = torch.cdist(errors.flatten(1), made.flatten(1)).min(1).values
    assert float(nearest.median()) < 0.5 * float(
        torch.cdist(errors.flatten(1), -made.flatten(1)).min(1).values.median()
    )
    assert denoiser.starts.cloud == model.model.recipe.process.cloud == 0.3


def test_fields_with_land_and_gaps(tmp_path):
    field = tiny.field()
    model = tiny.fitted(field, (*tiny.FIELD, "process=two_sided", "process.gamma=parabola"))
    drawn = model.forecast(members=2).dataset["sst"]
    land = ~field["sst"].notnull().any("time").values
    assert np.isnan(drawn.values[..., land]).all()
    assert np.isfinite(drawn.values[..., ~land]).all()


def test_what_needs_noise_levels_says_so(model):
    with pytest.raises(IncompatibleError, match="goes from clips to clips"):
        model.tune_sampler()
    with pytest.raises(IncompatibleError, match="goes from clips to clips"):
        next(model.stream(pace="rolling"))
    with pytest.raises(InputError, match="quality 'great' is not known"):
        model.forecast(members=2, quality="great")
    with pytest.raises(InputError, match="fit it with times=per_group"):
        model.forecast(members=2, settings=Forecasting(only="a"))
    with pytest.raises(IncompatibleError, match="samplers of their own"):
        _drawn(model, preset("fast"))
    with pytest.raises(IncompatibleError, match="samplers of their own"):
        _drawn(tiny.fitted(TABLE), Transport())


def _drawn(forecaster, chosen):
    windows = forecaster.model.source(read(TABLE))
    return draw(forecaster.model, windows.batch(np.arange(1)), Key.of(0, 2), chosen)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("objective=masked_cross_entropy",), "is for whole numbers, which process=two_sided does not draw"),
        (
            ("objective=mean_flow",),
            "goes from clips of one law to clips of another, which needs objective=ends",
        ),
        (("training.reflow=0.5",), "starts from past errors and not from noise, so training.reflow has no"),
        (("network=equivariant",), "on clips of twice the channels, which agents are not"),
        (
            ("process=plain", "objective=ends"),
            "is for ways from clips to clips, which process=plain does not go",
        ),
        (("process.cloud=0",), "greater than 0"),
    ],
)
def test_what_does_not_go_with_it_is_one_sentence(words, sentence):
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        make_recipe(read(TABLE), tiny.HORIZON, options(None, ("process=two_sided", *words)))
    assert sentence in str(caught.value)
