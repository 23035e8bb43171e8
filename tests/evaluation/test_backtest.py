"""Backtests: which windows, which truth, which training span, which numbers."""

import json
from typing import Any, Literal

import numpy as np
import pytest
import tiny
from pydantic import Field

from rheos.baseline import Baseline
from rheos.core.errors import InputError
from rheos.evaluation.backtest import backtest, evaluate
from rheos.evaluation.windows import MOST_WINDOWS, area_of, share_unit
from rheos.forecast.engine import cuts
from rheos.forecast.forecast import Forecast
from rheos.score import area_weights, crps

ALL = {"rheos", "persistence", "seasonal", "climatology", "lag_ridge"}


def test_windows_do_not_overlap_and_end_with_the_last_observed_frame(model):
    """41 frames kept out, 4 ahead: ten windows fit, the last one ends with the last frame."""
    cases = []
    card = backtest(model, tiny.table(), members=4, quality="fast", keep=cases.append)
    assert [case.origin for case in cases] == list(range(200, 240, 4))
    assert card.windows == 10
    values = tiny.table()[["a", "b"]].to_numpy()
    for case in cases:
        assert case.truth == pytest.approx(values[case.origin : case.origin + 4], rel=1e-6)
        assert case.ensemble.shape == (4, 4, 2)
    stamps = tiny.table()["time"].iloc[[c.origin - 1 for c in cases]]
    assert card.init_times == [stamp.isoformat() for stamp in stamps]


def test_the_latest_windows_are_taken(model):
    cases = []
    backtest(model, tiny.table(), windows=2, members=4, quality="fast", keep=cases.append)
    assert [case.origin for case in cases] == [232, 236]


def test_rows_that_are_still_to_come_are_no_windows(model):
    source = tiny.table()
    source.loc[237:, ["a", "b"]] = np.nan
    cases = []
    backtest(model, source, windows=2, members=4, quality="fast", keep=cases.append)
    assert [case.origin for case in cases] == [229, 233]


def test_the_numbers_are_those_of_the_ensembles(model):
    cases = []
    card = backtest(model, tiny.table(), windows=3, members=5, quality="fast", keep=cases.append)
    mean = np.mean([crps(c.ensemble, c.truth) / model.model.scale for c in cases])
    assert card.scores()["rheos"]["crps"] == pytest.approx(mean)
    assert card.per_window("rheos")[1] == pytest.approx(
        np.mean(crps(cases[1].ensemble, cases[1].truth) / model.model.scale)
    )
    # Two blocks of four a window, ten calls of the network each.
    assert card.evaluations == 3 * 2 * 10


def test_the_json_of_a_backtest(model):
    card = backtest(model, tiny.table(), windows=5, members=4, quality="fast")
    told = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    assert set(told["scores"]) == ALL
    assert set(told["per_window"]) == ALL
    assert {"skill", "windows", "members", "evaluations", "seconds"} <= set(told)
    assert (told["windows"], told["members"]) == (5, 4)
    assert all(np.isfinite(scores["crps"]) for scores in told["scores"].values())


class Spy(Baseline):
    """Notes what it is fitted on, and at each origin forecasts zeros."""

    kind: Literal["spy"] = "spy"
    seen: Any = Field(default_factory=list)

    def fit(self, dataset, horizon):
        self.seen.append(dataset)
        return self

    def forecast(self, recording, origin, key):
        return np.zeros((len(key), 4, 2))


def test_baselines_learn_from_the_span_that_the_model_was_fitted_on(model):
    spy = Spy()
    backtest(model, tiny.table(), windows=2, members=4, quality="fast", baselines=[spy])
    assert [len(r) for d in spy.seen for r in d.recordings] == [199]


def test_the_same_call_gives_the_same_numbers(model):
    cards = [backtest(model, tiny.table(), windows=3, members=4, quality="fast", seed=3) for _ in range(2)]
    first, second = ({**card.to_dict(), "seconds": 0} for card in cards)
    assert first == second


def test_a_panel_is_cut_by_name():
    source = tiny.panel((120, 100, 90))
    model = tiny.fitted(source, (*tiny.SERIES, "holdout=12", "training.steps=2"))
    some = source[source["unique_id"] != "s0"]
    dataset = model.read(some)
    assert cuts(model.model, dataset) == [88, 78]
    card = backtest(model, some, members=4, quality="fast")
    assert card.windows == 3
    assert len(card.tallies["rheos"].crps) == 6


def test_a_source_that_ends_with_the_fit_has_nothing_to_score(model):
    with pytest.raises(InputError, match="--holdout"):
        backtest(model, tiny.table().iloc[:202], members=4)


def test_area_and_units(model):
    from rheos.data.reader import read

    field = read(tiny.field()).layout
    weights = area_of(field, (4, 6))
    assert weights[:, 0] == pytest.approx(area_weights(tiny.field().lat.values)[:, 0])
    assert weights.mean() == pytest.approx(1.0)
    assert not share_unit(field)
    assert share_unit(model.model.layout)
    assert MOST_WINDOWS == 28


def test_evaluate_finds_the_truth_by_its_stamps(model):
    source = tiny.table()
    stamps = [str(source["time"].iloc[i]) for i in (219, 230)]
    made = model.forecast(source, at=stamps, members=6, quality="fast")
    scores = evaluate(made, source)
    expected = []
    for init, first in enumerate((220, 231)):
        ensemble = np.stack([made.dataset[n].values[init] for n in ("a", "b")], axis=2)
        expected.append(crps(ensemble, source[["a", "b"]].to_numpy()[first : first + 4]))
    assert scores["crps"] == pytest.approx(np.mean(expected), rel=1e-5)
    late = model.forecast(source, members=4, quality="fast")
    with pytest.raises(InputError, match="shares no"):
        evaluate(late, source)


def test_evaluate_takes_one_sequence_at_a_time():
    source = tiny.panel((90, 90, 90))
    model = tiny.fitted(source, (*tiny.SERIES, "training.steps=2"))
    made = model.forecast(members=4, quality="fast")
    with pytest.raises(InputError, match="several sequences"):
        evaluate(made, source)
    assert Forecast(made.dataset.isel(unique_id=0)).variables == ("y",)
