"""Models of whole clips, told no history: forecasts hold it at t = 0; what cannot be is said at once."""

import numpy as np
import pandas as pd
import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.data.generator import GaussianPanel, crps_normal
from rheos.forecast.forecaster import fit, options
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe
from rheos.forecast.whole import with_history_held
from rheos.score import crps

LAW = GaussianPanel(frames=1600, channels=1, memory=6.0)
HORIZON = 2
ORIGINS = np.arange(1420, 1590, 4)
WHOLE = ("process=plain", "process.history=diffused", "anchor=none", "times=per_frame")
WORDS = (
    *("training.steps=500", "training.batch=32", "training.checks=1", "validation=0.08"),
    *("network.width=16", "network.depth=1", "network.heads=2", "network.rank=8", "network.patch=1"),
    *("block=32", "history=1", "holdout=200", "lags=[]", "harmonics={}", *WHOLE),
    *("objective.times.share=1.0", "objective.unconditional=1", "calibration=none"),
)


def test_a_law_of_whole_clips_forecasts_as_the_conditional_law_does():
    """AR(1): CRPS within 12 % of the exact conditional law's, though the network was told no history."""
    values = LAW.generate(seed=1).recordings[0].values
    table = pd.DataFrame(
        {"time": pd.date_range("2021-01-01", periods=len(values), freq="h"), "x": values[:, 0]}
    )
    model = fit(table, HORIZON, words=WORDS)
    at = [str(table.time[o - 1]) for o in ORIGINS]
    drawn = model.forecast(table, at=at, members=32).dataset["x"].values
    truth = np.stack([values[o : o + HORIZON, 0] for o in ORIGINS])
    lead = np.arange(1, HORIZON + 1)
    memory, spread = LAW.persistence**lead, np.sqrt(1 - LAW.persistence ** (2 * lead))
    exact = crps_normal(memory * values[ORIGINS - 1], spread, truth).mean()
    blind = crps_normal(np.zeros_like(truth), np.ones(2), truth).mean()
    ours = crps(np.moveaxis(drawn, 1, 0), truth).mean()
    assert ours < 1.12 * exact
    assert ours < 0.8 * blind
    with pytest.raises(InputError, match="never told a history"):
        next(iter(model.stream(table, members=2, pace="rolling")))


def test_the_history_is_held_and_told_in_no_other_way():
    clip = torch.arange(10.0).reshape(1, 5, 2)
    told = Context(history_frames=3, history=clip[:, :3], lagged=clip[:, :, None], mask=torch.ones_like(clip))
    held = with_history_held(clip, told)
    assert held.history is None
    assert held.lagged is None
    assert held.history_frames == 3
    assert held.scope.given == ((True, True),) * 3 + ((False, False),) * 2
    assert torch.equal(held.observation, clip)


def recipe(*words):
    return build(Recipe, {"horizon": 2, "history": 2} | options(None, words), "words")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "process.history=clean shows"),
        (("process.history=diffused",), "anchor=ridge tells"),
        (("process.history=diffused", "anchor=none"), "needs times=per_frame"),
        (("process.history=diffused", "anchor=none", "times=per_group"), "needs times=per_frame"),
    ],
)
def test_recipes_that_cannot_hide_a_history_say_why(words, why):
    with pytest.raises(InputError, match=why):
        recipe("objective.unconditional=1", *words)


def test_recipes_that_can():
    assert recipe("objective.unconditional=1", *WHOLE).hides == 1.0
    some = recipe("objective.unconditional=0.2", "process.history=diffused", "anchor=none")
    assert some.hides == 0.2
    assert recipe().hides == 0.0
    assert recipe("process=masked").hides == 0.0
