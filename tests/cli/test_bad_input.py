"""Every mistake ends in one sentence on stderr and exit code 2, and leaves nothing behind."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

QUICK = "training.steps=2 training.checks=1 network.width=8 network.depth=1 network.heads=2 block=4"
FIT = f"fit table.csv {QUICK} --out new"
FORECAST = "forecast model --members 4 --out new.zarr"


def nothing(place):
    """The shelf as it is."""


def write(name, text):
    def change(place):
        (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    return change


def edit(name, old, new, count=1):
    """Replace text in a file of the shelf."""

    def change(place):
        text = (place / name).read_text()
        assert old in text
        (place / name).write_text(text.replace(old, new, count))

    return change


def config(**changes):
    """Change entries of the model's config.json."""

    def change(place):
        path = place / "model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def cut(name, share=0.5):
    """Keep only the beginning of a file."""

    def change(place):
        raw = (place / name).read_bytes()
        (place / name).write_bytes(raw[: int(len(raw) * share)])

    return change


def rows(*lines):
    return write("bad.csv", "\n".join(lines) + "\n")


def other_tensors(place):
    """Weights of another network in the model's folder."""
    (place / "model/model.safetensors").write_bytes((place / "planner/model.safetensors").read_bytes())


def other_columns(place):
    tiny.table(60, 3).to_csv(place / "bad.csv", index=False)


def other_step(place):
    tiny.table(60, 2, "D").to_csv(place / "bad.csv", index=False)


def negative(place):
    frame = tiny.table(100, 1)
    frame["a"] = -np.abs(frame["a"])
    frame.to_csv(place / "bad.csv", index=False)


def short(place):
    tiny.table(6, 1).to_csv(place / "bad.csv", index=False)


def other_sequence(place):
    frame = tiny.panel((80, 90)).replace({"unique_id": {"s1": "stranger"}})
    frame.to_csv(place / "bad.csv", index=False)


def infinite(place):
    frame = tiny.table(50, 1)
    frame.loc[7, "a"] = np.inf
    frame.to_csv(place / "bad.csv", index=False)


def missing_ahead(place):
    """Three of the four frames to forecast have their plan."""
    frame = tiny.covariates(203, ahead=3)
    frame.to_csv(place / "bad.csv", index=False)


def stale(place):
    (place / "new.partial").mkdir()
    (place / "new.partial" / "diary.txt").write_text("mine")


def image(place):
    np.save(place / "bad.npy", np.zeros((3, 2, 2, 2, 2, 2)))


