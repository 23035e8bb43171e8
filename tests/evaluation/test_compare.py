"""Comparisons: the numbers of a backtest, the same windows for all, nothing made twice, nothing mixed up."""

import json
import mmap
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import fields
from typing import Literal

import numpy as np
import pytest
import tiny
import yaml
from pydantic import Field

from rheos import cli
from rheos.baseline import Baseline, LagRidge, Persistence
from rheos.baseline.learned import KoopmanVAE
from rheos.baseline.peer import AutoARIMA
from rheos.core.errors import InputError
from rheos.data.reader import read
from rheos.evaluation.backtest import backtest
from rheos.evaluation.comparison import Comparing, compare
from rheos.evaluation.comparison.command import as_words
from rheos.evaluation.comparison.contender import RecipeContender
from rheos.evaluation.comparison.entry import asked, contenders_of, seeds_of
from rheos.evaluation.comparison.meter import forget_peak, peak_bytes
from rheos.evaluation.comparison.task import Task
from rheos.forecast.forecaster import options
from rheos.forecast.override import parse_words

QUICK = {"members": 6, "quality": "fast", "holdout": 41, "horizon": 4}
SMALL = (*tiny.SERIES, "training.steps=3")
SETTINGS = {field.name for field in fields(Comparing)}


def compared(contenders, source, **given):
    """Compare; options that belong to the settings are put there."""
    settings = Comparing(**{name: value for name, value in given.items() if name in SETTINGS})
    others = {name: value for name, value in given.items() if name not in SETTINGS}
    return compare(source, contenders, settings=settings, **others)


class Spy(Baseline):
    """Forecasts a constant off the truth by `error`, and notes what it was given."""

    kind: Literal["spy"] = "spy"
    error: float = 0.0
    fitted: list = Field(default_factory=list, exclude=True)
    given: list = Field(default_factory=list, exclude=True)

    def fit(self, dataset, horizon):
        self.fitted.append(([len(r) for r in dataset.recordings], horizon))
        return self

    def forecast(self, recording, origin, key):
        self.given.append((recording.name, len(recording), origin))
        return np.full((len(key), 4, *recording.values.shape[1:]), self.error)


class Silent(Spy):
    """Forecasts nothing."""

    kind: Literal["silent"] = "silent"

    def forecast(self, recording, origin, key):
        return super().forecast(recording, origin, key) * np.nan


class Seeded(Spy):
    """A spy whose lesson depends on a seed."""

    kind: Literal["seeded"] = "seeded"
    seed: int = 0


def test_the_numbers_are_those_of_a_backtest(model):
    source = tiny.table()
    card = backtest(model, source, members=6, quality="fast")
    found = compared([model, "baselines"], source, **QUICK)
    for name in ("persistence", "seasonal", "climatology", "lag_ridge"):
        assert found.scores(name) == card.scores()[name]
        assert np.array_equal(found.per_window(name), card.per_window(name))
    assert found.scores("model") == card.scores()["rheos"]
    assert found.cost("model")["evaluations"] == card.evaluations
    assert found.task.init_times() == card.init_times
    value = card.skill
    assert found.gain("model", card.best_baseline) == value


def test_all_see_the_training_span_and_what_precedes_the_origin():
    spy = Spy()
    found = compared([spy, "persistence"], tiny.table(), **QUICK, windows=3)
    assert spy.fitted == [([199], 4)]
    assert spy.given == [("", origin, origin) for origin in (228, 232, 236)]
    assert found.task.windows == 3


def test_a_fifth_is_kept_out_at_most():
    task = Task(read(tiny.table(240)), 4)
    assert (task.holdout, task.windows) == (48, 12)
    assert Task(read(tiny.table(240)), 4, windows=5).holdout == 20
    assert Task(read(tiny.table(240)), 100).holdout == 100


