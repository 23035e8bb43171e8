"""Paths of frames at their own pace: tables by hand, and one exact law whatever the path."""

import pytest
import torch

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.denoise import GaussianOracle
from rheos.process import Process
from rheos.process.coordinates import FrameMixing
from rheos.process.noise import OrnsteinUhlenbeck, White
from rheos.process.schedule import EDM, CondOT
from rheos.sample import probe, sample
from rheos.sample.correction import CORRECTIONS
from rheos.sample.course import time_fields
from rheos.sample.grid import LogSNR, TimeGrid
from rheos.sample.path import PATHS, FrameByFrame, Pyramid, Rolling, Synchronous
from rheos.sample.preset import Preset
from rheos.sample.solver import DDIM, DPMpp2M, Exponential, Heun

F64 = torch.float64
FRAMES, HISTORY = 4, 1
LAG = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().double()
DATA = 1.4 * 0.7**LAG
MEAN = torch.tensor([0.3, -0.5, 1.0, 0.2], dtype=F64)
PAST = torch.tensor([1.1], dtype=F64)
GIVEN = Context(history_frames=HISTORY, history=PAST.reshape(1, 1, 1))
WAITING = [Pyramid(behind=3), Rolling(window=2), FrameByFrame()]
WIDE = EDM(sigma_max=1e4)
FULL = EDM(sigma_min=1e-4, sigma_max=1e8)
"""So wide a range that what it leaves out is some 1e-8."""


def test_a_pyramid_by_hand():
    times = torch.tensor([0.9, 0.5, 0.2], dtype=F64)
    field = time_fields(TimeGrid(torch.tensor([0.9999, 0.5, 0.2])), 4, GIVEN.history_frames, Pyramid())
    a, b, c, o = 0.9999, 0.5, 0.2, 0.0
    expected = [[a, a, a], [b, a, a], [c, b, a], [o, c, b], [o, o, c], [o, o, o]]
    torch.testing.assert_close(field[:, 0, 1:], torch.tensor(expected, dtype=F64), rtol=1e-7, atol=0)
    assert (field[:, 0, 0] == 0).all()
    whole = Pyramid().fields(torch.cat((times, torch.zeros(1).double())), 0, 2)[:, 0]
    assert whole.tolist() == [[0.9, 0.9], [0.5, 0.9], [0.2, 0.5], [0.0, 0.2], [0.0, 0.0]]


def test_how_long_frames_wait():
    assert [path.delay(12) for path in (Synchronous(), Pyramid(behind=2), Pyramid(behind=50))] == [0, 2, 12]
    assert [Rolling(window=w).delay(12) for w in (1, 4, 5, 12)] == [12, 3, 3, 1]
    assert FrameByFrame().delay(12) == 12
    assert Rolling(window=1).delay(7) == FrameByFrame().delay(7)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_window_holds_no_more_frames_than_it_says(window):
    times = torch.cat((torch.linspace(1.0, 0.1, 7, dtype=F64), torch.zeros(1, dtype=F64)))
    field = Rolling(window=window).fields(times, 0, 6)[:, 0]
    assert int(((field > 0) & (field < 1)).sum(1).max()) <= window
    assert (field.diff(dim=0) <= 0).all()
    assert (field.diff(dim=1) >= 0).all()


def test_every_path_is_tried_here():
    assert {type(path) for path in WAITING} | {Synchronous} == set(PATHS)


def in_the_limit(oracle, path, context):
    """Mean and covariance, the fourth-order error taken to its limit by Richardson's rule."""
    laws = []
    for evaluations in (180, 360):
        preset = Preset(
            solver=Exponential(order=4),
            grid=LogSNR(highest=1e8, lowest=1e-4),
            evaluations=evaluations,
            path=path,
        )
        law = probe(oracle, (FRAMES, 1), preset=preset, context=context)
        assert law.evaluations == evaluations + path.delay(evaluations) * (
            FRAMES - 1 - context.history_frames
        )
        laws.append(torch.cat((law.mean[None], law.covariance)))
    limit = (16 * laws[1] - laws[0]) / 15
    return limit[0], limit[1:]


@pytest.mark.parametrize("noise", [White(), OrnsteinUhlenbeck()], ids=repr)
@pytest.mark.parametrize("path", WAITING, ids=lambda p: p.name())
def test_every_path_draws_the_exact_law(path, noise):
    """Whole clips from noise, and futures given a clean history; mixing coordinates change nothing."""
    oracle = GaussianOracle(MEAN, DATA, Process(FULL, FrameMixing(), noise))
    mean, covariance = in_the_limit(oracle, path, Context())
    torch.testing.assert_close(mean, MEAN, rtol=0, atol=2e-7)
    torch.testing.assert_close(covariance, DATA, rtol=0, atol=2e-7)
    gain = DATA[1:, :1] / DATA[0, 0]
    mean, covariance = in_the_limit(oracle, path, GIVEN)
    torch.testing.assert_close(mean[1:], MEAN[1:] + gain[:, 0] * (PAST - MEAN[0]), rtol=0, atol=2e-7)
    rest = DATA[1:, 1:] - gain @ DATA[:1, 1:]
    torch.testing.assert_close(covariance[1:, 1:], rest, rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    "solver", [DDIM(), DDIM(eta=1.0), Heun(), DPMpp2M(), Exponential(order=2, eta=1.0)], ids=repr
)
def test_every_kind_of_solver_waits(solver):
    """Twice the steps, at most the error a first-order solver would have."""
    oracle = GaussianOracle(MEAN, DATA, Process(WIDE))
    errors = []
    for evaluations in (60, 240):
        grid = LogSNR(highest=1e5, lowest=1e-3)
        preset = Preset(solver=solver, grid=grid, evaluations=evaluations, path=Rolling(window=2))
        law = probe(oracle, (FRAMES, 1), preset=preset)
        errors.append(float((law.covariance - DATA).abs().max()))
    assert errors[1] < 0.1
    assert errors[0] / errors[1] > 2.5 or errors[1] < 2e-3


def test_all_frames_together_are_the_usual_call_bit_for_bit():
    oracle = GaussianOracle(MEAN, DATA, Process(CondOT()))
    choice = {"key": Key.of(0, 3), "context": GIVEN.repeat(3), "dtype": F64}
    usual = sample(oracle, (3, FRAMES, 1), **choice).clips
    named = sample(oracle, (3, FRAMES, 1), preset=Preset(path=Synchronous()), **choice).clips
    assert torch.equal(usual, named)


@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda c: c.name())
def test_corrections_need_one_time(correction):
    with pytest.raises(ValueError, match="one time"):
        Preset(corrections=(correction(),), path=FrameByFrame())
