"""Flow maps from a recipe: one word fits one, its qualities are 1, 2 and 4 calls, and every verb knows it."""

import numpy as np
import pytest
import tiny
import torch

import rheos
from rheos.core.errors import IncompatibleError, InputError
from rheos.data.reader import read
from rheos.denoise import FlowMap, MeanFlow
from rheos.forecast.forecaster import fit, load, options
from rheos.forecast.recipe import make_recipe
from rheos.forecast.settings import Forecasting
from rheos.sample.preset import FLOW_PRESETS
from rheos.sample.solver import FlowMapSteps

WORDS = (*tiny.SERIES, "objective=mean_flow", "holdout=40")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("flow") / "model"
    fit(tiny.table(), tiny.HORIZON, words=WORDS, out=target)
    return target


def counted(forecaster):
    """Counts calls of the network from now on."""
    calls = []
    forecaster.model.denoiser.network.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_a_word_fits_a_flow_map_and_its_folder_holds_one(folder):
    forecaster = load(folder)
    model = forecaster.model
    assert isinstance(model.denoiser, FlowMap)
    assert model.recipe.objective == MeanFlow()
    assert model.shapes.two_levels
    assert {word: model.calls(word) for word in FLOW_PRESETS} == {"fast": 1, "balanced": 2, "best": 4}
    # Solvers have a bias on Gaussian data; the map has none but what it learned.
    assert model.history.bias == {}


def test_a_forecast_takes_as_many_calls_as_its_quality_says(folder):
    forecaster = load(folder)
    calls = counted(forecaster)
    spread = {}
    for word, each in (("fast", 1), ("balanced", 2), ("best", 4)):
        calls.clear()
        drawn = forecaster.forecast(members=8, quality=word)
        assert len(calls) == 2 * each  # two blocks of four members
        values = drawn.dataset["a"].to_numpy()
        assert np.isfinite(values).all()
        spread[word] = values.std()
    assert min(spread.values()) > 0.0


def test_a_member_has_the_same_bits_however_many_are_asked_for(folder):
    forecaster = load(folder)
    few, many = (forecaster.forecast(members=n, quality="fast").dataset["b"].to_numpy() for n in (3, 9))
    assert np.array_equal(few, many[:, :3] if few.ndim == 3 else many.take(range(3), _axis(forecaster, 9)))


def _axis(forecaster, members):
    return forecaster.forecast(members=members, quality="fast").dataset["b"].dims.index("member")


def test_backtest_and_long_horizons_use_the_map(folder):
    forecaster = load(folder)
    calls = counted(forecaster)
    card = rheos.backtest(forecaster, tiny.table(), windows=2, members=4, quality="fast")
    assert card.scores()["rheos"]["crps"] > 0.0
    assert len(calls) == 2
    longer = forecaster.forecast(horizon=2 * tiny.HORIZON + 1, members=2, quality="fast")
    assert longer.dataset.sizes["lead_time"] == 2 * tiny.HORIZON + 1


def test_streams_go_by_stretches(folder):
    forecaster = load(folder)
    frames = forecaster.stream(members=2, quality="fast")
    first = next(frames).dataset["a"].to_numpy()
    whole = forecaster.forecast(members=2, quality="fast").dataset["a"]
    assert np.array_equal(first.ravel(), whole.isel(lead_time=0).to_numpy().ravel())


def test_there_is_no_sampler_to_tune(folder):
    with pytest.raises(IncompatibleError, match="no solver to tune: forecast with --quality"):
        load(folder).tune_sampler(tiny.table())


def test_rolling_streams_are_refused():
    words = (
        *tiny.LOOP, "network=causal", "network.width=8", "network.depth=1", "network.heads=2", "block=4",
        "network.rank=4", "objective=split_mean_flow", "times=per_frame", "anchor=none", "process=plain",
    )  # fmt: skip
    forecaster = tiny.fitted(tiny.table(), words)
    with pytest.raises(IncompatibleError, match="different paces"):
        next(forecaster.stream(members=2, quality="fast", pace="rolling"))


@pytest.mark.parametrize(
    "words",
    [
        ("objective=split_mean_flow", "objective.dispersive=0.5", "process=rectified_flow"),
        ("objective=mean_flow", "training.reflow=0.5", "process=pfgmpp"),
        ("objective=mean_flow", "process=kinetic_optimal", "objective.history_noise=0.5"),
        ("objective=split_mean_flow", "process=follmer", "process.history=clean"),
    ],
    ids=lambda words: words[0].partition("=")[2] + "-" + words[-1].partition("=")[2],
)
def test_any_process_goes_with_any_flow_objective(words):
    forecaster = tiny.fitted(tiny.table(), (*tiny.SERIES, *words))
    assert isinstance(forecaster.model.denoiser, FlowMap)
    assert np.isfinite(forecaster.forecast(members=3, quality="fast").dataset["a"].to_numpy()).all()


def test_given_values_are_held_by_every_member():
    frame = tiny.table()
    words = (*tiny.SERIES, "objective=mean_flow", "times=per_group")
    forecaster = tiny.fitted(frame, words)
    last = frame["time"].iloc[-1]
    stamps = [last + (i + 1) * (frame["time"].iloc[1] - frame["time"].iloc[0]) for i in range(tiny.HORIZON)]
    known = {"time": stamps, "a": [0.25] * tiny.HORIZON, "b": [np.nan] * tiny.HORIZON}
    drawn = forecaster.forecast(
        members=3, quality="fast", settings=Forecasting(given=type(frame)(known))
    ).dataset
    assert np.allclose(drawn["a"].to_numpy(), 0.25)
    assert drawn["b"].to_numpy().std() > 0.0


def test_fields_learn_flow_maps_too():
    forecaster = tiny.fitted(tiny.field(), (*tiny.FIELD, "objective=split_mean_flow"), 2)
    assert forecaster.model.preset("fast").solver == FlowMapSteps()
    drawn = forecaster.forecast(members=2, quality="fast").dataset["sst"].to_numpy()
    assert np.isfinite(drawn[..., 1:, :]).all()


def test_whole_numbers_have_no_flow():
    with pytest.raises(InputError, match="objective=masked_cross_entropy, not mean_flow"):
        make_recipe(
            read(tiny.table()), tiny.HORIZON, options(None, ["process=masked", "objective=mean_flow"])
        )


def test_training_stays_with_the_better_weights_by_one_call(folder):
    """What early stopping looks at is what `fast` draws: a single call."""
    model = load(folder).model
    assert [step for step, _ in model.history.scores] == [0, 12]
    assert all(np.isfinite(score) for _, score in model.history.scores)
    assert torch.isfinite(torch.tensor([loss for _, loss in model.history.losses])).all()
