"""Schedules against their published formulas, autograd, and each other."""

import math

import pytest
import torch
from scipy import integrate

from rheos.process.schedule import (
    EDM,
    SCHEDULES,
    CondOT,
    Cosine,
    CosineRate,
    Follmer,
    Interpolant,
    KineticOptimal,
    Linear,
    SubVP,
    VarianceExploding,
)

ALL = [
    *(schedule() for schedule in SCHEDULES),
    Cosine(offset=0.0),
    Linear(beta_end=10.0),
    EDM(rho=3.0),
    Follmer(spread=0.4),
    Interpolant(latent=0.3),
    Interpolant(start=0.7, latent=1.4),
    Interpolant(start=1.0, latent=0.0),
    SubVP(beta_end=5.0),
    CosineRate(end=0.05, offset=0.0),
    VarianceExploding(sigma_min=0.1, sigma_max=50.0),
    KineticOptimal(gain=(1.0, 0.8, 0.3, 0.5, 0.01), deviation=0.7),
]
INNER = torch.linspace(0.001, 0.995, 200, dtype=torch.float64)
ENDS = torch.tensor([0.0, 1.0], dtype=torch.float64)
name = pytest.mark.parametrize("schedule", ALL, ids=repr)


@name
def test_data_is_exactly_clean_at_zero(schedule):
    assert float(schedule.alpha(ENDS)[0]) == 1.0
    assert float(schedule.sigma(ENDS)[0]) == 0.0
    assert float(schedule.log_snr(ENDS)[0]) == torch.inf


@name
def test_derivatives_agree_with_autograd(schedule):
    t = INNER.clone().requires_grad_()
    for function, derivative in ((schedule.alpha, schedule.d_alpha), (schedule.sigma, schedule.d_sigma)):
        value = function(t)
        exact = torch.autograd.grad(value.sum(), t)[0] if value.requires_grad else torch.zeros_like(t)
        torch.testing.assert_close(derivative(INNER), exact, rtol=1e-10, atol=1e-10)


@name
def test_time_at_inverts_log_snr(schedule):
    t = torch.linspace(schedule.t_min, schedule.t_max, 500, dtype=torch.float64)
    assert (schedule.time_at(schedule.log_snr(t)) - t).abs().max() < 1e-10
    assert float(schedule.time_at(torch.tensor(torch.inf, dtype=torch.float64))) == pytest.approx(
        0, abs=1e-15
    )


@name
def test_log_snr_falls_and_is_finite_where_networks_are_asked(schedule):
    t = torch.linspace(schedule.t_min, schedule.t_max, 500, dtype=torch.float64)
    level = schedule.log_snr(t)
    assert schedule.monotone
    assert torch.isfinite(level).all()
    assert (level.diff() < 0).all()
    torch.testing.assert_close(level, torch.log(schedule.alpha(t) ** 2 / schedule.sigma(t) ** 2))


@name
def test_nothing_is_nan_at_the_ends(schedule):
    for function in (
        schedule.alpha, schedule.sigma, schedule.d_alpha, schedule.d_sigma, schedule.log_snr
    ):  # fmt: skip
        assert not function(ENDS).isnan().any()


@pytest.mark.parametrize("schedule", [Cosine(), Cosine(offset=0.0), Cosine(offset=0.5), Linear()], ids=repr)
def test_variance_is_preserved(schedule):
    torch.testing.assert_close(
        schedule.alpha(INNER) ** 2 + schedule.sigma(INNER) ** 2, torch.ones_like(INNER), rtol=1e-13, atol=0
    )


@pytest.mark.parametrize("offset", [0.0, 0.008, 0.5])
def test_the_cosine_stops_before_its_signal_vanishes(offset):
    schedule = Cosine(offset=offset)
    assert float(schedule.alpha(torch.tensor(schedule.t_max, dtype=torch.float64))) >= 1e-3


def test_cosine_is_the_published_discrete_schedule():
    """abar_i = prod(1 - beta_i), beta_i = clip(1 - f(u_{i+1})/f(u_i), 0, .999), u_i = i/N."""
    steps, s = 1000, 0.008
    u = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    abar = torch.cumprod(1 - (1 - f[1:] / f[:-1]).clamp(0, 0.999), 0)
    # Only the very last beta is clipped.
    torch.testing.assert_close(Cosine().alpha(u[1:-1]) ** 2, abar[:-1], rtol=1e-9, atol=1e-15)


