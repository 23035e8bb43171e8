"""The Follmer forecaster: its interpolant, its stochastic equation, one law for any solver."""

import pytest
import torch
from scipy import integrate

from rheos.core.context import Context
from rheos.denoise import GaussianOracle
from rheos.process import FollmerForecaster, Process
from rheos.process.coordinates import Bridge
from rheos.process.schedule import Follmer
from rheos.sample import probe
from rheos.sample.grid import LogSNR
from rheos.sample.preset import Preset
from rheos.sample.solver import DDIM, DPMpp2M, Exponential

F64 = torch.float64
START, MEAN, VARIANCE = 0.5, 1.2, 0.4
CONTEXT = Context(anchor=torch.full((1, 1, 1), START, dtype=F64))


def at(value):
    return torch.tensor(value, dtype=F64)


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize("spread", [1.0, 0.3])
@pytest.mark.parametrize("r", [0.1, 0.5, 0.9])
def test_what_is_seen_is_the_published_interpolant(r, spread):
    """x_r = (1 - r) x_c + r^2 x_n + spread (1 - r) W_r with W_r = sqrt(r) z."""
    process = FollmerForecaster(schedule=Follmer(spread=spread)).build(anchored=True)
    x_n, x_c, z = number(1, 2, 3, 2), number(2, 2, 3, 2), number(3, 2, 3, 2)
    context, t = Context(anchor=x_c), torch.tensor(1 - r, dtype=F64)
    seen = process.coordinates.to_seen(process.diffuse(process.canonical(x_n, context), t, z), t, context)
    expected = (1 - r) * x_c + r**2 * x_n + spread * (1 - r) * r**0.5 * z
    torch.testing.assert_close(seen, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spread", [1.0, 0.5])
def test_its_stochastic_equation_goes_from_the_point_to_the_law(spread):
    """dX = b dr + spread (1 - r) dW from X_0 = x_c: the moments end at those of x_n.

    b = E[-x_c + 2 r x_n - spread W_r | x_r] by the oracle's own answer, which is affine in x.
    """
    process = Process(Follmer(spread=spread), Bridge())
    oracle = GaussianOracle(at([MEAN]), at([[VARIANCE]]), process)

    def drift(x, r):
        t = torch.tensor(1 - r, dtype=F64)
        seen = torch.tensor(x, dtype=F64).reshape(1, 1, 1)
        answer = float(oracle(process.coordinates.to_canonical(seen, t, CONTEXT), t).mean)
        noise = (x - (1 - r) * START - r**2 * answer) / (1 - r)
        return -START + 2 * r * answer - noise

    def moments(r, y):
        slope = drift(y[0] + 1.0, r) - drift(y[0], r)
        return [drift(y[0], r), 2 * slope * y[1] + (spread * (1 - r)) ** 2]

    def exact(r):
        mean = (1 - r) * START + r**2 * MEAN
        return [mean, r**4 * VARIANCE + (spread * (1 - r)) ** 2 * r]

    first, last = 1e-6, 1 - 1e-6
    found = integrate.solve_ivp(moments, (first, last), exact(first), method="LSODA", rtol=1e-12, atol=1e-13)
    assert found.y[:, -1].tolist() == pytest.approx(exact(last), abs=1e-8)
    # What is left at the ends is what was cut off there.
    assert exact(last) == pytest.approx([MEAN, VARIANCE], abs=1e-5)
    # No singular start: b(0) = -x_c.
    assert drift(START, 1e-12) == pytest.approx(-START, abs=1e-9)


@pytest.mark.parametrize("spread", [1.0, 0.5])
@pytest.mark.parametrize("r", [0.1, 0.5, 0.9])
def test_the_score_follows_from_the_drift_alone(r, spread):
    """s = -E[W] / (q r), E[W] = (c' (x - a x_c) - c (b - a' x_c)) / (c' q - c q'): the exact score."""
    t, x = torch.tensor(1 - r, dtype=F64), 0.8
    oracle = GaussianOracle(at([MEAN]), at([[VARIANCE]]), Process(Follmer(spread=spread), Bridge()))
    answer = oracle(Bridge().to_canonical(torch.full((1, 1, 1), x, dtype=F64), t, CONTEXT), t).mean
    a, c, q, d_a, d_c, d_q = 1 - r, r**2, spread * (1 - r), -1.0, 2 * r, -spread
    w = (x - a * START - c * float(answer)) / q
    b = d_a * START + d_c * float(answer) + d_q * w
    found = -(d_c * (x - a * START) - c * (b - d_a * START)) / (d_c * q - c * d_q) / (q * r)
    exact = -(x - a * START - c * MEAN) / (c**2 * VARIANCE + q**2 * r)
    assert found == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(
    "solver",
    [DDIM(), DDIM(eta=1.0), Exponential(order=3), Exponential(order=2, eta=1.0), DPMpp2M()],
    ids=repr,
)
def test_every_amount_of_noise_on_the_way_draws_the_law(solver):
    process = Process(Follmer(), Bridge())
    oracle = GaussianOracle(at([MEAN]), at([[VARIANCE]]), process)
    preset = Preset(solver=solver, grid=LogSNR(highest=1e5, lowest=1e-4), evaluations=600)
    law = probe(oracle, (1, 1), context=CONTEXT, preset=preset)
    error = max(abs(float(law.mean) - MEAN), abs(float(law.covariance) - VARIANCE))
    assert error < (2e-2 if isinstance(solver, DDIM) else 5e-4)


def test_it_starts_at_the_state_that_is_known():
    schedule, last = Follmer(), torch.tensor(Follmer().t_max, dtype=F64)
    assert float(schedule.sigma(last)) < 0.032
    assert float(schedule.alpha(last) / schedule.sigma(last)) < 4e-5
    x = Bridge().to_seen(torch.zeros(1, 1, 1, dtype=F64), last, CONTEXT)
    assert float(x) == pytest.approx(START, abs=1e-3)
