"""The whole way on data of a known law: a fitted forecaster comes near the best forecast there is."""

import numpy as np
import pytest

from rheos.baseline import Persistence
from rheos.data.generator import GaussianPanel, crps_normal
from rheos.evaluation.backtest import backtest
from rheos.forecast.forecaster import fit
from rheos.score import covered, crps

LAW = GaussianPanel(frames=2400, channels=2, memory=6.0, correlation=0.5)
HORIZON, HOLDOUT, WINDOWS = 4, 200, 40
Z_90 = 1.6449
WORDS = (
    *("training.steps=150", "training.batch=32", "training.checks=1", "validation=0.08"),
    *("network.width=16", "network.depth=1", "network.heads=2", "network.rank=8"),
    *("block=32", "history=6", f"holdout={HOLDOUT}"),
)
PROCESSES = {
    "dydiff": (),
    "dydiff, history diffused": ("process.history=diffused",),
    "plain": ("process=plain",),
    "rectified flow": ("process=rectified_flow",),
    "edm": ("process=edm",),
}


@pytest.fixture(scope="module")
def data():
    return LAW.generate(seed=1)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_known_law(process, data):
    """Fair CRPS within 10 % of the exact law's on the same windows, coverage of the
    90 % interval within 8 points of the exact law's there."""
    model = fit(data, HORIZON, words=(*WORDS, *PROCESSES[process]))
    cases = []
    backtest(model, data, windows=WINDOWS, members=32, keep=cases.append, baselines=[Persistence()])
    ours = np.mean([crps(case.ensemble, case.truth) for case in cases])
    exact = np.mean([crps_normal(*law(data, case), case.truth) for case in cases])
    assert 0.97 < ours / exact < 1.1
    inside = np.mean([covered(case.ensemble, case.truth) for case in cases])
    errors = [(case.truth - mean) / deviation for case in cases for mean, deviation in [law(data, case)]]
    assert inside == pytest.approx(np.mean(np.abs(errors) < Z_90), abs=0.08)


def law(data, case):
    """Mean and standard deviation of the exact law on the window of a case, each `(lead, channel)`."""
    last = data.recordings[case.recording].values[case.origin - 1]
    mean, covariance = LAW.conditional(last, HORIZON)
    flat = covariance.reshape(HORIZON * LAW.channels, -1)
    return mean, np.sqrt(np.diag(flat)).reshape(mean.shape)
