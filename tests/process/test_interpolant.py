"""Stochastic interpolants from a known start: their formula, their equations, one law for any noise."""

import math

import pytest
import torch
from pydantic import ValidationError
from scipy import integrate

from rheos.core.context import Context
from rheos.denoise import GaussianOracle
from rheos.process import PROCESSES, DyDiff, Plain, Process, StochasticInterpolant
from rheos.process.coordinates import Anchored
from rheos.process.schedule import CondOT, Interpolant
from rheos.sample import probe
from rheos.sample.grid import LogSNR
from rheos.sample.preset import Preset
from rheos.sample.solver import DDIM, DPMpp2M, Exponential, UniPC

F64 = torch.float64
# The card's own case: N(1, 0.5) to N(-2, 2), gamma^2 = 2 r (1 - r), and epsilon = 1.5 of it.
START, SPREAD, MEAN, VARIANCE = 1.0, 0.5, -2.0, 2.0
ANCHOR = Context(anchor=torch.full((1, 1, 1), START, dtype=F64))
PUBLISHED = Interpolant(start=math.sqrt(SPREAD), latent=math.sqrt(2.0))
POINT = Interpolant(latent=0.8)


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def at(value):
    return torch.tensor(value, dtype=F64)


def time_of(r):
    """The schedule's time at the paper's."""
    return at(2 / math.pi * math.acos(math.sqrt(r)))


def oracle_of(schedule):
    """Of data N(MEAN, VARIANCE): canonical clips are what they are beyond the anchor."""
    process = Process(schedule, Anchored())
    return GaussianOracle(torch.tensor([MEAN - START]), torch.tensor([[VARIANCE]]), process)


