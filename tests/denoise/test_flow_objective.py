"""Objectives of flow maps: by hand, against a Jacobian-vector product, blind to gaps, and learned from."""

import math

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.denoise import FlowMap, MeanFlow, Objective, SplitMeanFlow
from rheos.denoise.dispersion import dispersion
from rheos.denoise.euler import share
from rheos.denoise.noising import Noised
from rheos.denoise.times import PerFrame
from rheos.network import SeriesNetwork, Shapes
from rheos.process import Process
from rheos.process.coordinates import FrameMixing
from rheos.process.schedule import Cosine
from rheos.sample import sample
from rheos.sample.preset import FLOW_PRESETS

F64 = torch.float64
SHAPE = (6, 5, 2)
both = pytest.mark.parametrize("objective", [MeanFlow, SplitMeanFlow], ids=lambda o: o.name())


def numbers(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


PAST = Context(history_frames=2, history=numbers(9, 6, 2, 2))


class Turning(nn.Module):
    """An answer that bends with both levels, and two stages that show features."""

    two_levels = True

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([nn.Tanh(), nn.Identity()])

    def forward(self, x, level, context, until=None):
        until = level if until is None else until
        turned = self.stages[0](0.3 * x + torch.sin(0.2 * level + 0.1 * until)[..., None])
        return self.stages[1](turned) + 0.2 * x


def network(shapes, **words):
    """A series network in float64 with no weight left at 0."""
    made = SeriesNetwork(width=8, depth=1, heads=2, rank=4, **words).build(shapes).double()
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            parameter += 0.1 * numbers(number, *parameter.shape)
    return made


def test_intervals_are_what_the_coins_say():
    objective, flow = MeanFlow(boundary=0.4, whole=0.25), FlowMap(Turning(), Process(Cosine()))
    context = Context(history_frames=2)
    field = flow.process.field(torch.tensor([0.2, 0.5, 0.7, 0.9], dtype=F64), 5, context)
    clip = numbers(0, 4, 5, 2)
    shown = Noised(clip, clip, clip, field, field, torch.ones_like(clip), context)
    coins = torch.tensor(
        [[0.39, 0.1, 0.5], [0.41, 0.24, 0.5], [0.41, 0.26, 0.5], [0.99, 0.9, 0.1]], dtype=F64
    )
    ends, goes = objective.ends(flow, shown, coins)
    assert goes.tolist() == [False, True, True, True]
    assert torch.equal(ends[0], field[0])
    assert torch.equal(ends[1], torch.zeros(5, dtype=F64))
    assert torch.equal(ends[:, :2], torch.zeros(4, 2, dtype=F64))
    schedule = flow.process.schedule
    expected = torch.tensor([0.5, 0.1], dtype=F64)[:, None] * share(schedule, field[2:, 2:])
    torch.testing.assert_close(share(schedule, ends[2:, 2:]), expected, rtol=1e-10, atol=0)


@both
def test_where_all_steps_go_nowhere_it_is_the_denoising_loss(objective):
    process = Process(Cosine(), FrameMixing())
    flow = FlowMap(Turning(), process)
    context, key, x0 = (
        Context(history_frames=2, history=numbers(9, 6, 2, 2)),
        Key.of(3, 6),
        numbers(0, *SHAPE),
    )
    for words in ({}, {"history_noise": 0.5}, {"times": PerFrame(share=1.0)}, {"weight": "snr"}):
        ours = objective(boundary=1.0, **words)(flow, x0, context, key)
        assert torch.equal(ours, Objective(**words)(flow, x0, context, key))
        assert not torch.equal(objective(boundary=0.01, **words)(flow, x0, context, key), ours)


@both
def test_the_loss_is_the_cost_of_what_is_off_the_target(objective):
    """Put together from its parts, with history shown under noise and a time for each frame."""
    process = Process(Cosine(), FrameMixing())
    flow, chosen = FlowMap(Turning(), process), objective(boundary=0.3, history_noise=0.4, times=PerFrame())
    context, key, x0 = (
        Context(history_frames=2, history=numbers(9, 6, 2, 2)),
        Key.of(3, 6),
        numbers(0, *SHAPE),
    )
    shown = chosen.noised(flow, x0, context, key)
    coins = key.at(11, key.step).uniform((4,))
    ends, goes = chosen.ends(flow, shown, coins)
    assert 0 < int(goes.sum()) < len(goes)
    mean = flow.mean(shown.u, shown.at, ends, shown.context)
    target = chosen.target(flow, shown, ends, mean, coins[:, 3])
    target = torch.where(goes[:, None, None], target, shown.clean)
    expected = chosen.cost(flow, shown, mean - target)
    torch.testing.assert_close(chosen(flow, x0, context, key), expected, rtol=1e-10, atol=0)
    assert shown.t[:, :2].abs().max() == 0.0 < shown.at[:, :2].min()


@both
def test_missing_entries_do_not_matter_and_targets_are_constants(objective):
    process = Process(Cosine(), FrameMixing())
    mask = (numbers(1, *SHAPE) > -0.5).double()
    x0, key = numbers(0, *SHAPE), Key.of(2, 6)
    context = Context(history_frames=2, history=numbers(9, 6, 2, 2), mask=mask)
    shapes = Shapes(history=2, horizon=3, channels=2, two_levels=True)
    flow = FlowMap(network(shapes), process)
    chosen = objective(boundary=0.1)
    loss = chosen(flow, x0, context, key)
    assert torch.isfinite(loss).all()
    assert torch.equal(chosen(flow, torch.where(mask > 0, x0, torch.nan), context, key), loss)
    asked = []
    own = flow.network.forward

    def noted(*given, **named):
        asked.append(torch.is_grad_enabled())
        return own(*given, **named)

    flow.network.forward = noted
    chosen(flow, x0, context, key)
    assert asked == [True, False, False]


def test_the_difference_is_a_jacobian_vector_product():
    """Of a real network with attention, in coordinates that mix frames: torch.func.jvp along the line."""
    shapes = Shapes(horizon=5, channels=2, two_levels=True)
    flow = FlowMap(network(shapes), Process(Cosine(), FrameMixing()))
    schedule, clean, noise = flow.process.schedule, numbers(0, *SHAPE), numbers(1, *SHAPE)
    level = torch.tensor([-5.0, -2.0, -0.5, 0.5, 2.0, 5.0], dtype=F64)
    t = schedule.time_at(level)
    s = 0.5 * t
    shown = Noised(clean, noise, clean, t, t, torch.ones_like(clean), Context())

    def answer(level):
        time = schedule.time_at(level)
        return flow.mean(flow.process.diffuse(clean, time, noise), time, s, Context())

    with sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        _, exact = torch.func.jvp(answer, (level,), (torch.ones_like(level),))
        errors = [
            float((MeanFlow(step=step)._slope(flow, shown, s) - exact).abs().max()) for step in (0.05, 0.025)
        ]
    assert errors[0] < 0.02 * float(exact.abs().max())
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_the_adaptive_weight_is_the_published_one():
    flow, x0, key = FlowMap(Turning(), Process()), numbers(0, *SHAPE), Key.of(5, 6)
    flow.network.weight = nn.Parameter(torch.ones((), dtype=F64))
    own = flow.network.forward
    flow.network.forward = lambda *given, **named: flow.network.weight * own(*given, **named)
    plain = MeanFlow()(flow, x0, Context(), key)
    each = [torch.autograd.grad(loss, flow.network.weight, retain_graph=True)[0] for loss in plain]
    for power in (0.5, 1.0):
        found = MeanFlow(adaptive=power)(flow, x0, Context(), key)
        torch.testing.assert_close(found, plain / (plain + 1e-3) ** power, rtol=1e-12, atol=0)
        weighed = (torch.stack(each) / (plain.detach() + 1e-3) ** power).sum()
        grad = torch.autograd.grad(found.sum(), flow.network.weight)[0]
        torch.testing.assert_close(grad, weighed, rtol=1e-10, atol=0)


def test_dispersion_by_hand():
    features = numbers(0, 4, 3, 2)
    distance = [[float((a - b).square().sum()) for b in features] for a in features]
    largest = max(map(max, distance))
    mean = sum(math.exp(-d / largest) for row in distance for d in row) / 16
    assert float(dispersion(features, 4)) == pytest.approx(math.log(mean), abs=1e-12)
    assert float(dispersion(3.0 * features.reshape(8, 3), 4)) == pytest.approx(math.log(mean), abs=1e-12)
    assert float(dispersion(torch.ones(4, 3), 4)) == pytest.approx(0.0, abs=1e-6)
    alike = torch.zeros(3, 2, requires_grad=True)
    dispersion(alike, 3).backward()
    assert torch.isfinite(alike.grad).all()


def test_the_dispersive_loss_is_a_sum_over_stages():
    flow, x0, key = FlowMap(Turning(), Process()), numbers(0, *SHAPE), Key.of(5, 6)
    plain = MeanFlow()(flow, x0, Context(), key)
    found = []
    hooks = [
        stage.register_forward_hook(lambda *given: found.append(given[2])) for stage in flow.network.stages
    ]
    dispersed = MeanFlow(dispersive=0.5)(flow, x0, Context(), key)
    for hook in hooks:
        hook.remove()
    assert len(found) == 6  # three calls; of the target's two nothing is dispersed
    expected = plain + 0.5 * (dispersion(found[0], 6) + dispersion(found[1], 6))
    torch.testing.assert_close(dispersed, expected, rtol=1e-12, atol=0)
    assert not any(stage._forward_hooks for stage in flow.network.stages)


def test_a_network_without_stages_is_told_so():
    class Plain(nn.Module):
        two_levels = True

        def forward(self, x, level, context, until=None):
            return x

    with pytest.raises(IncompatibleError, match="Plain shows none"):
        MeanFlow(dispersive=0.5)(FlowMap(Plain(), Process()), numbers(0, *SHAPE), Context(), Key.of(0, 6))


class Gains(nn.Module):
    """An answer linear in x, with gains that follow both levels."""

    two_levels = True

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.gains = nn.Sequential(
            nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)
        )

    def forward(self, x, level, context, until=None):
        until = level if until is None else until
        parts = [torch.tanh(0.2 * level), torch.tanh(0.2 * until), 0.1 * level, 0.1 * until]
        gain, shift = self.gains(torch.stack(parts, -1).to(x.dtype)).unbind(-1)
        return gain[..., None] * x + shift[..., None]


@pytest.mark.parametrize(
    ("objective", "off"), [(MeanFlow, 0.07), (SplitMeanFlow, 0.15)], ids=["mean_flow", "split_mean_flow"]
)
def test_one_call_draws_the_law_it_was_trained_on(objective, off):
    """N(0.5, 0.6^2); a denoiser's one call would draw its mean alone."""
    with torch.random.fork_rng():
        flow = FlowMap(Gains(), Process(Cosine()))
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
    steps, rows = 500, 256
    scale = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        key = Key.of(1, rows).at(0, step)
        x0 = 0.5 + 0.6 * Key.of(2, rows).at(6, step).normal((1, 1))
        optimizer.zero_grad()
        objective()(flow, x0, Context(), key).mean().backward()
        optimizer.step()
        scale.step()
    for word in ("fast", "balanced", "best"):
        clips = sample(flow, (4000, 1, 1), key=Key.of(3, 4000), preset=FLOW_PRESETS[word]).clips
        assert abs(float(clips.mean()) - 0.5) < off
        assert abs(float(clips.std()) / 0.6 - 1.0) < off
