"""What comes after the cut changes nothing that is fitted; what comes after an origin, no forecast."""

import numpy as np
import pytest
import tiny

CUT = 40
WINDOW_SCALE = ('codec=[{"kind":"scale","mode":"window"}]',)
CASES = {
    "table": (tiny.covariates, (*tiny.SERIES, *tiny.COVARIATES, "training.steps=4")),
    "scaled by window": (tiny.table, (*tiny.SERIES, *WINDOW_SCALE, "training.steps=4")),
    "field": (tiny.field, (*tiny.FIELD, "training.steps=4")),
    "coded": (tiny.field, (*tiny.CODED, "training.steps=4")),
}


def corrupted(source, first, columns=None):
    """A copy of the source with other values from one frame on; gaps stay where they are."""
    rng = np.random.default_rng(4)
    if hasattr(source, "columns"):
        changed = source.copy()
        for name in columns or [c for c in source.columns if c != "time"]:
            place = changed.columns.get_loc(name)
            changed.iloc[first:, place] = 7 - 9 * changed.iloc[first:, place]
        return changed
    changed = source.copy(deep=True)
    values = changed["sst"].values
    values[first:] = np.where(np.isnan(values[first:]), np.nan, rng.normal(5, 9, values[first:].shape))
    return changed


@pytest.mark.parametrize("case", CASES)
def test_the_holdout_changes_nothing_that_is_fitted(case):
    make, words = CASES[case]
    source = make()
    frames = len(source) if hasattr(source, "columns") else source.sizes["time"]
    words = (*words, f"holdout={CUT}")
    clean = tiny.fitted(source, words).model
    other = tiny.fitted(corrupted(source, frames - CUT), words).model
    assert tiny.same(tiny.tensors(clean), tiny.tensors(other))
    assert clean.recipe == other.recipe
    told = {"losses", "scores", "best_step", "steps", "calibration", "cut", "span", "frames"}
    assert clean.history.model_dump(include=told) == other.history.model_dump(include=told)


def test_the_last_frame_before_the_cut_does_count():
    """The test above would see a change: one frame earlier moves the fit."""
    source, words = tiny.table(), (*tiny.SERIES, "training.steps=4", f"holdout={CUT}")
    clean = tiny.fitted(source, words).model
    other = tiny.fitted(corrupted(source, len(source) - CUT - 1), words).model
    assert not tiny.same(tiny.tensors(clean), tiny.tensors(other))


@pytest.mark.parametrize("horizon", [None, 3 * tiny.HORIZON])
@pytest.mark.parametrize("kind", ["covariate", "table", "field", "coded"])
def test_what_follows_an_origin_changes_no_member(kind, horizon, request):
    model = request.getfixturevalue(f"{kind}_model")
    source = {"covariate": tiny.covariates, "table": tiny.table, "field": tiny.field, "coded": tiny.field}[
        kind
    ]()
    frames = len(source) if hasattr(source, "columns") else source.sizes["time"]
    origin = frames - 30
    stamp = str(source["time"].values[origin - 1])
    unknown = ["a", "felt"] if kind == "covariate" else None
    for first, equal in ((origin, True), (origin - 1, False)):
        clean, other = (
            model.forecast(s, at=stamp, members=6, quality="fast", horizon=horizon).dataset
            for s in (source, corrupted(source, first, unknown))
        )
        assert clean.identical(other) is equal


def test_what_is_known_ahead_does_count(covariate_model):
    source = tiny.covariates()
    stamp = str(source["time"].values[len(source) - 31])
    clean, other = (
        covariate_model.forecast(s, at=stamp, members=6, quality="fast").dataset
        for s in (source, corrupted(source, len(source) - 30, ["plan"]))
    )
    assert not clean.identical(other)


def test_a_backtest_is_made_of_forecasts_from_its_origins(table_model):
    """The ensembles that are scored are those a user gets at the same stamp."""
    from rheos.evaluation.backtest import backtest

    source, cases = tiny.table(), []
    card = backtest(table_model, source, windows=3, members=6, quality="fast", keep=cases.append)
    for case, stamp in zip(cases, card.init_times, strict=True):
        made = table_model.forecast(source, at=stamp, members=6, quality="fast")
        ensemble = np.stack([made.dataset[n].values[0] for n in made.variables], axis=2)
        assert np.array_equal(ensemble, case.ensemble)
