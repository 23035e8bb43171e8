"""Memory is bounded by the block, not by the members, and known before the start."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny

from rheos.core.errors import InputError
from rheos.forecast import budget
from rheos.forecast.settings import Forecasting
from rheos.forecast.store import Frame

SCRIPT = """
import json, resource, sys, torch
torch.set_num_threads(1)
from rheos.forecast import engine
from rheos.forecast.forecaster import load
from rheos.sample.sample import Sample

def quick(denoiser, shape, *, key, **others):
    return Sample(clips=key.normal(shape[1:]), evaluations=1)

folder = sys.argv[1]
model = load(folder + "/m")
peaks = []
for members in (16, 1600):
    model.forecast(members=members, quality="fast", out=f"{folder}/{members}.zarr")
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    engine.sample = quick
print(json.dumps(peaks))
"""


def test_the_peak_does_not_grow_with_the_members(tmp_path):
    """1600 members of 12 frames of 24 x 24 cells: 44 MB in the store, a small part of it in memory.

    The network is real for the first forecast, so that its block is in both peaks, and then only noise:
    what is tested is that nothing holds on to finished blocks.
    """
    rng = np.random.default_rng(0)
    source = rng.normal(size=(60, 24, 24)).astype(np.float32)
    words = (*tiny.FIELD, "training.steps=1", "history=2", "data.dims=[time,y,x]", "block=16")
    tiny.fitted(source, words, horizon=12, out=tmp_path / "m")
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    few, many = json.loads(told.stdout)
    whole = 4 * 1600 * 12 * 24 * 24
    assert many - few < whole / 3


def test_what_is_needed_is_one_block_and_the_result_if_it_is_kept(table_model):
    model = table_model.model

    def frame(members):
        layout = model.layout
        return Frame(layout, ("",), ["2021-01-01"], np.zeros((1, 4)), members, model.recipe.block)

    few, many = (budget.needed(model, frame(n), (), in_memory=False) for n in (10, 10_000))
    assert few == many > 0
    wider = replace(model, recipe=model.recipe.model_copy(update={"block": 3 * model.recipe.block}))
    assert budget.needed(wider, frame(10), (), in_memory=False) == 3 * few
    kept = budget.needed(model, frame(10_000), (), in_memory=True)
    assert kept - many == 4 * 10_000 * 4 * 2


def test_too_much_is_refused_before_any_work(table_model, tmp_path, monkeypatch):
    monkeypatch.setattr("rheos.forecast.engine.Engine.block", lambda *_: pytest.fail("work was done"))
    with pytest.raises(InputError, match="more than --memory 1MB; write it to a store"):
        table_model.forecast(members=100_000, settings=Forecasting(memory="1MB"))
    with pytest.raises(InputError, match="smaller block"):
        table_model.forecast(members=8, settings=Forecasting(memory=100), out=tmp_path / "f.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2**31), ("512M", 2**29), ("1.5 KiB", 1536), (4096, 4096), ("100", 100), ("1tb", 2**40)],
)
def test_sizes(text, size):
    assert budget.read_bytes(text) == size


@pytest.mark.parametrize("text", ["", "-1", "much", "2 PB", "1e9x"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(InputError, match="is not a size"):
        budget.read_bytes(text)
