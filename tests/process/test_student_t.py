"""Student-t noise: its law, its density, its Gaussian limit, one scale a clip."""

import pytest
import torch
from scipy import stats

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.process.noise import StudentT, White

KEY = Key.of(4, 20_000)
SHAPE = (2, 3)


def draws(degrees, shape=SHAPE):
    return StudentT(degrees=degrees).draw(KEY, shape, Context(), torch.float64)


@pytest.mark.parametrize("degrees", [1.0, 3.0, 128.0])
def test_every_entry_follows_the_t_law_and_the_radius_its_own(degrees):
    z = draws(degrees).flatten(1)
    for entry in (0, 5):
        assert stats.kstest(z[:, entry].numpy(), stats.t(degrees).cdf).pvalue > 0.01
    # |z|^2 / n is a ratio of mean squares only if all entries share one scale.
    radius = z.square().mean(1).numpy()
    assert stats.kstest(radius, stats.f(6, degrees).cdf).pvalue > 0.01


@pytest.mark.parametrize("degrees", [1.0, 3.5, 200.0])
def test_the_density_is_scipys(degrees):
    z = draws(degrees)[:50]
    law = stats.multivariate_t(shape=torch.eye(6).numpy(), df=degrees)
    expected = torch.from_numpy(law.logpdf(z.flatten(1).numpy()))
    torch.testing.assert_close(
        StudentT(degrees=degrees).log_prob(z, Context()), expected, rtol=1e-9, atol=1e-9
    )


def test_the_gradient_of_its_kernel_is_the_published_field():
    """d log p_r / dx = -(N + D)(x - x_0) / (|x - x_0|^2 + r^2), r = sigma sqrt(D)."""
    degrees, sigma = 5.0, 0.7
    x = draws(3.0)[:4].requires_grad_()
    gradient = torch.autograd.grad(StudentT(degrees=degrees).log_prob(x / sigma, Context()).sum(), x)[0]
    squared = x.flatten(1).square().sum(1)[:, None, None] + sigma**2 * degrees
    torch.testing.assert_close(gradient, -(6 + degrees) * x / squared, rtol=1e-10, atol=1e-12)


def test_many_degrees_are_white_noise():
    white = White().draw(KEY, SHAPE, Context(), torch.float64)
    torch.testing.assert_close(draws(1e6), white, rtol=6e-3, atol=0)
    near = StudentT(degrees=1e6).log_prob(white[:9], Context())
    torch.testing.assert_close(near, White().log_prob(white[:9], Context()), rtol=0, atol=1e-3)


def test_scales_differ_between_steps_and_do_not_follow_the_numbers():
    noise, white = StudentT(degrees=3.0), White()
    scales = []
    for step in (0, 1):
        key = KEY.at(Purpose.NOISE, step)
        ratio = noise.draw(key, (4,), Context(), torch.float64) / key.normal((4,), torch.float64)
        torch.testing.assert_close(ratio, ratio[:, :1].expand(-1, 4))
        scales.append(ratio[:, 0])
        plain = white.draw(key, (4,), Context(), torch.float64).abs().mean(1)
        assert abs(float(torch.corrcoef(torch.stack((ratio[:, 0].log(), plain)))[0, 1])) < 0.03
    assert abs(float(torch.corrcoef(torch.stack(scales).log())[0, 1])) < 0.03
    assert not noise.gaussian