@pytest.mark.parametrize("latent", [1.0, 0.3])
@pytest.mark.parametrize("r", [0.0, 0.1, 0.5, 0.9])
def test_what_is_seen_is_the_published_interpolant(r, latent):
    """x_r = (1 - r) x_a + r x_b + gamma z, gamma^2 = (scale latent)^2 r (1 - r), from the anchor."""
    process, t = StochasticInterpolant(schedule=Interpolant(latent=latent)).build(anchored=True), time_of(r)
    x_b, x_a, z = number(1, 2, 3, 2), number(2, 2, 3, 2), number(3, 2, 3, 2)
    context = Context(anchor=x_a, anchor_scale=torch.full((2, 1, 1), 0.7, dtype=F64))
    seen = process.coordinates.to_seen(process.diffuse(process.canonical(x_b, context), t, z), t, context)
    expected = (1 - r) * x_a + r * x_b + 0.7 * latent * math.sqrt(r * (1 - r)) * z
    torch.testing.assert_close(seen, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("r", [0.05, 0.4, 0.95])
def test_a_start_that_spreads_adds_its_own_noise(r):
    """(1 - r) (x_a + start w) + r x_b + gamma z: two noises are one, of the sum of the variances."""
    total = ((1 - r) * PUBLISHED.start) ** 2 + PUBLISHED.latent**2 * r * (1 - r)
    assert float(PUBLISHED.sigma(time_of(r))) ** 2 == pytest.approx(total, rel=1e-13)


def test_without_noise_on_the_way_it_is_conditional_optimal_transport():
    t, plain = torch.linspace(0.01, 0.99, 11, dtype=F64), Interpolant(start=1.0, latent=0.0)
    assert (plain.alpha(t) + plain.sigma(t) - 1.0).abs().max() < 1e-15
    torch.testing.assert_close(plain.log_snr(t), CondOT().log_snr(plain.sigma(t)), rtol=1e-12, atol=1e-12)


def moments(schedule, epsilon, first=1e-9):
    """Mean and variance of dx = (b + epsilon s) dr + sqrt(2 epsilon) dW at r = 1, by another package.

    b and s by the oracle's answers for u_0, which are affine in x.
    """
    oracle = oracle_of(schedule)

    def drift(x, r):
        t = time_of(r)
        u = oracle.process.coordinates.to_canonical(at(x).reshape(1, 1, 1), t, ANCHOR)
        answer, sigma = float(oracle(u, t).mean), float(schedule.sigma(t))
        noise = (float(u) - float(schedule.alpha(t)) * answer) / sigma
        flow = answer + float(schedule.d_sigma(t) / schedule.d_alpha(t)) * noise
        return flow - epsilon(r) * noise / sigma

    def slope(r, y):
        steep = drift(y[0] + 1.0, r) - drift(y[0], r)
        return [drift(y[0], r), 2 * steep * y[1] + 2 * epsilon(r)]

    spread = first**2 * VARIANCE + float(schedule.sigma(time_of(first))) ** 2
    begun = [START + first * (MEAN - START), spread]
    return integrate.solve_ivp(slope, (first, 1 - first), begun, method="LSODA", rtol=1e-11, atol=1e-13).y[
        :, -1
    ]


@pytest.mark.parametrize(
    "epsilon",
    [lambda r: 0.0, lambda r: 1.5, lambda r: 3.0 * r * (1 - r)],
    ids=["ode", "1.5", "3 r (1 - r)"],
)
def test_any_diffusion_goes_from_the_start_to_the_law(epsilon):
    mean, variance = moments(PUBLISHED, epsilon)
    assert mean == pytest.approx(MEAN, abs=1e-7)
    assert variance == pytest.approx(VARIANCE, abs=1e-7)


def test_the_ordinary_equation_in_the_limit_of_the_solver():
    """A deviation shrinks by sqrt((c + S_min^2) / (c + S_max^2)), and the last answer is a mean."""
    schedule = POINT
    ends = torch.tensor([schedule.t_min, schedule.t_max], dtype=F64)
    low, high = torch.exp(-schedule.log_snr(ends)).tolist()
    shrink = math.sqrt((VARIANCE + low) / (VARIANCE + high)) * VARIANCE / (VARIANCE + low)
    preset = Preset(solver=Exponential(order=4), grid=LogSNR(highest=1e9, lowest=1e-9), evaluations=1000)
    law = probe(oracle_of(schedule), (1, 1), context=ANCHOR, preset=preset)
    assert float(law.mean) == pytest.approx(MEAN - shrink * (MEAN - START), abs=1e-8)
    assert float(law.covariance) == pytest.approx(shrink**2 * high, abs=1e-8)
    # Which is the data's law but for noise of 0.002 at the end and a signal of 1e-4 at the start.
    assert shrink**2 * high == pytest.approx(VARIANCE, rel=1e-5)


@pytest.mark.parametrize("schedule", [POINT, PUBLISHED], ids=repr)
@pytest.mark.parametrize(
    "solver",
    [DDIM(), DDIM(eta=1.0), Exponential(order=3), Exponential(order=2, eta=1.0), DPMpp2M(), UniPC()],
    ids=repr,
)
def test_every_amount_of_noise_on_the_way_draws_the_law(solver, schedule):
    preset = Preset(solver=solver, grid=LogSNR(highest=300.0, lowest=2e-3), evaluations=300)
    law = probe(oracle_of(schedule), (1, 1), context=ANCHOR, preset=preset)
    error = max(abs(float(law.mean) - MEAN), abs(float(law.covariance) - VARIANCE))
    assert error < (8e-2 if isinstance(solver, DDIM) else 3e-3)


def test_it_starts_at_the_anchor():
    last = at(POINT.t_max)
    assert float(POINT.sigma(last)) < 1e-3
    x = Anchored().to_seen(torch.zeros(1, 1, 1, dtype=F64), last, ANCHOR)
    assert float(x) == START


def test_any_process_with_a_schedule_takes_it():
    for recipe in (Plain, DyDiff):
        assert recipe(schedule=POINT).build(anchored=True).schedule == POINT
    assert StochasticInterpolant in PROCESSES


def test_a_point_without_noise_is_refused():
    with pytest.raises(ValidationError, match="one future"):
        Interpolant(start=0.0, latent=0.0)
