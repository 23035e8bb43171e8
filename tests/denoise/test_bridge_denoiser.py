"""The light bridge of a recipe: plan and likelihood in closed form, exact given a Gaussian history."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.core.scope import Scope
from rheos.denoise import BridgeDenoiser, BridgeNetwork, LightBridge, PlanLikelihood
from rheos.process import BridgePlan
from rheos.process.coordinates import Anchored

F64 = torch.float64
PAST, AHEAD = 2, 3


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Affine(nn.Module):
    """Answers for future frames with A h + b of the history; remembers what it was shown."""

    def __init__(self, slope, shift):
        super().__init__()
        self.slope, self.shift = slope, shift

    def forward(self, x, level, context):
        self.x, self.level = x, level
        start = context.history.flatten(1) @ self.slope.mT + self.shift
        return torch.cat((torch.zeros_like(x[:, :PAST]), start.reshape(len(x), -1, *x.shape[2:])), 1)


def bridge(components, rank, channels=1, seed=0, backbone=None, coordinates=None):
    """A denoiser with parameters that are nobody's in particular, float64."""
    plan, entries = BridgePlan(components=components, rank=rank), AHEAD * channels
    slope, shift = 0.5 * number(seed, entries, PAST * channels), number(seed + 1, entries)
    network = BridgeNetwork(backbone or Affine(slope, shift), entries, plan).double()
    with torch.no_grad():
        network.log_weights.copy_(number(seed + 2, components))
        network.centers.copy_(number(seed + 3, components, entries))
        network.log_diagonals.copy_(0.3 * number(seed + 4, components, entries))
        network.factors.copy_(0.7 * number(seed + 5, components, entries, min(rank, entries)))
    return BridgeDenoiser(network, plan, coordinates)


def spreads(denoiser):
    net = denoiser.network
    return torch.diag_embed(net.diagonals) + net.factors @ net.factors.mT


@pytest.mark.parametrize(("components", "rank"), [(1, 0), (3, 2), (2, 50)])
@torch.no_grad()
def test_the_likelihood_is_that_of_the_mixture_with_and_without_missing_entries(components, rank):
    denoiser = bridge(components, rank)
    start, end = number(20, 4, AHEAD), number(21, 4, AHEAD)
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 1, 0]], dtype=F64)
    found = denoiser.log_likelihood(start, end, present)
    net, covariances = denoiser.network, spreads(denoiser)
    for row in range(4):
        mean = net.centers + covariances @ start[row]
        tilt = 0.5 * (start[row] @ covariances @ start[row]) + net.centers @ start[row]
        shares = torch.log_softmax(net.log_weights + tilt, 0)
        kept = present[row] > 0
        law = MultivariateNormal(mean[:, kept], covariances[:, kept][:, :, kept])
        expected = torch.logsumexp(shares + law.log_prob(end[row, kept]), 0)
        torch.testing.assert_close(found[row], expected, rtol=0, atol=1e-10)
    nowhere = torch.where(present > 0, end, 1e6)
    torch.testing.assert_close(denoiser.log_likelihood(start, nowhere, present), found)


@torch.no_grad()
def test_its_density_is_the_tilted_potential():
    """v(x_b) exp(<x_a, x_b>) / c(x_a): ratios to the density at another start, which v drops out of."""
    denoiser, whole = bridge(3, 2), torch.ones(2, AHEAD, dtype=F64)
    one, other = number(22, 1, AHEAD).expand(2, -1), number(23, 1, AHEAD).expand(2, -1)
    end = number(24, 2, AHEAD)
    tilt = denoiser.log_likelihood(one, end, whole) - denoiser.log_likelihood(other, end, whole)
    expected = ((one - other) * end).sum(1)
    torch.testing.assert_close(tilt.diff(), expected.diff(), rtol=0, atol=1e-10)


