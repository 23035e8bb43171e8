"""Two-sided interpolants: their formula, noise and its integrals, and one law for every diffusion."""

import math

import pytest
import torch
from pydantic import ValidationError
from scipy import integrate

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.process import TwoSided

F64 = torch.float64
EVERY = [TwoSided(gamma=word, latent=c) for word in ("brownian", "parabola", "sine") for c in (1.0, 1.3)]
name = pytest.mark.parametrize("process", EVERY, ids=repr)
INNER = torch.linspace(0.01, 0.99, 99, dtype=F64)


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize(
    ("word", "published"),
    [
        ("brownian", lambda r: math.sqrt(2 * r * (1 - r))),
        ("parabola", lambda r: math.sqrt(2) * r * (1 - r)),
        ("sine", lambda r: math.sqrt(2) * math.sin(math.pi * r) ** 2),
    ],
)
@pytest.mark.parametrize("r", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_what_is_on_the_way_is_the_published_interpolant(word, published, r):
    process = TwoSided(gamma=word, latent=math.sqrt(2))
    x_a, x_b, z = number(1, 2, 3, 2), number(2, 2, 3, 2), number(3, 2, 3, 2)
    found = process.join(x_a, x_b, torch.tensor(1 - r, dtype=F64), z)
    expected = (1 - r) * x_a + r * x_b + published(r) * z
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@name
def test_noise_is_none_at_the_ends_and_its_slope_is_the_derivative(process):
    assert process.level(torch.tensor([0.0, 1.0], dtype=F64)).tolist() == [0.0, 0.0]
    t = INNER.clone().requires_grad_()
    slope = torch.autograd.grad(process.level(t).sum(), t)[0]
    torch.testing.assert_close(process.d_level(INNER), slope, rtol=1e-10, atol=1e-10)


@name
def test_noise_is_renewed_at_the_rate_of_one_over_its_variance(process):
    t = INNER.clone().requires_grad_()
    rate = torch.autograd.grad(process.mixing(t).sum(), t)[0]
    torch.testing.assert_close(rate, process.level(INNER) ** -2, rtol=1e-9, atol=1e-9)
    ends = process.mixing(torch.tensor([0.0, 1.0], dtype=F64)).tolist()
    assert ends == [-math.inf, math.inf]


class Gaussian:
    """d = E[x_a - x_b | x_t] and n = E[z | x_t] of Gaussian numbers by conditioning."""

    def __init__(self, process, start, data, together=0.0):
        self.process, self.start, self.data, self.together = process, start, data, together

    def __call__(self, x, t):
        (m_a, v_a), (m_b, v_b), c = self.start, self.data, self.together
        gamma = float(self.process.level(torch.tensor(t, dtype=F64)))
        total = (1 - t) ** 2 * v_b + t**2 * v_a + 2 * t * (1 - t) * c + gamma**2
        away = (x - (1 - t) * m_b - t * m_a) / total
        return m_a - m_b + (t * v_a - (1 - t) * v_b + (1 - 2 * t) * c) * away, gamma * away


def moments(process, oracle, epsilon, towards):
    """Mean and variance at the other end, by another package, from b -+ e s with the process' own b and s."""

    def drift(x, t):
        time = torch.tensor(t, dtype=F64)
        d, n = (torch.tensor([[[part]]], dtype=F64) for part in oracle(x, t))
        b, s = float(process.velocity(d, n, time)), float(process.score(n, time))
        return (b - epsilon(t) * s) if towards == "data" else (b + epsilon(t) * s)

    def slope(t, y):
        steep = drift(y[0] + 1.0, t) - drift(y[0], t)
        renewed = -2 * epsilon(t) if towards == "data" else 2 * epsilon(t)
        return [drift(y[0], t), 2 * steep * y[1] + renewed]

    small = 1e-10
    span, (mean, variance) = (
        ((1 - small, small), oracle.start) if towards == "data" else ((small, 1 - small), oracle.data)
    )
    gamma = float(process.level(torch.tensor(small, dtype=F64)))
    begun = [mean, variance + gamma**2]
    solved = integrate.solve_ivp(slope, span, begun, method="LSODA", rtol=1e-11, atol=1e-13)
    return solved.y[:, -1]


@pytest.mark.parametrize("towards", ["data", "start"])
@pytest.mark.parametrize("together", [0.0, 0.7, -0.5])
@pytest.mark.parametrize(
    "epsilon", [lambda t: 0.0, lambda t: 1.5, lambda t: 4 * t**2 * (1 - t)], ids=["0", "1.5", "of t"]
)
def test_every_diffusion_has_the_same_law(epsilon, together, towards):
    """N(1, .5) to N(-2, 2) and back, gamma^2 = 2 r (1 - r)."""
    process = TwoSided(latent=math.sqrt(2))
    oracle = Gaussian(process, (1.0, 0.5), (-2.0, 2.0), together)
    found = moments(process, oracle, epsilon, towards)
    assert found.tolist() == pytest.approx(oracle.data if towards == "data" else oracle.start, abs=1e-7)


@name
def test_the_score_is_the_gradient_of_the_log_density(process):
    oracle, x = Gaussian(process, (1.0, 0.5), (-2.0, 2.0), 0.3), torch.tensor([[[0.4]]], dtype=F64)
    for t in (0.1, 0.5, 0.8):
        time = torch.tensor(t, dtype=F64)
        total = (1 - t) ** 2 * 2.0 + t**2 * 0.5 + 2 * t * (1 - t) * 0.3 + float(process.level(time)) ** 2
        law = torch.distributions.Normal(*torch.tensor([t - 2.0 * (1 - t), math.sqrt(total)], dtype=F64))
        y = x.clone().requires_grad_()
        gradient = torch.autograd.grad(law.log_prob(y).sum(), y)[0]
        noise = torch.full_like(x, oracle(0.4, t)[1])
        torch.testing.assert_close(process.score(noise, time), gradient, rtol=1e-10, atol=1e-10)


def test_clean_history_has_time_zero():
    field = TwoSided().field(torch.tensor(0.4, dtype=F64), 4, Context(history_frames=2))
    assert field.tolist() == [[0.0, 0.0, 0.4, 0.4]]
    assert TwoSided().field(torch.tensor(0.4, dtype=F64), 4, Context()).ndim == 0


def test_it_has_no_schedule_and_needs_noise():
    for part in ("schedule", "coordinates", "noise"):
        with pytest.raises(IncompatibleError, match="two laws of clips"):
            getattr(TwoSided(), part)
    with pytest.raises(ValidationError):
        TwoSided(latent=0.0)
