"""The light bridge: of Gaussians in closed form, its drift by quadrature, its plan by sampling."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.denoise import LightBridge
from rheos.sample import Preset, probe, sample
from rheos.sample.grid import LogSNR, Uniform
from rheos.sample.solver import Ancestral, DPMpp2M, Exponential

F64 = torch.float64
MIXED = LightBridge(
    0.3,
    torch.tensor([0.2, 0.5, 0.3], dtype=F64).log(),
    torch.tensor([[-1.5], [0.2], [1.0]], dtype=F64),
    torch.tensor([[0.5], [1.4], [0.2]], dtype=F64),
)
"""A plan in one dimension, as it might be fitted."""
FINE = Preset(solver=Exponential(order=4), grid=LogSNR(highest=1e4, lowest=1e-3), evaluations=400)


def normal(seed, mean, deviation, rows=600):
    """Clips of two frames whose entries have exactly this mean and deviation, and no correlation."""
    z = torch.randn(rows, len(mean), generator=torch.Generator().manual_seed(seed), dtype=F64)
    z = z - z.mean(0)
    z = z @ torch.linalg.inv(torch.linalg.cholesky(z.mT @ z / rows)).mT
    return (torch.tensor(mean, dtype=F64) + torch.tensor(deviation, dtype=F64) * z).reshape(rows, -1, 1)


def covariance(s_a, s_b, epsilon):
    """Of (x_a, x_b) under the Gaussian Schroedinger bridge in one dimension."""
    return 0.5 * (math.sqrt(4 * (s_a * s_b) ** 2 + epsilon**2) - epsilon)


@pytest.mark.parametrize("epsilon", [0.05, 1.0, 6.0])
def test_of_gaussians_it_is_the_closed_form(epsilon):
    m_a, s_a, m_b, s_b = (0.5, -1.0), (1.0, 0.4), (-2.0, 3.0), (0.7, 1.5)
    found = LightBridge.fit(
        normal(0, m_a, s_a), normal(1, m_b, s_b, 400), key=Key.of(0), epsilon=epsilon, components=1
    )
    slope = torch.tensor([covariance(a, b, epsilon) / a**2 for a, b in zip(s_a, s_b, strict=True)], dtype=F64)
    torch.testing.assert_close(found.spreads[0], slope, rtol=1e-6, atol=1e-7)
    start = torch.tensor([[[1.3], [0.2]]], dtype=F64)
    weights, means, variances = found.plan(start)
    expected = torch.tensor(m_b, dtype=F64) + slope * (start.flatten() - torch.tensor(m_a, dtype=F64))
    torch.testing.assert_close(means[0, 0], expected, rtol=1e-6, atol=1e-7)
    # The law of the ends is that of the other set: eps S + S^2 s_a^2 = s_b^2.
    total = variances[0] + (slope * torch.tensor(s_a, dtype=F64)) ** 2
    torch.testing.assert_close(total, torch.tensor(s_b, dtype=F64) ** 2, rtol=1e-6, atol=1e-7)
    assert float(weights) == 1.0


def test_the_exact_parameters_are_a_minimum_of_the_loss():
    m_a, s_a, m_b, s_b, epsilon = 0.5, 1.2, -1.0, 0.8, 0.4
    slope = covariance(s_a, s_b, epsilon) / s_a**2
    start, end = normal(2, (m_a,), (s_a,)).flatten(1), normal(3, (m_b,), (s_b,)).flatten(1)
    center = torch.tensor([[m_b - slope * m_a]], dtype=F64).requires_grad_()
    spread = torch.tensor([[slope]], dtype=F64).requires_grad_()
    LightBridge(epsilon, torch.zeros(1, dtype=F64), center, spread).loss(start, end).backward()
    assert float(center.grad.abs()) < 1e-12
    assert float(spread.grad.abs()) < 1e-12


def test_no_entropy_is_the_optimal_map_and_much_of_it_none():
    start, end = normal(0, (0.0, 1.0), (1.0, 0.5)), normal(1, (2.0, 0.0), (2.0, 1.5))
    sharp, loose = (
        LightBridge.fit(start, end, key=Key.of(0), epsilon=e, components=1) for e in (1e-3, 500.0)
    )
    torch.testing.assert_close(sharp.spreads[0], torch.tensor([2.0, 3.0], dtype=F64), rtol=2e-3, atol=0)
    assert float(sharp.plan(start)[2].max()) < 4e-3
    assert float(loose.spreads.max()) < 0.02


def test_a_point_is_where_all_ends_are():
    end = torch.tensor([1.5, -0.5], dtype=F64).reshape(1, 2, 1).expand(50, -1, -1)
    found = LightBridge.fit(normal(0, (0.0, 1.0), (1.0, 0.5)), end, key=Key.of(0), components=2)
    drawn = found.draw(normal(4, (0.0, 1.0), (1.0, 0.5), 40), Key.of(1, 40))
    torch.testing.assert_close(drawn, end[:40], rtol=0, atol=1e-2)
    context = Context(anchor=torch.zeros(1, 2, 1, dtype=F64))
    assert float((probe(found, (2, 1), context=context).mean - end[0].flatten()).abs().max()) < 1e-2


@pytest.mark.parametrize("t", [1.0, 0.9, 0.5, 0.1, 1e-3])
def test_what_is_believed_of_the_end_is_its_mean_by_quadrature(t):
    """x_b | x_t ~ N(x_b; x_t, eps t) exp(|x_b|^2 / (2 eps)) v(x_b)."""
    grid = torch.linspace(-12, 12, 400_001, dtype=F64)
    epsilon = MIXED.epsilon
    law = torch.distributions.Normal(MIXED.centers, (epsilon * MIXED.spreads).sqrt())
    potential = torch.logsumexp(MIXED.log_weights[:, None] + law.log_prob(grid), 0)
    for x in (-1.0, 0.3, 2.0):
        density = potential + grid**2 / (2 * epsilon) - (grid - x) ** 2 / (2 * epsilon * t)
        expected = float((torch.softmax(density, 0) * grid).sum())
        found = MIXED.believed(torch.tensor([[x]], dtype=F64), torch.tensor([[t]], dtype=F64))
        assert float(found) == pytest.approx(expected, abs=1e-8)
    weights, means, _ = MIXED.plan(torch.tensor([[[0.3]]], dtype=F64))
    at_start = MIXED.believed(torch.tensor([[0.3]], dtype=F64), torch.ones(1, 1, dtype=F64))
    torch.testing.assert_close(at_start[0], (weights[..., None] * means)[0].sum(0))


def test_solvers_draw_the_plan_of_one_component_exactly():
    """One component: what is believed is affine, so the probe has the law of x_b given x_a."""
    one = LightBridge(
        0.3,
        torch.zeros(1, dtype=F64),
        torch.tensor([[0.4, -1.0]]).double(),
        torch.tensor([[0.5, 1.4]]).double(),
    )
    start = torch.tensor([[[1.0], [-0.7]]], dtype=F64)
    law = probe(one, (2, 1), context=Context(anchor=start), preset=FINE)
    _, means, variances = one.plan(start)
    torch.testing.assert_close(law.mean, means[0, 0], rtol=0, atol=1e-4)
    torch.testing.assert_close(law.covariance, torch.diag(variances[0]), rtol=0, atol=1e-4)


def test_the_flow_draws_the_plan_of_a_mixture():
    """In one dimension the flow keeps the order: the plan's distribution at x_b is that of the noise."""
    rows, start = 200, 0.6
    anchor = torch.full((rows, 1, 1), start, dtype=F64)
    key = Key.of(5, rows)
    drawn = sample(MIXED, (rows, 1, 1), key=key, context=Context(anchor=anchor), preset=FINE, dtype=F64).clips
    weights, means, variances = MIXED.plan(anchor)
    below = torch.distributions.Normal(means[..., 0], variances[:, 0].sqrt()).cdf(drawn.flatten()[:, None])
    z = key.at(Purpose.START).normal((1,), F64).flatten()
    expected = torch.distributions.Normal(*torch.tensor([0.0, 1.0], dtype=F64)).cdf(z)
    torch.testing.assert_close((weights * below).sum(1), expected, rtol=0, atol=1e-3)


