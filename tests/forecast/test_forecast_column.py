"""A forecast made elsewhere as a model's anchor: from the file to what is drawn; mistakes in one sentence.

The law: x = f + n, n a first-order autoregression of spread 0.5 and memory 4 whose forecast is known exactly.
"""

import numpy as np
import pandas as pd
import pytest
import tiny

from rheos.cli import main
from rheos.core.errors import InputError
from rheos.data.generator import crps_normal
from rheos.evaluation.backtest import backtest
from rheos.forecast.forecaster import fit, load

PHI, SPREAD, HORIZON = np.exp(-1 / 4), 0.5, 4
WORDS = ("roles.f=known_future", "anchor=forecast", "anchor.of.x=f")
LOOP = ("training.steps=200", "training.batch=32", "training.checks=1", "training.learning_rate=0.01")
SIZES = ("network.width=8", "network.depth=1", "network.heads=2", "network.rank=8", "block=16", "history=3")


def law(frames=600, ahead=0):
    """A table of x and its forecast f, which wanders far and in jumps; the last `ahead` of x are to come."""
    rng = np.random.default_rng(4)
    f = 40 + 10 * np.repeat(rng.normal(size=frames // 5), 5) + rng.normal(size=frames)
    noise = SPREAD * tiny.walk(frames, 1, seed=8, persistence=PHI)[:, 0]
    table = pd.DataFrame(
        {"time": pd.date_range("2021-03-01", periods=frames, freq="h"), "x": f + noise, "f": f}
    )
    if ahead:
        table.loc[frames - ahead :, "x"] = np.nan
    return table, noise


@pytest.fixture(scope="module")
def model():
    return fit(law()[0], HORIZON, words=(*WORDS, *LOOP, *SIZES, "holdout=240"))


@pytest.mark.parametrize("process", ["dydiff", "mean_reverting"])
def test_what_is_drawn_around_the_column_has_the_law_s_crps(process, model):
    """Expected over truths of the law, within 2 % of its own on 48 windows; the ridge has 14 %."""
    table, noise = law()
    if process != "dydiff":
        model = fit(table, HORIZON, words=(*WORDS, *LOOP, *SIZES, "holdout=240", f"process={process}"))
    cases = []
    backtest(model, table, windows=48, members=40, keep=cases.append, baselines=[])
    lead = np.arange(1, HORIZON + 1)
    ours, exact = [], []
    for case in cases:
        at = case.origin + lead - 1
        mean = table["f"].to_numpy()[at] + PHI**lead * noise[case.origin - 1]
        deviation = SPREAD * np.sqrt(1 - PHI ** (2 * lead))
        # Of truths from the law, so that what came by luck counts for nothing.
        members = case.ensemble[..., 0].astype(np.float64)
        distance = crps_normal(mean, deviation, members) + deviation / np.sqrt(np.pi)
        apart = np.abs(members[:, None] - members[None]).sum((0, 1)) / (len(members) * (len(members) - 1))
        ours.append(distance.mean(0) - apart / 2)
        exact.append(deviation / np.sqrt(np.pi))
    assert 0.99 < np.mean(ours) / np.mean(exact) < 1.02


def test_it_is_kept_and_loaded_and_continues(model, tmp_path):
    table, _ = law(ahead=6)
    model.save(tmp_path / "m")
    ask = {"members": 4, "quality": "fast"}
    found = model.forecast(table, **ask).dataset
    again = load(tmp_path / "m").forecast(table, **ask).dataset
    assert found.equals(again)
    ahead = table["f"].to_numpy()[-6:-2]
    assert found["x"].values[0].mean(0) == pytest.approx(ahead, abs=4 * SPREAD)


def test_a_forecast_that_ends_early_widens_what_comes_after(model):
    """The third lead has a forecast, the fourth none: the ridge in its place knows nothing of f."""
    table, _ = law(ahead=4)
    whole = model.forecast(table, members=60, quality="fast").dataset["x"].values[0].std(0)
    table.loc[len(table) - 1, "f"] = np.nan
    short = model.forecast(table, members=60, quality="fast").dataset["x"].values[0].std(0)
    assert short[2] == pytest.approx(whole[2], rel=0.3)
    assert short[3] > 5 * whole[3]
    table.loc[len(table) - 4 :, "f"] = np.nan
    with pytest.raises(InputError, match="'f' must be known ahead"):
        model.forecast(table, members=2)


def test_variables_that_are_not_named_keep_the_rule():
    table, _ = law(400)
    table["y"] = tiny.walk(400, 1, seed=2)[:, 0]
    words = (*WORDS, *tiny.SERIES, "anchor.otherwise=persistence")
    model = fit(table, HORIZON, words=words)
    window = model.model.source(model.read(table)).at(0, 300)
    future = model.model.anchor.future(window)[0]
    codec = model.model.codec
    raw = codec.decode(future[None], window.state)[0]
    assert raw[:, 1] == pytest.approx(table["y"][299], rel=1e-4)
    assert raw[:, 0] == pytest.approx(table["f"][300:304], abs=4 * SPREAD)


MISTAKES = {
    "anchor=forecast roles.f=known_future": "anchor=forecast has no column; give anchor.of.TARGET=COLUMN",
    "anchor=forecast roles.f=known_future anchor.of.x=g": "no column is called 'g'; there is f, x",
    "anchor=forecast roles.f=known_future anchor.of.z=f": "no target is called 'z'; there is x",
    "anchor=forecast anchor.of.x=f": "'f' is read as a target, and a forecast is known ahead; add "
    "roles.f=known_future",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes_end_in_one_sentence(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    law(100)[0].to_csv("table.csv", index=False)
    with pytest.raises(SystemExit) as left:
        main(["fit", "table.csv", "--horizon", "4", "--out", "m", *tiny.SERIES, *words.split()])
    told = capsys.readouterr().err
    assert left.value.code == 2
    assert MISTAKES[words] in told
    assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "m").exists()