def test_linear_integrates_its_noise_rate():
    schedule = Linear()
    for t in (0.01, 0.3, 1.0):
        spent = integrate.quad(lambda u: 0.1 + u * 19.9, 0, t)[0]
        signal = float(schedule.alpha(torch.tensor(t, dtype=torch.float64)))
        assert signal == pytest.approx(math.exp(-spent / 2), rel=1e-12)
    assert float(schedule.alpha(ENDS)[1]) == pytest.approx(6.6e-3, rel=1e-2)


def test_a_uniform_grid_is_the_karras_grid():
    """sigma_i = (smax^(1/rho) + i/(N-1) (smin^(1/rho) - smax^(1/rho)))^rho, equation 5 of the paper."""
    schedule = EDM()
    t = torch.linspace(schedule.t_max, schedule.t_min, 18, dtype=torch.float64)
    i = torch.arange(18, dtype=torch.float64)
    low, high = 0.002 ** (1 / 7), 80.0 ** (1 / 7)
    torch.testing.assert_close(schedule.sigma(t), (high + i / 17 * (low - high)) ** 7, rtol=1e-12, atol=0)


def test_conditional_optimal_transport_goes_straight():
    torch.testing.assert_close(CondOT().alpha(INNER) + CondOT().sigma(INNER), torch.ones_like(INNER))
    assert torch.equal(CondOT().sigma(INNER), INNER)


def moments(drift, squared_diffusion, t):
    """Mean and variance at t of dx = drift(t) x dt + g dw from x_0 = 1, by another package."""
    solved = integrate.solve_ivp(
        lambda s, y: [drift(s) * y[0], 2 * drift(s) * y[1] + squared_diffusion(s)],
        (0, t), [1.0, 0.0], rtol=1e-11, atol=1e-13,
    ).y[:, -1]  # fmt: skip
    return solved[0], solved[1]


def beta(t):
    return 0.1 + t * 19.9


def spent(t):
    return 0.1 * t + 19.9 * t**2 / 2


@pytest.mark.parametrize(
    ("schedule", "drift", "squared_diffusion"),
    [
        (Linear(), lambda t: -beta(t) / 2, beta),
        (SubVP(), lambda t: -beta(t) / 2, lambda t: beta(t) * (1 - math.exp(-2 * spent(t)))),
        (
            VarianceExploding(sigma_max=50.0),
            lambda t: 0.0,
            lambda t: (0.01 * 5000**t) ** 2 * 2 * math.log(5000),
        ),
    ],
    ids=["vp", "sub_vp", "ve"],
)
@pytest.mark.parametrize("t", [0.01, 0.3, 1.0])
def test_published_equations_have_these_moments(schedule, drift, squared_diffusion, t):
    mean, variance = moments(drift, squared_diffusion, t)
    time = torch.tensor(t, dtype=torch.float64)
    assert float(schedule.alpha(time)) == pytest.approx(mean, rel=1e-8)
    assert float(schedule.sigma(time)) ** 2 == pytest.approx(variance, rel=1e-7)


@pytest.mark.parametrize(("end", "offset"), [(0.005, 0.008), (0.02, 0.3)])
def test_the_cosine_rate_is_the_published_reversion(end, offset):
    """alpha_i = exp(-sum_j<=i theta_j dt), theta = 1 - f/f(0), dt = -log(end) / sum theta, many steps."""
    u = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    f = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    spent = torch.cat((torch.zeros(1).double(), torch.cumulative_trapezoid(1 - f / f[0], u)))
    schedule = CosineRate(end=end, offset=offset)
    torch.testing.assert_close(schedule.alpha(u), torch.exp(math.log(end) * spent / spent[-1]), rtol=1e-8,
                               atol=0)  # fmt: skip
    total = schedule.alpha(u) ** 2 + schedule.sigma(u) ** 2
    torch.testing.assert_close(total, torch.ones_like(u), rtol=1e-13, atol=0)


def test_less_than_preserving_has_less_noise_and_the_same_end():
    assert (SubVP().sigma(INNER) < Linear().sigma(INNER)).all()
    assert float(SubVP().sigma(ENDS)[1]) == pytest.approx(1.0, abs=1e-4)


def test_exploding_noise_reaches_its_end_and_must_grow():
    assert float(VarianceExploding().sigma(ENDS)[1]) == pytest.approx(80.0, rel=1e-7)
    t = torch.tensor(VarianceExploding(sigma_min=0.5).t_min, dtype=torch.float64)
    assert float(VarianceExploding(sigma_min=0.5).sigma(t)) == pytest.approx(0.1, rel=1e-12)
    with pytest.raises(ValueError, match="above sigma_min"):
        VarianceExploding(sigma_min=1.0, sigma_max=0.5)
