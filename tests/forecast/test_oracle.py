"""The whole way on data of a known law: what a fitted forecaster draws has that law, by entry and as paths.

With the law in hand, scores have expectations in closed form. So nothing is held against what came by luck:
over forty windows that alone moves the CRPS by several per cent.
"""

import numpy as np
import pytest
from scipy.special import ndtr

from rheos.data.generator import GaussianPanel, crps_normal
from rheos.evaluation.backtest import backtest
from rheos.forecast.forecaster import fit
from rheos.score import central_interval, crps

LAW = GaussianPanel(frames=6000, channels=2, memory=6.0, correlation=0.5)
HORIZON, WINDOWS, MEMBERS = 4, 40, 32
WORDS = (
    *("training.steps=250", "training.batch=64", "training.learning_rate=0.01", "training.checks=1"),
    *("network.width=16", "network.depth=1", "network.heads=2", "network.rank=32"),
    *("block=32", "history=3", "validation=0.08", f"holdout={HORIZON * WINDOWS}"),
)
PROCESSES = {
    "dydiff": (),
    "dydiff, history diffused": ("process.history=diffused",),
    "plain": ("process=plain",),
    "rectified flow": ("process=rectified_flow",),
    "edm": ("process=edm",),
    "two sided": ("process=two_sided",),
    "light bridge": ("process=light_bridge",),
}
OF_PATHS = {
    "the sum over the horizon": lambda paths: paths.sum(-2),
    "the change from frame to frame": lambda paths: np.diff(paths, axis=-2),
    "the difference of channels": lambda paths: np.diff(paths, axis=-1),
}


@pytest.fixture(scope="module")
def data():
    return LAW.generate(seed=1)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_known_law(process, data):
    """Expected CRPS within 2 % of the exact law's, coverage of the 90 % interval within 4 points, and the
    spread of what paths add up to within 15 %."""
    ensemble, mean = drawn(data, (*WORDS, *PROCESSES[process]))
    deviation = np.sqrt((roots() ** 2).sum(0))
    assert 0.99 < expected_crps(ensemble, mean, deviation) / LAW.best_crps(HORIZON).mean() < 1.02
    assert expected_coverage(ensemble, mean, deviation) == pytest.approx(0.9, abs=0.04)
    for what, of in OF_PATHS.items():
        assert spread_of(of, ensemble) == pytest.approx(1.0, abs=0.15), what


@pytest.mark.parametrize("shuffled", ["frames", "channels"])
def test_members_that_mix_frames_or_channels_would_be_noticed(shuffled):
    """The law's own members pass; with the frames, or the channels, of different members put together each
    entry has its law as before, and no path."""
    rng = np.random.default_rng(0)
    members = np.einsum("...k,ksc->...sc", rng.normal(size=(MEMBERS, WINDOWS, len(roots()))), roots())
    order = rng.random((MEMBERS, 1, *((HORIZON, 1) if shuffled == "frames" else (1, LAW.channels))))
    mixed = np.take_along_axis(members, order.argsort(0), 0)
    told = "the change from frame to frame" if shuffled == "frames" else "the difference of channels"
    for what, of in OF_PATHS.items():
        assert spread_of(of, members) == pytest.approx(1.0, abs=0.05), what
    assert spread_of(OF_PATHS[told], mixed) > 1.3
    if shuffled == "frames":
        assert spread_of(OF_PATHS["the sum over the horizon"], mixed) < 0.7
    deviation = np.sqrt((roots() ** 2).sum(0))
    assert expected_crps(mixed, 0.0, deviation) == pytest.approx(expected_crps(members, 0.0, deviation))


def drawn(data, words):
    """Members `(member, window, lead, channel)` of windows kept out of fitting, and the law's mean there."""
    cases = []
    model = fit(data, HORIZON, words=words)
    backtest(model, data, windows=WINDOWS, members=MEMBERS, keep=cases.append, baselines=[])
    last = [data.recordings[case.recording].values[case.origin - 1] for case in cases]
    mean, _ = LAW.conditional(last, HORIZON)
    return np.stack([case.ensemble for case in cases], axis=1).astype(np.float64), mean


def roots():
    """Paths `(lead * channel, lead, channel)` whose products add up to the law's covariance."""
    _, covariance = LAW.conditional(np.zeros(LAW.channels), HORIZON)
    size = HORIZON * LAW.channels
    return np.linalg.cholesky(covariance.reshape(size, size)).T.reshape(size, HORIZON, LAW.channels)


def expected_crps(ensemble, mean, deviation):
    """Of truths from N(mean, deviation^2): E|x - y| by closed form, less half the distance of two members."""
    distance = crps_normal(mean, deviation, ensemble) + deviation / np.sqrt(np.pi)
    center = np.broadcast_to(mean, ensemble.shape[1:])
    half_spread = np.abs(ensemble - center).mean(0) - crps(ensemble, center)
    return (distance.mean(0) - half_spread).mean()


def expected_coverage(ensemble, mean, deviation):
    """How often the central 90 % interval holds truths from N(mean, deviation^2)."""
    low, high = central_interval(ensemble)
    return (ndtr((high - mean) / deviation) - ndtr((low - mean) / deviation)).mean()


def spread_of(of, ensemble):
    """Standard deviation of something linear in a path among members, over the law's, on average."""
    exact = (of(roots()) ** 2).sum(0)
    return np.sqrt(of(ensemble).var(0, ddof=1).mean(0) / exact).mean()
