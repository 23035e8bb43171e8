"""Tuning the sampler: its two errors against formulas, its choice, and that this stays with the model."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch

import rheos
from rheos.core.errors import InputError
from rheos.evaluation.backtest import backtest
from rheos.forecast import trial
from rheos.forecast.store import ZarrStore
from rheos.forecast.trial import Trial, _before_cut
from rheos.forecast.tuning import Point, _candidates, bounds_of, tune
from rheos.report.assemble import chapter
from rheos.sample import PRESETS, Preset, variance_ratio
from rheos.sample.driver import Adaptive
from rheos.sample.grid import LogSNR, TimeGrid
from rheos.sample.solver import DPMpp2M, SingleStep

LOOSE = {"fast": 0.6, "balanced": 0.3, "best": 0.2}


def ignore(calls):
    """Nobody counts."""


@pytest.fixture(scope="module")
def source():
    return tiny.table()


@pytest.fixture(scope="module")
def model():
    return tiny.fitted(tiny.table(), (*tiny.SERIES, "holdout=40"))


@pytest.fixture(scope="module")
def tuning(model, source):
    found = model.tune_sampler(source, bound=LOOSE)
    assert found.points[-1].off <= 0.2 < found.points[-2].off
    return found


class Answering(Trial):
    """A trial whose reference and whose answer are given."""

    def __init__(self, reference, answer):
        self._reference, self.answer = reference, answer

    def draw(self, preset):
        return self.answer


def test_the_error_is_the_larger_share_of_variance():
    exact = torch.tensor([[[1.0, torch.nan], [3.0, torch.nan]], [[5.0, 0.0], [9.0, 2.0]]]).double()
    spread = (2.0 + 8.0 + 2.0) / 3  # of two members about their mean, over the entries there are
    for answer, share in (
        (exact, 0.0),
        (exact + 1.0, 1.0 / spread),
        (1.1 * exact, 0.01 * (1 + 9 + 25 + 81 + 0 + 4) / 6 / spread),
        (exact.flip(1), (4 + 4 + 16 + 16 + 4 + 4) / 6 / spread),
        (exact.mean(1, keepdim=True).expand_as(exact), 1.0),
    ):
        changed = abs(float(answer.var(1).nanmean()) / spread - 1)
        assert Answering(exact, answer).error(Preset()) == pytest.approx(max(share, changed))


def test_the_bias_is_that_of_the_worst_mode(model, source):
    found = Trial.of(model.model, model.read(source), ignore)
    assert found.bias(PRESETS["fast"]) == pytest.approx(
        abs(
            variance_ratio(
                model.model.denoiser.process, torch.tensor(found.modes), preset=PRESETS["fast"]
            ).worst
            - 1
        )
    )
    assert found.modes == model.model.history.modes
    assert found.shape[0] == len(found.key) == model.model.recipe.block


def test_a_finer_sampler_errs_less_and_the_reference_not_at_all(model, source):
    found = Trial.of(model.model, model.read(source), ignore)
    presets = [Preset(solver=DPMpp2M(), grid=LogSNR(), evaluations=n) for n in (5, 10, 20, 40)]
    errors = [found.error(preset) for preset in presets]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.2 * errors[0]
    assert found.error(trial.REFERENCE) == 0.0


def test_each_word_gets_the_cheapest_within_its_bound(tuning):
    calls = [point.preset.evaluations for point in tuning.points]
    assert calls == sorted(calls)
    for word, bound in LOOSE.items():
        point = tuning.chosen[word]
        assert point.off == max(point.bias, point.error) <= bound
        assert all(p.off > bound for p in tuning.points if p.preset.evaluations < point.preset.evaluations)
        if isinstance(point.preset.grid, TimeGrid):
            assert len(point.preset.grid) == point.preset.evaluations
    spent = [tuning.chosen[word].preset.evaluations for word in LOOSE]
    assert spent == sorted(spent)


def test_what_is_told_can_be_measured_again(model, source, tuning):
    again = Trial.of(model.model, model.read(source), ignore)
    for point in tuning.points:
        assert again.error(point.preset) == point.error
        assert again.bias(point.preset) == point.bias
    told = json.loads(json.dumps(tuning.to_dict(), allow_nan=False))
    assert [Preset.model_validate(p["preset"]) for p in told["curve"]] == [p.preset for p in tuning.points]
    assert told["chosen"]["best"]["kept"]
    assert f"best: {tuning.chosen['best'].preset.evaluations} calls, off by" in str(tuning)


def test_off_is_the_larger_of_both():
    assert Point(Preset(), bias=0.1, error=0.2, seconds=1.0).off == 0.2
    assert Point(Preset(), bias=0.3, error=0.2, seconds=1.0).off == 0.3


def test_placed_steps_end_where_even_ones_do(model, source):
    """At each of the ends tried, to the nearest step of the pilot."""
    measured = Trial.of(model.model, model.read(source), ignore)
    schedule = model.model.denoiser.process.schedule
    profile = measured.profile(Preset(solver=DPMpp2M(), grid=LogSNR(highest=80.0, lowest=0.003)))
    found = list(_candidates(schedule, 10, {2: profile, 3: profile}))
    for even, placed in zip(found[::2], found[1::2], strict=True):
        last = torch.stack([p.times(schedule).times[-1] for p in (even, placed)])
        assert even.solver == placed.solver
        assert len(placed.grid) == 10
        ratio = torch.exp(-0.5 * schedule.log_snr(last))
        assert 1.0 - 1e-6 <= float(ratio[1] / ratio[0]) < 1.15


def test_placed_and_even_steps_are_both_tried(model, source):
    tried = []

    class Watched(Trial):
        def error(self, preset):
            tried.append(preset)
            return Trial.error(self, preset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rheos.forecast.tuning.Trial", Watched)
        found = tune(model.model, model.read(source), {"fast": 5.0, "balanced": 5.0, "best": 5.0})
    assert len(found.points) == 1
    kinds = [isinstance(preset.grid, TimeGrid) for preset in tried[1:]]
    assert sorted(kinds) == [False, True]


def clock(each):
    """A clock on which the reference run takes `each` seconds a call."""
    ticks = iter((0.0, each * trial.REFERENCE.evaluations))
    return SimpleNamespace(perf_counter=lambda: next(ticks))


def test_a_time_bounds_the_calls_of_every_word(model, source, monkeypatch):
    monkeypatch.setattr(trial, "time", clock(0.01))
    # Blocks of 4 members: 100 members are 25 blocks of 0.01 s a call.
    found = tune(model.model, model.read(source), {"fast": 9.0, "balanced": 1e-9, "best": 1e-9}, "2s")
    assert [p.preset.evaluations for p in found.points] == [4, 5, 6, 8]
    assert found.points[0].seconds == pytest.approx(1.0)
    least = min(found.points, key=lambda p: p.off)
    assert found.chosen["best"] == found.chosen["balanced"] == least
    assert found.chosen["fast"] == found.points[0]
    assert "best: " in str(found)
    assert "not within the bound of 1e-09" in str(found)
    monkeypatch.setattr(trial, "time", clock(0.01))
    with pytest.raises(InputError, match=r"allow 1s or more"):
        tune(model.model, model.read(source), time=0.9)


def test_nothing_after_the_cut_is_looked_at(model, source, tuning):
    (kept,) = _before_cut(model.model, model.read(source)).recordings
    assert len(kept) == len(source) - 40
    changed = source.copy()
    changed.loc[len(changed) - 40 :, ["a", "b"]] = 99.0
    again = tune(model.model, model.read(changed), LOOSE)
    assert [(p.preset, p.bias, p.error) for p in again.points] == [
        (p.preset, p.bias, p.error) for p in tuning.points
    ]


def test_without_a_source_the_model_gives_what_it_has(model, panel_model, monkeypatch):
    found = Trial.of(panel_model.model, None, ignore)
    assert found.modes == panel_model.model.history.modes
    assert found.windows >= 1
    # 40 frames were held out: of a tail of 44 nothing is left that fitting could see.
    monkeypatch.setattr(model.model, "tail", model.model.tail.last(44))
    with pytest.raises(InputError, match="no whole window"):
        Trial.of(model.model, None, ignore)


def test_a_model_of_before_takes_its_modes_from_the_data(model, source, monkeypatch):
    kept = model.model.history.modes
    monkeypatch.setattr(model.model.history, "modes", [])
    with pytest.raises(InputError, match="--from"):
        Trial.of(model.model, None, ignore)
    # The anchor was fitted once more after these were measured, and on more windows.
    assert Trial.of(model.model, model.read(source), ignore).modes == pytest.approx(kept, rel=0.25)


def members(forecast, count=3):
    return {
        name: forecast.dataset[name].sel(member=slice(0, count - 1)).values for name in forecast.variables
    }


def test_the_choice_stays_with_the_model_and_is_used(model, source, tuning, tmp_path):
    model.save(tmp_path / "m")
    old = json.loads((tmp_path / "m/config.json").read_text())
    del old["presets"], old["history"]["modes"]  # as written before there were any
    (tmp_path / "m/config.json").write_text(json.dumps(old))
    usual = rheos.load(tmp_path / "m")
    assert usual.model.presets == {}
    assert usual.model.preset("fast") == PRESETS["fast"]
    usual.model.history.modes = model.model.history.modes
    usual.save(tmp_path / "n")

    tuned = rheos.load(tmp_path / "n")
    tuned.model.presets, tuned.model.history.bias = model.model.presets, model.model.history.bias
    tuned.save_presets(tmp_path / "n")
    loaded = rheos.load(tmp_path / "n")
    assert loaded.model.presets == {word: point.preset for word, point in tuning.chosen.items()}
    assert loaded.model.history == tuned.model.history
    assert sorted(p.name for p in (tmp_path / "n").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]

    for word, point in tuning.chosen.items():
        few, many = (loaded.forecast(source, members=n, quality=word) for n in (3, 10))
        assert tiny.same(members(few), members(many))
        assert not tiny.same(members(few), members(usual.forecast(source, members=3, quality=word)))
        card = backtest(loaded, source, windows=1, members=4, quality=word)
        assert card.evaluations == point.preset.evaluations
    page = chapter(loaded, title="")
    assert page.bias.evaluations == tuning.chosen["balanced"].preset.evaluations
    ratios = loaded.model.history.bias["balanced"]
    assert np.abs(page.bias.ratio - 1).max() == pytest.approx(tuning.chosen["balanced"].bias)
    assert len(ratios) == len(page.bias.ratio)


def test_members_that_choose_their_steps_keep_their_bits(model, source, monkeypatch):
    chosen = Preset(solver=SingleStep(), adaptive=Adaptive(absolute=0.1, relative=0.2))
    monkeypatch.setattr(model.model, "presets", {"fast": chosen})
    few, many = (model.forecast(source, members=n, quality="fast") for n in (3, 10))
    assert tiny.same(members(few), members(many))


def test_an_unfinished_store_of_another_sampler_is_not_continued(model, source, tmp_path, monkeypatch):
    identities = []

    class Noted(ZarrStore):
        def __init__(self, path, frame, space, identity):
            identities.append(identity)
            super().__init__(path, frame, space, identity)

    monkeypatch.setattr("rheos.forecast.forecaster.ZarrStore", Noted)
    monkeypatch.setattr(model.model, "presets", {"fast": Preset(evaluations=3)})
    model.forecast(source, members=4, quality="fast", out=tmp_path / "a.zarr")
    monkeypatch.setattr(model.model, "presets", {})
    model.forecast(source, members=4, quality="fast", out=tmp_path / "b.zarr")
    assert identities[0] != identities[1]
    assert {**identities[0], "preset": None} == {**identities[1], "preset": None}


def test_presets_go_to_their_own_model_only(model, panel_model, tmp_path):
    panel_model.save(tmp_path / "panel")
    with pytest.raises(InputError, match="another model"):
        model.save_presets(tmp_path / "panel")
    with pytest.raises(InputError, match="cannot be read"):
        model.save_presets(tmp_path / "none")


def test_bounds_as_typed():
    assert bounds_of(None) is None
    assert bounds_of("0.2,0.1,0.05") == {"fast": 0.2, "balanced": 0.1, "best": 0.05}
    for text in ("0.1", "0.1,0.2,x", "0.1,0.1,0.1,0.1", ""):
        with pytest.raises(InputError, match="three numbers"):
            bounds_of(text)


@pytest.mark.parametrize(
    ("bound", "says"),
    [
        ({"fast": 0.1}, "each of fast, balanced, best"),
        ({"fast": 0.1, "balanced": 0.2, "best": 0.05}, "fall from fast"),
        ({"fast": 0.1, "balanced": 0.1, "best": 0.0}, "positive"),
    ],
)
def test_bounds_that_are_none(model, source, bound, says):
    with pytest.raises(InputError, match=says):
        model.tune_sampler(source, bound=bound)
