"""Both ends of a two-sided interpolant: what the network sees, the minimizer, history and missing entries."""

import pytest
import torch
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.denoise import EndsDenoiser, EndsObjective
from rheos.process import Process, TwoSided

F64 = torch.float64


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Linear(nn.Module):
    """Answers a x + b for the difference and c x + d for the noise, and remembers what it saw."""

    def __init__(self, weights=(0.0, 0.0, 0.0, 0.0)):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=F64))

    def forward(self, x, level, context):
        self.seen, self.level = x, level
        a, b, c, d = self.weights
        first, second = x.chunk(2, 2)
        return torch.cat((a * first + b, c * second + d), 2)


class Fixed(TwoSided):
    """All clips at one time: what is learned there is one regression."""

    def field(self, t, frames, context):
        return super().field(torch.full_like(t, 0.3), frames, context)


def test_the_network_sees_the_clip_twice_and_how_far_it_is():
    network = Linear((0.5, 1.0, -0.3, 0.2))
    x, t = number(0, 2, 3, 2), torch.tensor([[0.0, 0.2, 1.0]], dtype=F64)
    ends = EndsDenoiser(network, TwoSided())(x, t)
    assert torch.equal(network.seen, torch.cat((x, x), 2))
    expected = torch.tensor([20.0, 2 * torch.log(torch.tensor(4.0)), -20.0], dtype=F64).expand(2, 3)
    torch.testing.assert_close(network.level, expected)
    torch.testing.assert_close(ends.difference, 0.5 * x + 1.0)
    torch.testing.assert_close(ends.noise, -0.3 * x + 0.2)


def test_training_leads_to_both_posterior_means():
    """x_a ~ N(1, .5), x_b ~ N(-2, 2) of covariance .6: the regression of (x_a - x_b, z) on x_t, t = .3."""
    rows, process = 200_000, Fixed(latent=1.2)
    w = number(1, 2, rows, 1, 1)
    start = 1.0 + 0.5**0.5 * w[0]
    x0 = -2.0 + 0.6 / 0.5**0.5 * w[0] + (2.0 - 0.6**2 / 0.5) ** 0.5 * w[1]
    t, gamma = 0.3, 1.2 * (0.3 * 0.7) ** 0.5
    total = 0.49 * 2.0 + 0.09 * 0.5 + 2 * 0.21 * 0.6 + gamma**2
    a, c = (t * 0.5 - 0.7 * 2.0 + 0.4 * 0.6) / total, gamma / total
    center = 0.3 * 1.0 - 0.7 * 2.0
    exact = torch.tensor([a, 3.0 - a * center, c, -c * center], dtype=F64)
    denoiser = EndsDenoiser(Linear(exact.tolist()), process)
    loss = EndsObjective()(denoiser, x0, Context(), Key.of(0, rows), start).mean()
    (slope,) = torch.autograd.grad(loss, denoiser.network.weights, create_graph=True)
    curve = torch.stack(
        [torch.autograd.grad(one, denoiser.network.weights, retain_graph=True)[0] for one in slope]
    )
    # One Newton step to the minimum of a quadratic: where the exact answer is, to five standard errors.
    away = torch.linalg.solve(curve, slope)
    assert float(away.detach().abs().max()) < 5 * 2 / rows**0.5
    other = EndsDenoiser(Linear((exact + 0.05).tolist()), process)
    assert float(EndsObjective()(other, x0, Context(), Key.of(0, rows), start).mean()) > float(loss)


def test_times_are_uniform_and_steps_differ():
    seen = []

    class Watching(TwoSided):
        def field(self, t, frames, context):
            seen.append(t)
            return t

    start, x0 = number(1, 8, 2, 1), number(2, 8, 2, 1)
    denoiser = EndsDenoiser(Linear(), Watching())
    losses = [EndsObjective()(denoiser, x0, Context(), Key.of(0, 8).at(0, step), start) for step in (0, 0, 1)]
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])
    assert sorted((8 * seen[0]).floor().tolist()) == list(range(8))


def test_clean_history_and_missing_entries_count_for_nothing():
    start, x0 = number(1, 4, 3, 2), number(2, 4, 3, 2)
    mask = torch.ones_like(x0)
    mask[:, 2, 1] = 0.0
    context = Context(history_frames=1, mask=mask)
    denoiser, key = EndsDenoiser(Linear((0.4, 1.0, 0.2, 0.1)), TwoSided()), Key.of(3, 4)
    loss = EndsObjective()(denoiser, x0, context, key, start)
    assert torch.equal(denoiser.network.level[:, 0], torch.full((4,), 20.0, dtype=F64))
    worse = x0.clone()
    worse[:, 2, 1] = torch.nan
    elsewhere = start.clone()
    elsewhere[:, 0] = 100.0
    assert torch.equal(EndsObjective()(denoiser, worse, context, key, elsewhere), loss)
    # A mean over the three entries that count: with both answers 0, their squares and those of the noise.
    silent = EndsDenoiser(Linear(), TwoSided())
    z = key.at(4).normal((3, 2), F64)
    squares = ((start - x0).square() + z.square())[:, 1:].flatten(1)[:, [0, 1, 2]].mean(1)
    torch.testing.assert_close(EndsObjective()(silent, x0, context, key, start), squares)
    drawn = Context(history_frames=1, mask=torch.ones_like(x0), counted=mask)
    torch.testing.assert_close(EndsObjective()(silent, x0, drawn, key, start), squares)


def test_one_sided_processes_are_refused():
    with pytest.raises(IncompatibleError, match="one end"):
        EndsDenoiser(Linear(), Process())
