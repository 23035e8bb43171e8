"""PFGM++ and the empirical oracle: the flow carries the exact law, and tends to EDM."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import solve_ivp

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.denoise import EmpiricalOracle, GaussianOracle, MixtureOracle
from rheos.process import MeanReverting, PoissonFlow, Process
from rheos.process.noise import OrnsteinUhlenbeck, StudentT, White
from rheos.process.schedule import EDM, CondOT, CosineRate
from rheos.sample import probe, sample
from rheos.sample.grid import LogSNR
from rheos.sample.preset import Preset
from rheos.sample.solver import DDIM, Exponential

F64 = torch.float64


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize("schedule", [EDM(sigma_max=5.0), CondOT()], ids=repr)
def test_the_flow_keeps_the_place_in_the_law(schedule):
    """Data +-1, D = 3: the mixture-of-t distribution function is constant along every path."""
    points = torch.tensor([1.0, -1.0], dtype=F64).reshape(2, 1, 1)
    process = Process(schedule, noise=StudentT(degrees=3.0))
    grid = LogSNR(highest=1e4, lowest=0.05).times(schedule, 1500)
    preset = Preset(solver=Exponential(order=4), grid=grid)
    oracle = EmpiricalOracle(points, process)
    drawn = sample(oracle, (6, 1, 1), key=Key.of(0, 6), preset=preset, dtype=F64, trajectory=True)
    alpha, sigma = schedule.alpha(grid.times), schedule.sigma(grid.times)
    u = drawn.trajectory[:-1, :, 0, 0]
    below = sum(stats.t(3.0).cdf(((u - sign * alpha[:, None]) / sigma[:, None]).numpy()) for sign in (1, -1))
    # The solver's first step, of order one, leaves this much.
    assert abs(below - below[0]).max() < 2e-7
    assert set(drawn.clips.flatten().round(decimals=2).tolist()) <= {1.0, -1.0}


def test_the_published_flow_keeps_the_place_in_the_law_to_rounding():
    """dx/dsigma = (x - D) / sigma from 5 to 0.05 by another package: drift of the distribution function."""
    points = torch.tensor([1.0, -1.0], dtype=F64).reshape(2, 1, 1)
    schedule = EDM(sigma_max=5.0)
    oracle = EmpiricalOracle(points, Process(schedule, noise=StudentT(degrees=3.0)))

    def slope(sigma, x):
        t = schedule.time_at(torch.tensor(-2.0 * math.log(sigma), dtype=F64))
        u = torch.from_numpy(x).reshape(-1, 1, 1)
        return (x - oracle(u, t).mean.flatten().numpy()) / sigma

    starts = np.array([-9.0, -2.0, -0.1, 0.4, 3.0, 20.0])
    ends = solve_ivp(slope, (5.0, 0.05), starts, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]

    def below(x, sigma):
        return sum(stats.t(3.0).cdf((x - point) / sigma) for point in (1.0, -1.0)) / 2

    assert abs(below(ends, 0.05) - below(starts, 5.0)).max() < 1e-10
    assert (abs(abs(ends) - 1.0) < 1.0).all()


def test_the_answer_is_the_published_softmax():
    """softmax_i[-(N + D)/2 log(|x - y_i|^2 + r^2)] . y with r = sigma sqrt(D)."""
    points, u, degrees = number(1, 5, 2, 3), number(2, 4, 2, 3), 7.0
    process, t = (
        Process(EDM(), noise=StudentT(degrees=degrees)),
        torch.tensor([0.3, 0.5, 0.6, 0.9], dtype=F64),
    )
    r = EDM().sigma(t) * degrees**0.5
    distance = (u[:, None] - points).flatten(2).square().sum(2)
    share = torch.softmax(-(6 + degrees) / 2 * torch.log(distance + r[:, None] ** 2), 1)
    expected = torch.einsum("bn,nfc->bfc", share, points)
    torch.testing.assert_close(EmpiricalOracle(points, process)(u, t).mean, expected, rtol=1e-10, atol=1e-12)


def test_a_million_dimensions_are_edm():
    points, u = number(1, 5, 2, 3), number(2, 4, 2, 3)
    heavy = EmpiricalOracle(points, PoissonFlow(noise=StudentT(degrees=1e6)).build())
    plain = EmpiricalOracle(points, Process(EDM()))
    for t in (0.3, 0.6, 0.9):
        time = torch.tensor(t, dtype=F64)
        torch.testing.assert_close(heavy(u, time).mean, plain(u, time).mean, rtol=0, atol=1e-4)
    key = Key.of(1, 4)
    one = sample(heavy, (4, 2, 3), key=key, dtype=F64).clips
    other = sample(plain, (4, 2, 3), key=key, dtype=F64).clips
    torch.testing.assert_close(one, other, rtol=0, atol=2e-2)


@pytest.mark.parametrize("noise", [White(), OrnsteinUhlenbeck()], ids=repr)
def test_points_are_a_mixture_without_width(noise):
    points, u, t = number(1, 5, 2, 3), number(2, 4, 2, 3), torch.tensor(0.4, dtype=F64)
    process = Process(EDM(), noise=noise)
    mixture = MixtureOracle(torch.ones(5, dtype=F64), points, torch.zeros(5, 6, 6, dtype=F64), process)
    torch.testing.assert_close(
        EmpiricalOracle(points, process)(u, t).mean, mixture(u, t).mean, rtol=1e-9, atol=1e-9
    )


def test_what_heavy_tails_do_not_allow_is_said():
    process = PoissonFlow().build()
    with pytest.raises(IncompatibleError, match="Gaussian posterior"):
        GaussianOracle(torch.zeros(2), torch.eye(2), process)
    oracle = EmpiricalOracle(number(1, 3, 2, 1), process)
    with pytest.raises(IncompatibleError, match="without noise"):
        sample(oracle, (1, 2, 1), key=Key.of(0), preset=Preset(solver=DDIM(eta=1.0)))
    with pytest.raises(IncompatibleError, match="Gaussian"):
        probe(oracle, (2, 1))
    for t in (torch.zeros((), dtype=F64), torch.full((1, 2), 0.5, dtype=F64)):
        with pytest.raises(IncompatibleError, match="one time above 0"):
            oracle(number(2, 1, 2, 1), t)


def test_falling_back_to_zero_is_plain_diffusion_bit_for_bit():
    """IR-SDE with mu = 0, lambda = 1; with any other, the same clips scaled and moved."""
    reverting, plain = MeanReverting().build(), Process(CosineRate())
    anchor, scale = number(5, 3, 4, 2), number(6, 3, 4, 2).abs() + 0.5
    key = Key.of(2, 3)
    mean, covariance = number(3, 8), torch.diag(torch.linspace(0.5, 2.0, 8, dtype=F64))

    def drawn(process, context):
        oracle = GaussianOracle(mean, covariance, process)
        return sample(oracle, (3, 4, 2), key=key, context=context, dtype=F64).clips

    base = drawn(plain, Context())
    zero = Context(anchor=torch.zeros_like(anchor), anchor_scale=torch.ones_like(scale))
    assert torch.equal(drawn(reverting, zero), base)
    assert torch.equal(drawn(reverting, Context(anchor=torch.zeros_like(anchor))), base)
    moved = drawn(reverting, Context(anchor=anchor, anchor_scale=scale))
    torch.testing.assert_close((moved - anchor) / scale, base, rtol=1e-10, atol=1e-10)


def test_it_starts_from_the_anchor_and_its_stationary_spread():
    process, key = MeanReverting().build(), Key.of(2, 3)
    anchor, scale = number(5, 3, 4, 2), number(6, 3, 4, 2).abs() + 0.5
    context = Context(anchor=anchor, anchor_scale=scale)
    start = process.read(process.start(context, key, (3, 4, 2), F64), context)
    z = key.normal((4, 2), F64)
    sigma = (1 - 0.005**2) ** 0.5
    torch.testing.assert_close(start, anchor + sigma * scale * z, rtol=1e-10, atol=1e-12)
