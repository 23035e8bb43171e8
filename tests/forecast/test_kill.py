"""A process killed with SIGKILL, the same command again: the same weights, the same store, bit for bit."""

import os
import signal
import subprocess
import sys
import time

import pytest
import tiny
import torch

from rheos import cli

COMMAND = "import torch; torch.set_num_threads(1); from rheos.cli import main; main()"
PATIENCE = 120.0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table and, in `whole`, the model and store of runs that nothing interrupted."""
    folder = tmp_path_factory.mktemp("kill")
    tiny.table(200).to_csv(folder / "table.csv", index=False)
    (folder / "whole").mkdir()
    torch.set_num_threads(1)
    run(fit_arguments(folder, "whole"))
    run(forecast_arguments(folder, "whole"))
    return folder


def fit_arguments(folder, name):
    words = [*tiny.SERIES, "training.steps=32", "training.checks=8", "training.batch=8", "holdout=20"]
    return ["fit", str(folder / "table.csv"), *words, "--horizon", "4", "--out", str(folder / name / "model")]


def forecast_arguments(folder, name):
    return [
        *("forecast", str(folder / "whole" / "model"), "--members", "48", "--horizon", "6"),
        *("--out", str(folder / name / "f.zarr")),
    ]


def run(arguments):
    """The command to its end."""
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 0


def killed(arguments, moment):
    """The command in a process of its own, killed as soon as `moment()` holds; it must not have ended."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        began = time.monotonic()
        while not moment() and process.poll() is None and time.monotonic() - began < PATIENCE:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the process ended before it was killed"


def contents(folder):
    """Every file's bytes by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_fit(place):
    """Killed when training begins, and after some checks."""
    cut = place / "cut"
    cut.mkdir()
    partial = cut / "model.partial"
    for step in (0, 12):

        def reached(step=step):
            states = [int(p.stem.split("-")[1]) for p in partial.glob("state-*.safetensors")]
            return (partial / "plan.json").exists() if step == 0 else max(states, default=0) >= step

        killed(fit_arguments(place, "cut"), reached)
        assert partial.is_dir()
        assert not (cut / "model").exists()
    run(fit_arguments(place, "cut"))
    assert (cut / "model/model.safetensors").read_bytes() == (
        place / "whole/model/model.safetensors"
    ).read_bytes()
    assert [p.name for p in cut.iterdir()] == ["model"]


def test_forecast(place):
    """Killed while the store is laid out, and after some blocks."""
    cut = place / "cut-forecast"
    cut.mkdir()
    journal, partial = cut / "f.zarr.journal", cut / "f.zarr.partial"

    def blocks():
        return len(journal.read_text().splitlines()) - 1 if journal.exists() else -1

    killed(forecast_arguments(place, "cut-forecast"), partial.exists)
    killed(forecast_arguments(place, "cut-forecast"), lambda: blocks() >= 2)
    done = blocks()
    assert 2 <= done < 11
    # A block half-written and a line cut short, as a kill at another instant would leave them.
    with open(journal, "a") as file:
        file.write("0 0 11")
    assert not (cut / "f.zarr").exists()
    run(forecast_arguments(place, "cut-forecast"))
    assert contents(cut / "f.zarr") == contents(place / "whole/f.zarr")
    assert [p.name for p in cut.iterdir()] == ["f.zarr"]


def test_an_unfinished_store_of_another_request_is_begun_anew(place):
    cut = place / "other"
    cut.mkdir()
    (cut / "f.zarr.partial").mkdir()
    (cut / "f.zarr.partial" / "rubbish").write_text("?")
    (cut / "f.zarr.journal").write_text("another request\n0 0 0\n")
    run(forecast_arguments(place, "other"))
    assert contents(cut / "f.zarr") == contents(place / "whole/f.zarr")


def test_an_unfinished_run_of_another_recipe_is_begun_anew(place):
    cut = place / "recipe"
    cut.mkdir()
    (cut / "model.partial").mkdir()
    (cut / "model.partial" / "run.json").write_text('{"recipe": "another"}')
    (cut / "model.partial" / "plan.json").write_text('{"steps": 1}')
    run(fit_arguments(place, "recipe"))
    assert (cut / "model/model.safetensors").read_bytes() == (
        place / "whole/model/model.safetensors"
    ).read_bytes()