START = "2021-03-01 00:00:00"
KINDS = {
    # what the source holds
    "no such file": (nothing, "inspect none.csv", "none.csv"),
    "no such folder": (nothing, f"fit nowhere/none.csv {QUICK} --horizon 4 --out new", "nowhere"),
    "an empty file": (write("bad.csv", ""), "inspect bad.csv", "is empty"),
    "a header alone": (rows("time,a"), "inspect bad.csv", "no rows"),
    "a ragged table": (
        rows("time,a", "2020-01-01,1", "2020-01-02,1,9", "2020-01-03,1"),
        "fit bad.csv --horizon 1 --out new",
        "line 3",
    ),
    "rubbish": (write("bad.csv", bytes(range(256)) * 9), "fit bad.csv --horizon 1 --out new", "not text"),
    "duplicate stamps": (
        rows("time,a", "2020-01-01,1", "2020-01-01,2", "2020-01-02,3"),
        "fit bad.csv --horizon 1 --out new",
        "data.duplicates=mean",
    ),
    "text in numbers": (
        rows("time,a", "2020-01-01,1", "2020-01-02,x", "2020-01-03,3"),
        "fit bad.csv --horizon 1 --out new",
        "data.missing=[x]",
    ),
    "a column of nothing": (
        rows("time,a,b", "2020-01-01,1,", "2020-01-02,2,", "2020-01-03,3,"),
        "fit bad.csv --horizon 1 --out new",
        "'b'",
    ),
    "an infinite value": (infinite, "fit bad.csv --horizon 1 --out new", "infinite"),
    "cells of no fixed span": (
        rows("time,a", f"{START},1", "2021-03-01 01:00:00,1", "2021-03-01 01:17:00,2", "2021-03-01 02:00,3"),
        "fit bad.csv --horizon 1 --out new data.cells=MS",
        "no fixed span",
    ),
    "a truncated NetCDF": (cut("field.nc"), "fit field.nc --horizon 3 --out new", "NetCDF"),
    "too many axes": (image, "fit bad.npy --horizon 1 --out new", "axes"),
    "negative values and logarithms": (
        negative,
        f"fit bad.csv codec=log {QUICK} --horizon 4 --out new",
        "'a'",
    ),
    "numbers that are not whole": (
        nothing,
        f"{FIT} process=masked --horizon 4",
        "which is no whole number",
    ),
    "whole numbers about an anchor": (
        nothing,
        f"{FIT} process=masked anchor=ridge --horizon 4",
        "need anchor=none, not ridge",
    ),
    "a role for no column": (nothing, f"{FIT} roles.aa=past --horizon 4", "did you mean 'a'"),
    "no such role": (nothing, f"{FIT} roles.a=futur --horizon 4", "roles.a='futur'"),
    "an unknown way of reading": (
        nothing,
        f"{FIT} data.encodin=utf-8 --horizon 4",
        "did you mean 'encoding'",
    ),
    "ways of reading that are none": (nothing, f"{FIT} data=3 --horizon 4", "data=3"),
    # how much there is of it
    "a horizon beyond the data": (nothing, f"{FIT} --horizon 500", "too few"),
    "a horizon of 0": (nothing, f"{FIT} --horizon 0", "horizon=0"),
    "a negative horizon": (nothing, f"{FIT} --horizon -3", "horizon=-3"),
    "no horizon": (nothing, FIT, "--horizon"),
    "a horizon of words": (nothing, f"{FIT} horizon=soon", "horizon='soon'"),
    "a horizon to inspect of 0": (nothing, "inspect table.csv --horizon 0", "horizon=0"),
    "a holdout beyond the data": (nothing, f"{FIT} --horizon 4 --holdout 300", "smaller --holdout"),
    "a negative holdout": (nothing, f"{FIT} --horizon 4 holdout=-1", "holdout"),
    "a history beyond the data": (nothing, f"{FIT} --horizon 4 --history 300", "too few"),
    "six frames": (short, f"fit bad.csv {QUICK} --horizon 4 --out new", "too few"),
    # the recipe
    "an unknown key": (nothing, f"{FIT} --horizon 4 proces=plain", "did you mean 'process'"),
    "an unknown key of a method": (nothing, f"{FIT} --horizon 4 process.flor=1", "did you mean 'floor'"),
    "an unknown key of training": (nothing, f"{FIT} --horizon 4 training.step=9", "did you mean 'steps'"),
    "an unknown process": (nothing, f"{FIT} --horizon 4 process=dydif", "did you mean 'dydiff'"),
    "an unknown schedule": (
        nothing,
        f"{FIT} --horizon 4 process=plain process.schedule=cosin",
        "did you mean 'cosine'",
    ),
    "an unknown calibration": (nothing, f"{FIT} --horizon 4 calibration=magic", "known are affine"),
    "a floor out of range": (nothing, f"{FIT} --horizon 4 process.floor=2", "process.floor"),
    "a duration that is none": (nothing, f"{FIT} --horizon 4 --time later", "'later' is not a duration"),
    "no duration at all": (nothing, f"{FIT} --horizon 4 --time 0s", "duration"),
    "a word that is no override": (nothing, f"{FIT} --horizon 4 quickly", "'quickly' is not an override"),
    "a value that is not YAML": (nothing, f"{FIT} --horizon 4 'lags=[1'", "not YAML"),
    "a lag inside the horizon": (nothing, f"{FIT} --horizon 4 lags=[2]", "lag 2 is shorter"),
    "heads that do not divide": (nothing, f"{FIT} --horizon 4 network.heads=3", "network.heads=3"),
    "a network for other data": (
        nothing,
        f"{FIT.replace('network.width=8 network.depth=1 network.heads=2', '')} --horizon 4 network=field",
        "network",
    ),
    "no such recipe": (nothing, f"{FIT} --horizon 4 --config none.yaml", "none.yaml"),
    "a recipe that is no mapping": (write("r.yaml", "- a\n"), f"{FIT} --horizon 4 --config r.yaml", "r.yaml"),
    "a recipe with code": (
        write("r.yaml", "!!python/object/apply:os.system ['true']\n"),
        f"{FIT} --horizon 4 --config r.yaml",
        "not YAML",
    ),
    "a device that is not there": (nothing, f"{FIT} --horizon 4 training.device=cuda", "no GPU"),
    "rates that explode": (
        nothing,
        f"{FIT} --horizon 4 training.steps=60 training.learning_rate=1e30 training.warmup=0",
        "training.learning_rate",
    ),
    # places
    "a model that exists": (nothing, f"fit table.csv {QUICK} --horizon 4 --out model", "model exists"),
    "a model in no folder": (
        nothing,
        f"fit table.csv {QUICK} --horizon 4 --out no/new",
        "folder no does not",
    ),
    "something else in the way": (stale, f"{FIT} --horizon 4", "new.partial is in the way"),
    "a store that exists": (nothing, "forecast model --out f.zarr", "f.zarr exists"),
    "a store in no folder": (nothing, "forecast model --out no/new.zarr", "folder no does not"),
    "a template that exists": (nothing, "template planner --out table.csv", "table.csv exists"),
    "a template in no folder": (nothing, "template planner --out no/new.csv", "folder no does not"),
    "a page in no folder": (nothing, "report model --out no/new.html", "no/new.html"),
    # the model
    "no such model": (nothing, "forecast none --out new.zarr", "none is not a model"),
    "a table for a model": (nothing, "forecast table.csv --out new.zarr", "table.csv is not a model"),
    "a truncated config": (cut("model/config.json"), FORECAST, "not JSON"),
    "a config of something else": (write("model/config.json", "[1]"), FORECAST, "config.json"),
    "a config with an unknown key": (config(extra=1), FORECAST, "unknown key 'extra'"),
    "a config without a recipe": (config(recipe={}), FORECAST, "lacks 'horizon'"),
    "a config without a layout": (config(layout={}), FORECAST, "damaged"),
    "a model of a newer format": (config(format=9, rheos="7.0"), FORECAST, "use Rheos 7.0"),
    "truncated weights": (cut("model/model.safetensors"), FORECAST, "model.safetensors is damaged"),
    "rubbish for weights": (write("model/model.safetensors", b"\x80\x04." * 40), FORECAST, "is damaged"),
    "weights of another model": (other_tensors, FORECAST, "do not belong together"),
    "no weights": (lambda p: (p / "model/model.safetensors").unlink(), FORECAST, "cannot be read"),
    # the forecast
    "no such quality": (nothing, f"{FORECAST} --quality superb", "fast, balanced, best"),
    "no members": (nothing, "forecast model --members 0 --out new.zarr", "members=0"),
    "a forecast of nothing": (nothing, f"{FORECAST} --horizon 0", "horizon=0"),
    "a stamp that is not in the data": (nothing, f"{FORECAST} --at 2031-01-01", "'2031-01-01'"),
    "a stamp that is none": (nothing, f"{FORECAST} --at yesterday", "'yesterday'"),
    "too little memory": (nothing, f"{FORECAST} --memory 10KB", "--memory 10KB"),
    "memory that is no size": (nothing, f"{FORECAST} --memory plenty", "'plenty'"),
    "other columns": (other_columns, f"{FORECAST} --from bad.csv", "fitted on channels"),
    "another step": (other_step, f"{FORECAST} --from bad.csv", "fitted on frequency"),
    "a field for a table": (nothing, f"{FORECAST} --from field.nc", "fitted on"),
    "a source that is not there": (nothing, f"{FORECAST} --from none.csv", "none.csv"),
    "a plan that ends too soon": (
        missing_ahead,
        "forecast planner --members 4 --from bad.csv --out new.zarr",
        "`rheos template`",
    ),
    "a plan that is not there": (
        nothing,
        "forecast planner --members 4 --out new.zarr",
        "'plan' must be known",
    ),
    "an origin of two readings": (
        nothing,
        "forecast model --at 03.01.2020 --members 4 --out new.zarr",
        "'03.01.2020' may begin with the day or with the month: write the year first",
    ),
    "a forecast named as a table": (
        nothing,
        "forecast model --members 4 --out new.csv",
        "written as a Zarr store, not .csv: give --out new.zarr",
    ),
    "levels that are none": (nothing, "table f.zarr --levels 10,90", "not numbers between 0 and 1"),
    "a forecast that is absent": (nothing, "table future.zarr", "future.zarr does not exist"),
    "a table of no forecast": (nothing, "table model", "cannot be read as a Zarr store"),
    "a table of no kind": (nothing, "table f.zarr --out t.txt", "let it end in .csv or .parquet"),
    # the sampler
    "a sampler for no model": (nothing, "tune-sampler none", "none is not a model"),
    "two bounds": (nothing, "tune-sampler model --bound 0.1,0.1", "'0.1,0.1' is not three numbers"),
    "bounds that rise": (nothing, "tune-sampler model --bound 0.1,0.2,0.3", "bounds are positive and fall"),
    "a bound of nothing": (nothing, "tune-sampler model --bound 0.2,0.1,0", "bounds are positive"),
    "a tuning time that is none": (nothing, "tune-sampler model --time soon", "'soon' is not a duration"),
    "no time to tune for": (nothing, "tune-sampler panel --time 0.000001s", "allow"),
    "a sampler for other columns": (other_columns, "tune-sampler model --from bad.csv", "fitted on channels"),
    "a sampler for strangers": (other_sequence, "tune-sampler panel --from bad.csv", "'stranger'"),
    "data that ended before": (
        lambda p: tiny.table(100).to_csv(p / "bad.csv", index=False),
        "tune-sampler model --from bad.csv",
        "there is no frame at",
    ),
    "a model with an unknown preset": (config(presets={"swift": {}}), FORECAST, "'swift' is not known"),
    "a preset with an unknown solver": (
        config(presets={"fast": {"solver": {"kind": "leap"}}}),
        FORECAST,
        "presets.fast.solver='leap'",
    ),
    "a preset with times that rise": (
        config(presets={"balanced": {"grid": [0.1, 0.5]}}),
        FORECAST,
        "presets.balanced.grid",
    ),
    # scores, pages and tables
    "a backtest with nothing after the cut": (nothing, "backtest planner --from plans.csv", "--holdout"),
    "a backtest of another table": (other_columns, "backtest model --from bad.csv", "fitted on channels"),
    "a backtest of strangers": (other_sequence, "backtest panel --from bad.csv", "'stranger'"),
    "a backtest without windows": (nothing, "backtest model --from table.csv --windows 0", "windows=0"),
    "a backtest without members": (nothing, "backtest model --from table.csv --members 0", "members=0"),
    "a report of a table": (nothing, "report table.csv --out new.html", "table.csv"),
    "a report of nothing": (nothing, "report none --out new.html", "none"),
    "a report of a folder": (lambda p: (p / "empty").mkdir(), "report empty --out new.html", "empty"),
    "a report of half a store": (cut("f.zarr/zarr.json"), "report f.zarr --out new.html", "f.zarr"),
    "a template with nothing to fill in": (nothing, "template model --out new.csv", "no known-future column"),
    "a demonstration over something": (nothing, "demo --out model", "not an earlier demonstration"),
}


