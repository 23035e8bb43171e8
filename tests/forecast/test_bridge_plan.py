"""`process=light_bridge`: one word fits, keeps, loads and forecasts it, in one call of its network."""

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

from rheos import Forecasting, IncompatibleError, InputError
from rheos.data.reader import read
from rheos.denoise import BridgeDenoiser
from rheos.forecast.forecaster import options
from rheos.forecast.recipe import make_recipe

WORDS = (*tiny.SERIES, "process=light_bridge", "process.components=2", "process.rank=3")
TABLE = tiny.table()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bridge") / "m"


@pytest.fixture(scope="module")
def model(folder):
    return tiny.fitted(TABLE, WORDS, out=folder)


def test_one_word_fits_keeps_loads_and_forecasts(model, folder):
    kept, found = tiny.require_whole_trip(model, folder)
    assert model.forecast(members=6, quality="fast").dataset.equals(found)
    assert kept.model.recipe.objective.kind == "plan_likelihood"
    assert [kept.model.calls(word) for word in ("fast", "balanced", "best")] == [1, 1, 1]


def test_training_moves_start_and_mixture_from_the_gaussian_it_begins_as(model):
    denoiser = model.model.denoiser
    assert isinstance(denoiser, BridgeDenoiser)
    names = {name.split(".")[0] for name in denoiser.network.state_dict()}
    assert names == {"backbone", "log_weights", "centers", "log_diagonals", "factors"}
    assert denoiser.network.factors.shape == (2, 2 * tiny.HORIZON, 3)
    # The anchor's errors begin near unit variance, and twelve steps take them nowhere else.
    spread = (denoiser.network.diagonals + denoiser.network.factors.square().sum(2)).detach()
    assert 0.3 < float(spread.mean()) < 3.0
    batch = model.model.source(read(TABLE)).batch(np.arange(4, 8))
    clip, context = model.model.context(batch)
    assert float(denoiser.start(context, clip).detach().abs().max()) > 0.0


AHEAD = pd.date_range(TABLE.time.iloc[-1] + pd.Timedelta("1h"), periods=tiny.HORIZON, freq="h")


def test_any_part_may_be_given_and_any_variables_drawn_alone(model):
    known = pd.DataFrame({"time": AHEAD[1:3], "b": [0.3, -0.2], "a": [np.nan, 1.0]})
    found = model.forecast(members=5, settings=Forecasting(given=known)).dataset
    assert np.array_equal(found["b"].values[0, :, 1:3], np.float32([[0.3, -0.2]] * 5))
    assert (found["a"].values[0, :, 2] == 1.0).all()
    for name, frames in (("a", [0, 1, 3]), ("b", [0, 3])):
        assert (found[name][0, :, frames].std("member") > 0).all()
    free = model.forecast(members=5).dataset
    assert np.abs(found["a"][0, :, 3] - free["a"][0, :, 3]).max() > 1e-4
    alone = model.forecast(members=5, settings=Forecasting(only="b"))
    assert alone.variables == ("b",)
    # Of a mixture the marginal law is the column itself.
    assert alone.dataset["b"].equals(free["b"])
    rest = model.forecast(members=5, settings=Forecasting(only="a", given=known[["time", "b"]]))
    assert rest.variables == ("a",)
    assert rest.uncalibrated


def test_what_mixes_variables_is_given_by_whole_frames():
    field = tiny.field(holes=False)
    pair = field.assign(ice=field["sst"] * 0.5 + 1)
    mixed = tiny.fitted(pair, (*tiny.CODED, "process=light_bridge"))
    stamps = pd.date_range(field.time.values[-1], periods=3, freq="D")[1:]
    known = pair.isel(time=slice(-2, None)).assign_coords(time=stamps)
    drawn = mixed.forecast(members=2, settings=Forecasting(given=known)).dataset["sst"]
    np.testing.assert_array_equal(drawn[0, 0, :2], known["sst"].values.astype(np.float32))
    with pytest.raises(
        InputError,
        match="some variables are given and others not, but the model's codec mixes variables: give",
    ):
        mixed.forecast(members=2, settings=Forecasting(given=known[["ice"]]))
    with pytest.raises(InputError, match="forecast all variables and take a column"):
        mixed.forecast(members=2, settings=Forecasting(only="sst"))


def test_fields_with_land_and_gaps():
    field = tiny.field()
    model = tiny.fitted(field, (*tiny.FIELD, "process=light_bridge"))
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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("process=light_bridge", "objective=mean_flow"),
            "which needs objective=plan_likelihood, not mean_flow",
        ),
        (("process=light_bridge", "training.reflow=0.5"), "has no path to straighten"),
        (
            ("process=plain", "objective=plan_likelihood"),
            "plans between clips, which process=plain does not have",
        ),
        (("process=light_bridge", "network=equivariant"), "of fixed entries, and agents come and go"),
        (("process=light_bridge", "process.components=0"), "greater than or equal to 1"),
    ],
)
def test_what_does_not_go_with_it_is_one_sentence(words, sentence):
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        make_recipe(read(TABLE), tiny.HORIZON, options(None, words))
    assert sentence in str(caught.value)


def test_all_rows_share_one_law_where_nothing_is_learned_yet(model):
    """Before the first step starts are 0: members are the anchor and draws from one mixture."""
    network = model.model.denoiser.network
    with torch.no_grad():
        shares, means = model.model.denoiser.plan(torch.zeros(2, 2 * tiny.HORIZON))
    assert torch.equal(shares[0], torch.log_softmax(network.log_weights, 0))
    assert torch.equal(means[1], network.centers)