def test_seeds_are_averaged_before_anything_is_compared():
    found = compared(
        [("seeded", Seeded()), Spy(error=0.5)], tiny.table(), **QUICK, seeds=(3, 5), subject="seeded"
    )
    assert [r.seed for r in found.results["seeded"]] == [3, 5]
    assert [r.seed for r in found.results["spy"]] == [3]
    first, second = found.results["seeded"]
    first.tally.crps[0] = first.tally.crps[0] + 1.0
    mean = (first.tally.per_window(found.task.scale) + second.tally.per_window(found.task.scale)) / 2
    assert found.per_window("seeded") == pytest.approx(mean)
    gap = [np.mean(r.tally.per_window(found.task.scale)) for r in found.results["seeded"]]
    assert found.spread_over_seeds("seeded") == pytest.approx(np.std(gap, ddof=1))


def test_scores_by_window_add_up_to_the_scores():
    """The window scores of the ratios of sums have the ratio as their mean."""
    found = compared(["persistence", "lag_ridge"], tiny.table(), **QUICK)
    for name in found.results:
        for score in ("crps", "wql", "crps_sum"):
            assert found.value(name, score) == pytest.approx(found.scores(name)[score])
    told = found.to_dict()["methods"]["persistence"]["against"]["wql"]["best_other"]
    ours, theirs = (found.scores(n)["wql"] for n in ("persistence", "lag_ridge"))
    assert told["gain"][0] == pytest.approx(1 - ours / theirs)
    assert told["difference"][0] == pytest.approx(ours - theirs)
    assert told["difference"][1] < told["difference"][0] < told["difference"][2]


def test_the_verdict_is_about_the_subject_and_the_best_other():
    spies = [("good", Spy(error=0.0)), ("bad", Spy(error=9.0)), ("worse", Spy(error=19.0))]
    found = compared(spies, tiny.table(), **QUICK, subject="good", reference="worse")
    assert found.ranking == ["good", "bad", "worse"]
    assert [found.best_other(name) for name in found.ranking] == ["bad", "good", "good"]
    assert found.verdict.startswith("Better: good has ")
    assert "the best other, bad (90 % interval" in found.verdict
    told = found.to_dict()["methods"]
    assert told["bad"]["against"]["crps"]["reference"]["name"] == "worse"
    assert "reference" not in told["worse"]["against"]["crps"]
    assert compared(spies[:1], tiny.table(), **QUICK).verdict.startswith("Nothing to compare good with")


def test_values_that_nobody_forecast_are_told():
    found = compared([Silent(), "persistence"], tiny.table(), **QUICK, windows=1)
    assert found.notes("silent") == ["8 of 8 observed values have no forecast and are not scored"]


def test_a_recipe_is_fitted_with_its_own_words_and_seed(tmp_path):
    out = tmp_path / "c"
    entries = [("one", ["process=plain"]), ("two", {"network": {"depth": 2}})]
    found = compared(entries, tiny.table(), words=SMALL, seeds=(0, 1), windows=2, out=out, **QUICK)
    recipes = {n: [r.description["recipe"] for r in results] for n, results in found.results.items()}
    assert [r["process"]["kind"] for r in recipes["one"]] == ["plain", "plain"]
    assert [r["network"]["depth"] for r in recipes["two"]] == [2, 2]
    assert [r["seed"] for r in recipes["two"]] == [0, 1]
    assert {r["holdout"] for r in recipes["one"]} == {41}
    assert sorted(p.name for p in (out / "models").iterdir()) == [
        "one-seed0",
        "one-seed1",
        "two-seed0",
        "two-seed1",
    ]
    assert found.cost("one")["training_seconds"] > 0
    again = compared(entries, tiny.table(), words=SMALL, seeds=(0, 1), windows=2, out=out, **QUICK)
    assert again.to_dict() == found.to_dict()


def test_more_methods_join_a_comparison_and_none_is_run_again(tmp_path):
    spy = Spy(error=1.0)
    compared([spy], tiny.table(), out=tmp_path / "c", **QUICK)
    found = compared([spy, "persistence"], tiny.table(), out=tmp_path / "c", **QUICK)
    assert len(spy.fitted) == 1
    assert set(found.results) == {"spy", "persistence"}
    record = json.loads((tmp_path / "c/record.json").read_text())
    assert set(record["methods"]) == {"spy", "persistence"}