def test_diffusions_end_with_the_plans_law_and_product():
    """Mean, variance and E[x_a x_b] of sampled pairs against those of the plan, five standard errors."""
    rows = 20_000
    start = torch.randn(rows, 1, 1, generator=torch.Generator().manual_seed(6), dtype=F64)
    weights, means, variances = MIXED.plan(start)
    center = (weights[..., None] * means).sum(1).flatten()
    square = (weights * (means[..., 0] ** 2 + variances[:, 0])).sum(1)
    flat = start.flatten()
    preset = Preset(solver=DPMpp2M(eta=1.0), evaluations=60)
    for drawn in (
        MIXED.draw(start, Key.of(7, rows)),
        sample(
            MIXED, start.shape, key=Key.of(8, rows), context=Context(anchor=start), preset=preset, dtype=F64
        ).clips,
    ):
        ends = drawn.flatten()
        for found, expected in ((ends, center), (ends**2, square), (ends * flat, center * flat)):
            away = found - expected
            assert abs(float(away.mean())) < 5 * float(away.std()) / rows**0.5


def test_ancestral_steps_are_the_published_ones():
    """x + (D - x) (t - s) / t + sqrt(eps (t - s) s / t) z."""
    rows, start = 4, torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=F64).reshape(4, 1, 1)
    key, context = Key.of(9, rows), Context(anchor=start)
    preset = Preset(solver=Ancestral(), grid=Uniform(), evaluations=6)
    done = sample(MIXED, (rows, 1, 1), key=key, context=context, preset=preset, dtype=F64, trajectory=True)
    schedule = MIXED.process.schedule
    times = torch.cat((preset.times(schedule).times, torch.zeros(1, dtype=F64)))
    way = torch.sin(0.5 * math.pi * times) ** 2
    x = start + done.trajectory[0]
    for step, (t, s) in enumerate(pairwise(way)):
        mean = MIXED.believed(x.flatten(1), t.reshape(1, 1)).reshape(x.shape)
        z = key.at(Purpose.STEP, step).normal((1, 1), F64)
        x = x + (mean - x) * (t - s) / t + torch.sqrt(MIXED.epsilon * (t - s) * s / t) * z
        torch.testing.assert_close(start + done.trajectory[step + 1], x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_two_clusters_are_reached_from_one(seed):
    """Whatever the first centers, of which some send a line search beyond what numbers hold."""
    start = normal(0, (0.0, 0.0), (1.0, 1.0), 400)
    signs = torch.tensor([-2.0, 2.0], dtype=F64).repeat(200)[:, None, None]
    end = normal(1, (0.0, 0.0), (0.2, 0.2), 400) + signs
    found = LightBridge.fit(start, end, key=Key.of(seed), epsilon=0.1, components=4)
    drawn = found.draw(start, Key.of(3, 400))
    assert float((drawn[:, 0] > 0).double().mean()) == pytest.approx(0.5, abs=0.1)
    assert float((drawn[:, 0].abs() - 2.0).std()) == pytest.approx(0.2, abs=0.04)
    # Neighbors go together: starts on one side end there.
    side = (start.sum((1, 2)) > 0) == (drawn.sum((1, 2)) > 0)
    assert float(side.double().mean()) > 0.9
    again = LightBridge.fit(start, end, key=Key.of(seed), epsilon=0.1, components=4)
    assert torch.equal(again.centers, found.centers)
    assert np.isfinite(float(found.loss(start.flatten(1), end.flatten(1))))


def test_what_has_no_plan_is_refused():
    clips, key = torch.zeros(3, 2, 1), Key.of(0)
    for options, words in (
        ({"epsilon": 0.0}, "above 0"),
        ({"components": 0}, "above 0"),
        ({"end": torch.zeros(3, 4, 1)}, "one shape"),
        ({"end": torch.full((3, 2, 1), torch.nan)}, "not finite"),
    ):
        with pytest.raises(InputError, match=words):
            LightBridge.fit(**{"start": clips, "end": clips, "key": key, **options})
    anchor = torch.zeros(1, 2, 1)
    for context in (
        Context(anchor=anchor, anchor_scale=anchor),
        Context(anchor=anchor, history_frames=1, history=anchor[:, :1]),
    ):
        with pytest.raises(IncompatibleError, match="whole clips"):
            sample(MIXED, (1, 2, 1), key=key, context=context)
    with pytest.raises(IncompatibleError, match="anchor"):
        sample(MIXED, (1, 1, 1), key=key)


def root_of(matrix):
    values, axes = torch.linalg.eigh(matrix)
    return axes @ values.sqrt().diag() @ axes.mT


@pytest.mark.parametrize("epsilon", [0.2, 2.0])
def test_full_covariances_are_the_closed_form_of_correlated_gaussians(epsilon):
    """S = A^-1/2 (A^1/2 B A^1/2 + eps^2 / 4)^1/2 A^-1/2 - eps / 2 A^-1 (Janati et al. 2020)."""
    turns = [torch.tensor(rows, dtype=F64) for rows in ([[1.0, 0.0], [0.6, 0.8]], [[0.5, 0.9], [0.0, 1.2]])]
    start, end = (normal(seed, (0.0, 0.0), (1.0, 1.0), 500) for seed in (0, 1))
    start, end = start[..., 0] @ turns[0].mT + 0.5, end[..., 0] @ turns[1].mT - 1.0
    a, b = (turn @ turn.mT for turn in turns)
    half, eye = root_of(a), torch.eye(2, dtype=F64)
    inverse = torch.linalg.inv(half)
    exact = (
        inverse @ root_of(half @ b @ half + epsilon**2 / 4 * eye) @ inverse - epsilon / 2 * inverse @ inverse
    )
    found = LightBridge.fit(
        start[..., None], end[..., None], key=Key.of(0), epsilon=epsilon, components=1, covariance="full"
    )
    spread = found.axes[0] @ found.spreads[0].diag() @ found.axes[0].mT
    torch.testing.assert_close(spread, exact, rtol=1e-5, atol=1e-6)
    at = torch.tensor([[[1.3], [0.2]]], dtype=F64)
    mean = torch.full((2,), -1.0, dtype=F64) + exact @ (at.flatten() - 0.5)
    torch.testing.assert_close(found.plan(at)[1][0, 0], mean, rtol=1e-5, atol=1e-5)
    plain = LightBridge.fit(start[..., None], end[..., None], key=Key.of(0), epsilon=epsilon, components=1)
    assert float(found.loss(start, end)) < float(plain.loss(start, end)) - 0.01


ANGLES = torch.tensor([0.5, 2.0], dtype=F64)
AXES = torch.stack((ANGLES.cos(), -ANGLES.sin(), ANGLES.sin(), ANGLES.cos()), 1).reshape(2, 2, 2)
TURNED = LightBridge(
    0.4,
    torch.tensor([0.3, 0.7], dtype=F64).log(),
    torch.tensor([[0.4, -1.0], [1.0, 0.3]], dtype=F64),
    torch.tensor([[0.5, 1.4], [0.8, 0.2]], dtype=F64),
    AXES,
)
"""A plan in two dimensions whose components are turned."""


def test_a_turned_plan_is_the_plan_of_the_matrices():
    matrix = AXES @ TURNED.spreads.diag_embed() @ AXES.mT
    start = torch.tensor([[1.0, -0.7], [0.2, 0.4]], dtype=F64)
    weights, means, _ = TURNED.plan(start[..., None])
    tilt = torch.einsum("bi,kij,bj->bk", start, matrix, start) + 2.0 * start @ TURNED.centers.mT
    torch.testing.assert_close(weights, torch.softmax(TURNED.log_weights + tilt / 0.8, 1))
    torch.testing.assert_close(means, TURNED.centers + torch.einsum("kij,bj->bki", matrix, start))
    end = torch.tensor([[0.3, 0.8], [-1.0, 0.1]], dtype=F64)
    law = torch.distributions.MultivariateNormal(TURNED.centers, 0.4 * matrix)
    potential = torch.logsumexp(TURNED.log_weights + law.log_prob(end[:, None]), 1)
    share = torch.logsumexp(TURNED.log_weights + tilt / 0.8, 1)
    torch.testing.assert_close(TURNED.loss(start, end), share.mean() - potential.mean())


@pytest.mark.parametrize("t", [1.0, 0.5, 0.05])
def test_what_is_believed_of_a_turned_plan_is_its_mean_by_quadrature(t):
    line = torch.linspace(-7, 7, 1201, dtype=F64)
    grid = torch.cartesian_prod(line, line)
    matrix = AXES @ TURNED.spreads.diag_embed() @ AXES.mT
    law = torch.distributions.MultivariateNormal(TURNED.centers, 0.4 * matrix)
    potential = torch.logsumexp(TURNED.log_weights + law.log_prob(grid[:, None]), 1)
    x = torch.tensor([0.7, -0.4], dtype=F64)
    density = potential + grid.square().sum(1) / 0.8 - (grid - x).square().sum(1) / (0.8 * t)
    expected = (torch.softmax(density, 0)[:, None] * grid).sum(0)
    found = TURNED.believed(x[None], torch.tensor([[t]], dtype=F64))[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_solvers_draw_a_turned_plan_and_draw_draws_it():
    one = LightBridge(0.4, torch.zeros(1, dtype=F64), TURNED.centers[:1], TURNED.spreads[:1], AXES[:1])
    start = torch.tensor([[[1.0], [-0.7]]], dtype=F64)
    law = probe(one, (2, 1), context=Context(anchor=start), preset=FINE)
    _, means, variances = one.plan(start)
    covariance = AXES[0] @ variances[0].diag() @ AXES[0].mT
    torch.testing.assert_close(law.mean, means[0, 0], rtol=0, atol=3e-4)
    torch.testing.assert_close(law.covariance, covariance, rtol=0, atol=3e-4)
    drawn = one.draw(start.expand(20_000, -1, -1), Key.of(3, 20_000))[..., 0]
    products = (drawn - means[0, 0])[:, :, None] * (drawn - means[0, 0])[:, None]
    assert float(((products.mean(0) - covariance).abs() / products.std(0)).max()) < 5 / 20_000**0.5
