"""Whole numbers from recipe to forecast, on a chain whose law is known."""

import numpy as np
import pandas as pd
import pytest
import tiny
from numbered import HORIZON, NUMBERS, WORDS, chain, law
from scipy.stats import chi2

from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.data.reader import read
from rheos.forecast.draw import draw
from rheos.forecast.forecaster import fit, load
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe, make_recipe
from rheos.sample.preset import PRESETS
from rheos.sample.unmasking import TOKEN_PRESETS, FirstHitting

FALSE_ALARM = 1e-6


@pytest.fixture(scope="module")
def data():
    return NUMBERS[chain(4000)].astype(float)[:, None]


@pytest.fixture(scope="module")
def model(data):
    return fit(data, HORIZON, words=WORDS)


def shares(forecast):
    values = forecast.dataset["value"].values.reshape(-1, HORIZON)
    assert set(np.unique(values)) <= {*NUMBERS, 7, 8}
    states = np.searchsorted(NUMBERS, values).clip(max=2)
    return np.bincount(states @ [9, 3, 1], minlength=27)


@pytest.mark.parametrize("last", [0, 1, 2])
def test_the_law_of_forecasts_is_that_of_the_chain(model, data, last):
    """Chi-square of 400 joint futures; total variation of 4000, of which some 0.03 are luck and the rest is
    learning in a second or two, from the exact law."""
    states = np.searchsorted(NUMBERS, data[:, 0])
    at = int(np.flatnonzero(states == last)[-1])
    exact = law(last)
    found = shares(model.forecast(data, at=at, members=4000))
    assert 0.5 * np.abs(found / 4000 - exact).sum() < 0.12
    few = shares(model.forecast(data, at=at, members=400, seed=1))
    assert fits(few, 400 * exact)
    apart = np.array([sum(exact[i] for i in range(27) if i // 9 == s) for s in range(3)])
    assert not fits(few, 400 * np.einsum("a,b,c->abc", apart, apart, apart).ravel())


def fits(found, expected):
    rare = expected < 5
    found, expected = (np.append(x[~rare], x[rare].sum()) for x in (found, expected))
    value = ((found - expected) ** 2 / expected).sum()
    return value < chi2.isf(FALSE_ALARM, len(expected) - 1)


def test_the_word_stands_for_all_that_goes_with_it(model):
    recipe = model.model.recipe
    alone = build(Recipe, {"horizon": 3, "history": 2, "process": {"kind": "masked"}}, "the recipe")
    assert [getattr(alone, name) for name in ("codec", "objective", "anchor", "calibration")] == [
        getattr(recipe, name) for name in ("codec", "objective", "anchor", "calibration")
    ]
    assert [link.kind for link in recipe.codec] == ["tokens"]
    assert (recipe.objective.kind, recipe.anchor.kind, recipe.calibration.kind) == (
        "masked_cross_entropy",
        "none",
        "none",
    )
    assert recipe.process.values == (5,)
    assert model.model.history.modes == []
    assert model.model.calls("best") == HORIZON


def test_loaded_it_draws_the_same_members_in_any_number_and_order(model, data, tmp_path):
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    few = model.forecast(data, members=7, seed=3).dataset["value"].values
    many = again.forecast(data, members=120, seed=3).dataset["value"].values
    assert np.array_equal(few, many[:, :7])
    assert again.model.recipe == model.model.recipe


def test_it_goes_on_beyond_the_trained_horizon(model, data):
    values = model.forecast(data, members=3, horizon=8).dataset["value"].values
    assert values.shape[-1] == 8
    assert (values == values.round()).all()


COUNTS = (*tiny.SERIES, "process=masked", "history=4", "lags=[]")


def counts(frames=240):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"time": pd.date_range("2021-03-01", periods=frames, freq="h")})
    table["few"], table["many"] = rng.integers(0, 3, frames).astype(float), rng.poisson(300, frames) * 1.0
    table.loc[20:24, "few"] = np.nan
    return table


def test_channels_of_different_counts_with_gaps_and_lags():
    """Few numbers are drawn exactly, many as what their bins stand for; NaN is missing."""
    model = tiny.fitted(counts(), (*COUNTS, "lags=[24]", "codec=[{kind: tokens, most: 10}]"))
    assert model.model.recipe.process.values == (3, 10)
    values = model.forecast(members=20).dataset
    assert set(np.unique(values["few"])) <= {0, 1, 2}
    stands = model.model.codec.links[0].middle[1]
    assert set(np.unique(values["many"])) <= set(stands)
    assert model.model.calls("best") == 2 * tiny.HORIZON


def test_what_is_about_noise_levels_is_refused(model, data):
    for attempt in (lambda: model.tune_sampler(data), lambda: next(model.stream(data, pace="rolling"))):
        with pytest.raises(IncompatibleError, match="draws whole numbers"):
            attempt()
    assert next(model.stream(data, members=2)).dataset["value"].shape[-1] == 1


def test_samplers_of_the_other_kind_are_refused(model, table_model):
    for forecaster, preset in ((model, PRESETS["fast"]), (table_model, FirstHitting())):
        batch = forecaster.model.source(forecaster.model.tail).at(0)
        with pytest.raises(IncompatibleError, match="samplers of their own"):
            draw(forecaster.model, batch, Key.of(0, 2), preset)
    with pytest.raises(InputError, match="quality 'great' is not known: say one of fast, balanced, best"):
        model.forecast(members=1, quality="great")


def test_the_words_of_quality_tell_as_many_numbers_a_call(model):
    batch = model.model.source(model.model.tail).at(0)
    for sampler, calls in ((FirstHitting(most=1), 1), (TOKEN_PRESETS["best"], HORIZON)):
        assert draw(model.model, batch, Key.of(0, 2), sampler).evaluations == calls
    assert [TOKEN_PRESETS[word].calls(320) for word in ("fast", "balanced", "best")] == [8, 32, 320]


def test_a_panel_of_counts_is_not_scaled_by_its_windows():
    panel = tiny.panel()
    panel["y"] = panel["y"].round()
    recipe = make_recipe(read(panel), tiny.HORIZON, {"process": "masked"})
    assert [link.kind for link in recipe.codec] == ["tokens"]


def test_numbers_that_are_not_whole_are_refused_before_any_work():
    with pytest.raises(InputError, match=r"channel 'a' holds -?\d.*, which is no whole number"):
        tiny.fitted(tiny.table(), COUNTS)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"process": "masked", "codec": "scale"}, "need codec=tokens, not scale"),
        ({"codec": "tokens"}, "codec=tokens is for whole numbers, which process=dydiff does not draw"),
        ({"objective": "masked_cross_entropy"}, "objective=masked_cross_entropy is for whole numbers"),
    ],
)
def test_parts_that_do_not_go_together_are_named(words, match):
    with pytest.raises(InputError, match=match):
        build(Recipe, {"horizon": 3, "history": 3, **words}, "the recipe")


@pytest.mark.parametrize(
    ("word", "match"),
    [
        ("anchor=ridge", "need anchor=none, not ridge"),
        ("codec=[increments, tokens]", "need codec=tokens, not increments,tokens"),
        ("network=causal", "need network=series, not causal"),
        ("calibration=affine", "need calibration=none, not affine"),
        ("objective=denoising", "need objective=masked_cross_entropy, not denoising"),
        ("sums.few=[many]", "sums would move"),
    ],
)
def test_what_the_word_stands_for_cannot_be_another(word, match):
    with pytest.raises(InputError, match=match):
        tiny.fitted(counts(), (*COUNTS, word))