def test_what_is_kept_is_what_was_scored(tmp_path):
    """A result read back holds the same bits, gaps and all."""
    source = tiny.table()
    source.loc[205:208, "a"] = np.nan
    first = compared(["persistence"], source, out=tmp_path / "c", **QUICK).results["persistence"][0].tally
    second = compared(["persistence"], source, out=tmp_path / "c", **QUICK).results["persistence"][0].tally
    for name in ("crps", "squared", "variance", "covered", "levels", "loss", "magnitude", "loss_of_sum"):
        assert np.array_equal(np.array(getattr(first, name)), np.array(getattr(second, name)), equal_nan=True)
    assert np.array_equal(first.bins, second.bins)
    assert np.array_equal(first.histogram, np.sum(first.bins, axis=0))
    assert np.isnan(second.crps[2]).any()


def test_how_far_intervals_can_be_trusted():
    """Coverage is the score's, within its interval; a histogram with all ranks at one end is not flat."""
    found = compared(["persistence", "climatology"], tiny.table(), **QUICK)
    for name in found.results:
        told, scores = found.reliability(name), found.scores(name)
        value, low, high = told["coverage_90"]
        assert value == pytest.approx(scores["coverage_90"])
        assert low <= value <= high
        assert 0 < told["flatness"] <= 1
    tally = found.results["persistence"][0].tally
    tally.bins[:] = [np.eye(20)[0] * len(row) + np.eye(20)[i % 2] for i, row in enumerate(tally.bins)]
    assert found.reliability("persistence")["flatness"] < 0.01