@torch.no_grad()
def test_with_diagonals_alone_it_is_the_light_bridge_in_units_of_its_entropy():
    denoiser, start = bridge(3, 0), number(25, 5, AHEAD)
    net = denoiser.network
    other = LightBridge(1.0, torch.log_softmax(net.log_weights, 0), net.centers, net.diagonals)
    weights, means, _ = other.plan(start[:, :, None])
    shares, found = denoiser.plan(start)
    torch.testing.assert_close(shares.exp(), weights, rtol=0, atol=1e-12)
    torch.testing.assert_close(found, means, rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 2])
@torch.no_grad()
def test_it_holds_the_exact_law_given_a_gaussian_history(channels):
    """One component, x_a = S^-1 (m + B h - r): mean and covariance by conditioning, to 1e-10."""
    n, p = AHEAD * channels, PAST * channels
    root = number(30, n + p, n + p)
    joint, mean = root @ root.mT / (n + p) + 0.1 * torch.eye(n + p, dtype=F64), number(31, n + p)
    gain = joint[p:, :p] @ torch.linalg.inv(joint[:p, :p])
    covariance = joint[p:, p:] - gain @ joint[:p, p:]
    denoiser = bridge(1, n, channels)
    net = denoiser.network
    # The diagonal is the least eigenvalue, the rest is a matrix of full rank.
    values, axes = torch.linalg.eigh(covariance)
    net.log_diagonals.copy_((0.5 * values[0] - 1e-4).log())
    net.factors.copy_((axes * (values - 0.5 * values[0]).sqrt())[None])
    inverse = torch.linalg.inv(covariance)
    net.backbone.slope = inverse @ gain
    net.backbone.shift = inverse @ (mean[p:] - gain @ mean[:p] - net.centers[0])
    history = number(32, 3, PAST, channels)
    context = Context(history_frames=PAST, history=history)
    like = torch.zeros(3, PAST + AHEAD, channels, dtype=F64)
    _, means = denoiser.plan(denoiser.start(context, like))
    expected = mean[p:] + (history.flatten(1) - mean[:p]) @ gain.mT
    torch.testing.assert_close(means[:, 0], expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(spreads(denoiser)[0], covariance, rtol=0, atol=1e-10)
    end = number(33, 3, n)
    law = MultivariateNormal(expected, covariance)
    found = denoiser.log_likelihood(denoiser.start(context, like), end, torch.ones(3, n, dtype=F64))
    torch.testing.assert_close(found, law.log_prob(end), rtol=0, atol=1e-9)


@torch.no_grad()
def test_what_is_drawn_is_the_plan():
    """Mean and covariance of 40 000 from one start, five standard errors; rows do not touch."""
    rows, denoiser = 40_000, bridge(3, 2, seed=50)
    history = number(40, 1, PAST, 1).expand(rows, -1, -1)
    context = Context(history_frames=PAST, history=history)
    like = torch.zeros(rows, PAST + AHEAD, 1, dtype=F64)
    drawn = denoiser.draw(context, Key.of(0, rows), like)
    assert torch.equal(drawn[:, :PAST], history)
    flat = drawn[:, PAST:, 0]
    shares, means = denoiser.plan(denoiser.start(context.rows(slice(0, 1)), like[:1]))
    weights = shares[0].exp()
    mean = weights @ means[0]
    second = torch.einsum("k,kij->ij", weights, spreads(denoiser) + means[0][:, :, None] * means[0][:, None])
    assert float(((flat.mean(0) - mean).abs() / flat.std(0)).max()) < 5 / rows**0.5
    products = flat[:, :, None] * flat[:, None]
    assert float(((products.mean(0) - second).abs() / products.std(0)).max()) < 5 / rows**0.5
    few = torch.tensor([11, 4])
    again = denoiser.draw(context.rows(few), Key.of(0, few), like[:2])
    torch.testing.assert_close(again, drawn[few])


@pytest.mark.parametrize("rank", [0, 2])
@torch.no_grad()
def test_given_some_entries_the_rest_has_its_exact_law(rank):
    """Weights, means and covariances of all components by conditioning the whole mixture, to 1e-10."""
    denoiser = bridge(3, rank)
    start, end = number(80, 4, AHEAD), number(81, 4, AHEAD)
    known, rest = [0, 2], [1]
    present = torch.tensor([1, 0, 1], dtype=F64).expand(4, -1)
    shares, mean, root = denoiser.believed(start, end, present)
    net, covariances = denoiser.network, spreads(denoiser)
    prior, means = denoiser.plan(start)
    for k in range(3):
        block = covariances[k][known][:, known]
        gain = covariances[k][rest][:, known] @ torch.linalg.inv(block)
        away = end[:, known] - means[:, k][:, known]
        weight = prior[:, k] + MultivariateNormal(means[:, k][:, known], block).log_prob(end[:, known])
        torch.testing.assert_close(shares[:, k], weight, rtol=0, atol=1e-10)
        found = means[:, k] + mean[:, k] @ net.factors[k].mT
        torch.testing.assert_close(found[:, rest], means[:, k][:, rest] + away @ gain.mT, rtol=0, atol=1e-10)
        inverse = torch.cholesky_inverse(root[0, k]) if rank else torch.zeros(0, 0, dtype=F64)
        joint = torch.diag(net.diagonals[k]) + net.factors[k] @ inverse @ net.factors[k].mT
        expected = covariances[k][rest][:, rest] - gain @ covariances[k][known][:, rest]
        torch.testing.assert_close(joint[rest][:, rest], expected, rtol=0, atol=1e-10)


@torch.no_grad()
def test_members_hold_what_is_given_and_draw_the_rest_given_it():
    """Mean and variance of 40 000 given two of three frames, five standard errors."""
    rows, denoiser = 40_000, bridge(3, 2, seed=50, coordinates=Anchored())
    table = torch.tensor([[False], [False], [True], [False], [True]])
    one = Context(
        history_frames=PAST,
        history=number(40, 1, PAST, 1),
        observation=number(82, 1, PAST + AHEAD, 1),
        anchor=number(83, 1, PAST + AHEAD, 1),
        anchor_scale=torch.full((1, PAST + AHEAD, 1), 2.0, dtype=F64),
        scope=Scope.of(PAST + AHEAD, 1, given=table),
    )
    context, like = one.repeat(rows), torch.zeros(rows, PAST + AHEAD, 1, dtype=F64)
    drawn = denoiser.draw(context, Key.of(0, rows), like)
    assert torch.equal(drawn[:, :PAST], context.history)
    held = context.observation[:, [2, 4]]
    torch.testing.assert_close(drawn[:, [2, 4]], held)
    end = ((one.observation - one.anchor) / 2.0)[:, PAST:, 0]
    present = torch.tensor([[1.0, 0.0, 1.0]], dtype=F64)
    start, net = denoiser.start(one, like[:1]), denoiser.network
    shares, mean, root = denoiser.believed(start, end, present)
    weights = torch.softmax(shares, 1)[0]
    middle = (denoiser.plan(start)[1] + torch.einsum("bkr,knr->bkn", mean, net.factors))[0, :, 1]
    row = torch.linalg.solve_triangular(root[0], net.factors[:, 1, :, None], upper=False)[..., 0]
    second = weights @ (middle**2 + net.diagonals[:, 1] + row.square().sum(1))
    found = ((drawn - context.anchor) / 2.0)[:, 3, 0]
    for values, expected in ((found, weights @ middle), (found**2, second)):
        assert abs(float(values.mean() - expected)) < 5 * float(values.std()) / rows**0.5


def anchored():
    return Context(
        history_frames=PAST,
        history=number(60, 3, PAST, 1),
        mask=torch.tensor([1, 1, 1, 0, 1], dtype=F64).reshape(1, 5, 1).expand(3, -1, -1),
        anchor=number(61, 3, 5, 1),
        anchor_scale=torch.full((3, 5, 1), 2.0, dtype=F64),
    )


@torch.no_grad()
def test_it_lives_in_its_coordinates_and_knows_nothing_of_the_future():
    denoiser, context = bridge(2, 1, coordinates=Anchored()), anchored()
    x0 = number(62, 3, 5, 1)
    loss = PlanLikelihood()(denoiser, x0, context, Key.of(0, 3))
    backbone = denoiser.network.backbone
    torch.testing.assert_close(backbone.x[:, PAST:], context.anchor[:, PAST:])
    assert torch.equal(backbone.x[:, :PAST], context.history)
    assert backbone.level[0].tolist() == [20.0, 20.0, -20.0, -20.0, -20.0]
    end = ((x0 - context.anchor) / 2.0)[:, PAST:, 0]
    start, present = denoiser.start(context, x0), torch.tensor([1.0, 0.0, 1.0], dtype=F64).expand(3, -1)
    torch.testing.assert_close(loss, -denoiser.log_likelihood(start, end, present) / 2)
    worse = x0.clone()
    worse[:, 3] = math.nan
    torch.testing.assert_close(PlanLikelihood()(denoiser, worse, context, Key.of(0, 3)), loss)
    told = replace(context, mask=torch.ones_like(context.mask), counted=context.mask)
    torch.testing.assert_close(PlanLikelihood()(denoiser, x0, told, Key.of(0, 3)), loss)
    drawn = denoiser.draw(context, Key.of(1, 3), x0)
    plain = bridge(2, 1).draw(Context(history_frames=PAST, history=context.history), Key.of(1, 3), x0)
    torch.testing.assert_close(drawn[:, PAST:], context.anchor[:, PAST:] + 2.0 * plain[:, PAST:])


@torch.no_grad()
def test_it_begins_as_the_gaussian_of_the_clips():
    clips = number(70, 400, 5) @ number(71, 5, 5) + number(72, 5)
    network = BridgeNetwork(nn.Identity(), 5, BridgePlan(components=1, rank=3)).double()
    network.begin(clips, Key.of(0))
    torch.testing.assert_close(network.centers[0], clips.mean(0))
    covariance = torch.cov(clips.mT, correction=0)
    spread = torch.diag(network.diagonals[0]) + network.factors[0] @ network.factors[0].mT
    inside = 1.06 * covariance.diagonal() + 2e-3
    assert bool((spread.diagonal() >= 0.99 * covariance.diagonal()).all())
    assert bool((spread.diagonal() <= inside).all())
    # What the three largest components leave is small off the diagonal.
    left = torch.linalg.eigvalsh(covariance)[:2].sum()
    assert float((spread - covariance).fill_diagonal_(0.0).abs().max()) < float(left)
    several = BridgeNetwork(nn.Identity(), 5, BridgePlan(components=4, rank=3)).double()
    several.begin(clips, Key.of(0))
    assert float(torch.pdist(several.centers).min()) > 0.01
    few = BridgeNetwork(nn.Identity(), 5, BridgePlan(components=2, rank=9)).double()
    few.begin(clips[:3], Key.of(0))
    assert all(bool(torch.isfinite(parameter).all()) for parameter in few.parameters())


class Dense(nn.Module):
    """One layer from the history to the future."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(PAST, AHEAD)

    def forward(self, x, level, context):
        return torch.cat((x[:, :PAST], self.layer(context.history[..., 0])[..., None]), 1)


def test_half_precision_is_the_networks_alone():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = bridge(2, 2, backbone=Dense()).float()
    context = Context(history_frames=PAST, history=number(90, 3, PAST, 1).float())
    x0 = number(91, 3, PAST + AHEAD, 1).float()
    exact = PlanLikelihood()(denoiser, x0, context, Key.of(0, 3))
    with torch.autocast("cpu", torch.bfloat16):
        half = PlanLikelihood()(denoiser, x0, context, Key.of(0, 3))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=0.05, atol=0.05)
    half.mean().backward()
    assert all(bool(torch.isfinite(one.grad).all()) for one in denoiser.parameters())