def listing(place):
    return {str(p.relative_to(place)) for p in place.rglob("*")}


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input(kind, bench, call, capsys, recwarn, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    change, command, says = KINDS[kind]
    change(bench)
    before = listing(bench)
    assert call(shlex.split(command)) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("rheos: "), error
    assert error.count("\n") == 1, error
    assert error[-2] in ".?", error
    assert error[-3] not in ".?"
    assert says in error, error
    assert listing(bench) == before
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize(
    "command", ["fit", "fit table.csv --horizont 4", "forecast model --members many", "pray"]
)
def test_misuse_of_the_command_line(command, bench, call, capsys):
    before = listing(bench)
    assert call(shlex.split(command)) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert "Usage" in error
    assert "Traceback" not in error
    assert listing(bench) == before


def test_a_folder_one_may_not_write_in(bench, call, capsys, monkeypatch):
    """The system's own refusal, wherever it comes from, is told in one sentence too."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied", "new.zarr")

    monkeypatch.setattr("rheos.forecast.forecaster.ZarrStore", refuse)
    assert call(shlex.split(FORECAST)) == 2
    error = capsys.readouterr().err
    assert error.startswith("rheos: new.zarr Permission denied")
    assert error.count("\n") == 1


def test_the_sentence_names_stamp_and_column(bench, call, capsys):
    missing_ahead(bench)
    call(shlex.split("forecast planner --from bad.csv --out new.zarr"))
    error = capsys.readouterr().err
    assert "'plan'" in error
    assert str(pd.Timestamp("2021-03-01") + pd.Timedelta(203, "h")) in error


def test_there_are_enough_kinds():
    assert len(KINDS) >= 45