WRONG = {
    "an unknown method": ({"contenders": ["persistance"]}, "did you mean 'persistence'"),
    "two of one name": ({"contenders": [("a", ["block=4"]), ("a", ["block=5"])]}, "two of the forecasters"),
    "a name that is a path": ({"contenders": [("../a", ["block=4"])]}, "cannot name a result"),
    "nothing": ({"contenders": []}, "nothing to compare"),
    "a recipe with data of its own": ({"contenders": [("a", ["roles.b=past"])]}, "the same for all"),
    "a recipe with a holdout": ({"contenders": [("a", ["holdout=8"])]}, "sets holdout"),
    "an unknown option": ({"contenders": [("a", ["processs=plain"])]}, "did you mean 'process'"),
    "no seed": ({"seeds": []}, "different whole numbers"),
    "a seed twice": ({"seeds": [1, 1]}, "different whole numbers"),
    "a seed among the words": ({"words": ["seed=3"]}, "--seeds"),
    "no horizon": ({"horizon": None}, "--horizon"),
    "a holdout too short": ({"holdout": 3}, "no window to score"),
    "a holdout too long": ({"holdout": 300}, "leaves nothing"),
    "one member": ({"members": 1}, "at least two"),
    "no window": ({"windows": 0}, "at least one"),
    "an unknown subject": ({"subject": "rheoss"}, "none of those"),
    "an unknown reference": ({"reference": "x"}, "none of those"),
    "an unknown score": ({"score": "mse"}, "known are crps"),
    "a time that is none": ({"time": "soon"}, "is not a duration"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_bad_input(kind, tmp_path):
    changed, says = WRONG[kind]
    out = tmp_path / "c"
    with pytest.raises(InputError, match=says):
        compared(**{"contenders": ["persistence"], "source": tiny.table(), **QUICK, "out": out} | changed)
    assert not out.exists()


def test_a_sum_over_different_units_is_no_score():
    with pytest.raises(InputError, match="one unit"):
        compared(["persistence"], tiny.field(60), horizon=2, holdout=8, score="crps_sum", members=4)


def test_models_of_other_data_do_not_take_part(model, tmp_path):
    source = tiny.table()
    for changed, says in (
        ({"holdout": 45}, "has seen 199 frames"),
        ({"horizon": 2}, "4 frames ahead"),
        ({"source": source.assign(a=source["a"] * 2)}, "other values"),
        ({"source": tiny.table(240, 3)}, "channels"),
    ):
        with pytest.raises(InputError, match=says):
            compared(**{"contenders": [("m", model)], "source": source, **QUICK} | changed)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    out = tmp_path / "c"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        compared(["persistence"], tiny.table(), out=out, **QUICK)
    (out / "diary.txt").unlink()
    compared([("p", LagRidge()), "persistence"], tiny.table(), out=out, **QUICK)
    with pytest.raises(InputError, match="other data, windows or members"):
        compared(["persistence"], tiny.table(seed=1), out=out, **QUICK)
    with pytest.raises(InputError, match="other data, windows or members"):
        compared(["persistence"], tiny.table(), out=out, **QUICK | {"members": 7})
    with pytest.raises(InputError, match="another 'p'"):
        compared([("p", Persistence())], tiny.table(), out=out, **QUICK)
    (out / "results/p-seed0.json").write_text('{"name": "p"}')
    with pytest.raises(InputError, match="damaged"):
        compared([("p", LagRidge())], tiny.table(), out=out, **QUICK)


def test_entries_of_the_command_line():
    assert asked((), (), None) == ["rheos", "baselines"]
    assert asked(["a=process=plain 'codec=[log, scale]'"], (), None) == [
        ("a", ["process=plain", "codec=[log, scale]"]),
        "baselines",
    ]
    assert asked((), (), "rheos, lag_ridge") == ["rheos", "lag_ridge"]
    assert [e[0] for e in asked((), ["some/where", "b=there"], None)[:2]] == ["where", "b"]
    assert seeds_of("0,1, 2") == [0, 1, 2]
    for wrong in (
        lambda: asked(["process"], (), None),
        lambda: asked(["a='x"], (), None),
        lambda: seeds_of("a"),
    ):
        with pytest.raises(InputError):
            wrong()


def test_options_become_words_that_give_them_back():
    given = options(
        None,
        [
            "process=plain",
            "roles.Temp. (C)=past",
            "circular.wind=360",
            "sums.100=[a, b]",
            "codec=[log, {kind: scale, mode: robust}]",
            "data.missing=[-9]",
            "training.time=5m",
            "network.depth=2",
            "anchor.kind='true'",
        ],
    )
    assert parse_words(list(as_words(given))) == given
    assert yaml.safe_load("plain") in " ".join(as_words(given))


def test_the_peak_of_memory_is_measured_anew():
    forget_peak()
    before = peak_bytes()
    # A mapping of its own: what malloc gives back, and when, is the process' affair.
    with mmap.mmap(-1, 320_000_000) as block:
        for _ in range(320):
            block.write(b"x" * 1_000_000)
        assert peak_bytes() - before > 200e6
    forget_peak()
    assert peak_bytes() - before < 200e6


COMMAND = "import torch; torch.set_num_threads(1); from rheos.cli import main; main()"


def test_a_killed_comparison_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    """Killed after the first result; the recorded command ends it, and makes nothing again."""
    monkeypatch.chdir(tmp_path)
    tiny.table().to_csv("table.csv", index=False)
    words = ["table.csv", *SMALL, "--horizon", "4", "--holdout", "41", "--members", "6", "--quality", "fast"]
    words += ["--windows", "3"]
    words += ["--recipe", "a=process=plain", "--recipe", "b=training.steps=80 training.checks=2"]
    words += ["--methods", "persistence,lag_ridge"]
    first = tmp_path / "cut/results/a-seed0.json"
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "compare", *words, "--out", "cut"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        began = time.monotonic()
        while not first.exists() and process.poll() is None and time.monotonic() - began < 120:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the process ended before it was killed"
    made = first.read_bytes(), first.stat().st_mtime_ns
    assert not (tmp_path / "cut/comparison.json").exists()
    command = json.loads((tmp_path / "cut/record.json").read_text())["command"]
    assert run(shlex.split(command)[1:]) == 0
    assert (first.read_bytes(), first.stat().st_mtime_ns) == made
    assert capsys.readouterr().out.splitlines()[-1].split()[1] == "a"
    assert run(["compare", *words, "--out", "whole", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "whole/comparison.json").read_text())
    cut = json.loads((tmp_path / "cut/comparison.json").read_text())
    assert list(told["methods"]) == list(cut["methods"])
    for name, method in told["methods"].items():
        assert method.keys() == cut["methods"][name].keys()
        for part in ("scores", "against", "per_window"):
            assert method[part] == cut["methods"][name][part]
    made = {p.name for p in (tmp_path / "cut").iterdir()}
    assert made == {
        "comparison.json",
        "models",
        "record.json",
        "results",
        "skill-against-cost.png",
        "table.md",
    }
    assert [p.name for p in (tmp_path / "cut").rglob("*") if p.suffix in (".partial", ".writing")] == []


def run(arguments):
    """The command line in this process; its exit code."""
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    return left.value.code


def test_a_recipe_of_the_comparison_is_the_one_that_fit_would_make():
    source = read(tiny.table())
    task = Task(source, 4, 41)
    contender = RecipeContender("a", {"process": "plain"}, {"process": "dydiff", "block": 7})
    recipe = contender.recipe(task, 9)
    assert (recipe.process.kind, recipe.block, recipe.seed, recipe.holdout) == ("plain", 7, 9, 41)


def test_a_peer_without_its_package_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rheos.baseline.peer.base.find_spec", lambda name: None)
    tiny.table().to_csv("table.csv", index=False)
    assert run(["compare", "table.csv", "--horizon", "4", "--methods", "persistence,auto_arima"]) == 2
    error = capsys.readouterr().err
    assert "pip install 'rheos[peers]'" in error
    assert error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_fields_are_compared_with_damped_anomalies_too():
    found = compared(["baselines"], tiny.field(60), horizon=2, holdout=8, members=4)
    assert set(found.results) == {"persistence", "seasonal", "climatology", "lag_ridge", "damped_anomaly"}
    assert "damped_anomaly" not in compared(["baselines"], tiny.table(), **QUICK).results


def test_a_direction_is_compared_on_its_circle():
    source = tiny.table()
    source["b"] = np.mod(25 * source["b"], 360.0)
    found = compared(["baselines"], source, words=["circular.b=360"], **QUICK)
    assert found.value("persistence", "crps") < 1
    assert all(found.scores(name)["crps_by_variable"]["b"] < 45 for name in found.results)
    assert found.scores("persistence")["crps_sum"] is None


def test_a_peer_whose_result_is_there_needs_no_package(tmp_path, monkeypatch):
    """Another environment may have made it."""
    out = tmp_path / "c"
    found = compared(["persistence"], tiny.table(), out=out, **QUICK)
    made = json.loads((out / "results/persistence-seed0.json").read_text())
    peer = {"kind": "baseline", "method": AutoARIMA().model_dump(mode="json")}
    made |= {"name": "auto_arima", "description": peer}
    (out / "results/auto_arima-seed0.json").write_text(json.dumps(made))
    monkeypatch.setattr("rheos.baseline.peer.base.find_spec", lambda name: None)
    both = compared(["persistence", "auto_arima"], tiny.table(), out=out, **QUICK)
    assert both.value("auto_arima") == found.value("persistence")
    assert "last 2000 points" in both.notes("auto_arima")[0]


def test_methods_that_learn_take_part_within_the_time_and_with_the_seeds():
    source = tiny.table()
    words = ["dyffusion", "koopman_vae", "pv_rnn"]
    entries = contenders_of(words, {}, 60.0, read(source).layout)
    assert [entry.name for entry in entries] == words
    assert all(entry.seeded and entry.baseline.time == 60.0 for entry in entries)
    small = KoopmanVAE(steps=2, batch=4, layers=1, history=4)
    found = compared([small, "persistence"], source, seeds=(0, 1), windows=2, **QUICK)
    told = [result.description["method"]["seed"] for result in found.results["koopman_vae"]]
    assert told == [0, 1]
    assert np.isfinite(found.scores("koopman_vae")["crps"])
