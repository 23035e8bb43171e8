"""Flow maps on Gaussian data: the closed forms of the method card, both identities, and what is refused."""

import pytest
import torch
from flows import Exact, Silent, pair_of
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.protocols import Carries
from rheos.denoise import Denoiser, FlowMap, GaussianFlow, MeanFlow, SplitMeanFlow
from rheos.denoise.euler import share, time_of
from rheos.process import Masked, Process, TwoSided
from rheos.process.coordinates import FrameMixing
from rheos.process.noise import OrnsteinUhlenbeck
from rheos.process.schedule import SCHEDULES, CondOT, Cosine

F64 = torch.float64
FRAMES, HISTORY, ROWS = 4, 1, 5
MEAN = torch.tensor([0.3, -0.5, 1.0, 0.2], dtype=F64)
COVARIANCE = 1.4 * 0.7 ** (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().double()
every = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name())
LOG_SNR = torch.tensor([-6.0, -2.0, 0.3, 2.0, 5.0], dtype=F64)


def numbers(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def case(schedule, known=HISTORY):
    """The exact map, clips u_t at five levels of noise, their times, and times nearer to the data."""
    exact = Exact(GaussianFlow(MEAN, COVARIANCE, Process(schedule)))
    context = Context(history_frames=known, history=numbers(7, ROWS, known, 1))
    t = schedule.time_at(LOG_SNR)
    s = time_of(schedule, share(schedule, t) * torch.tensor([0.9, 0.0, 0.5, 0.2, 0.99], dtype=F64))
    field, ends = (exact.process.field(time, FRAMES, context) for time in (t, s))
    u = exact.process.diffuse(MEAN[:, None] + numbers(1, ROWS, FRAMES, 1), field, numbers(2, ROWS, FRAMES, 1))
    return exact, u, field, ends, context


def test_the_flow_of_one_gaussian_number_is_the_published_one():
    m, s2, x, t, r = 0.7, 0.4, 1.3, 0.8, 0.3

    def deviation(time):
        return ((1 - time) ** 2 * s2 + time**2) ** 0.5

    oracle = GaussianFlow(torch.tensor([m], dtype=F64), torch.tensor([[s2]], dtype=F64), Process(CondOT()))
    u, times = torch.full((1, 1, 1), x, dtype=F64), [torch.tensor([time], dtype=F64) for time in (t, r)]
    expected = m * (1 - r) + deviation(r) / deviation(t) * (x - m * (1 - t))
    assert float(oracle.carry(u, *times)) == pytest.approx(expected, abs=1e-14)
    average = (x - float(Exact(oracle).mean(u, *times, Context()))) / t
    assert average == pytest.approx((x - expected) / (t - r), abs=1e-14)
    velocity = -m + (t - (1 - t) * s2) / deviation(t) ** 2 * (x - m * (1 - t))
    instant = (x - float(Exact(oracle).mean(u, times[0], times[0], Context()))) / t
    assert instant == pytest.approx(velocity, abs=1e-14)


@every
def test_the_exact_map_is_where_the_flow_leads(schedule):
    """Runge-Kutta on du/dl = the velocity of the exact denoiser, in log-SNR."""
    exact, u, t, s, context = case(schedule(), known=HISTORY)
    rule, steps = exact.process.schedule, 24
    late = torch.where(t > 0, rule.time_at(rule.log_snr(torch.where(t > 0, t, 0.5)) + 2.0), 0.0)
    first, last = (torch.where(t > 0, rule.log_snr(time), 0.0) for time in (t, late))

    def slope(u, level):
        time = torch.where(t > 0, rule.time_at(level), 0.0)
        # y = u / alpha moves by d(sigma / alpha)/dl z, and d(sigma / alpha)/dl = -sigma / (2 alpha).
        clean = exact.oracle(u, time, context).mean
        ratio = torch.where(t > 0, torch.exp(-0.5 * level), 0.0)[..., None]
        y = u / rule.alpha(time)[..., None]
        noise = torch.where(ratio > 0, (y - clean) / torch.where(ratio > 0, ratio, 1.0), 0.0)
        return y, -0.5 * ratio * noise

    h = (last - first) / steps
    y = slope(u, first)[0]

    def at(y, level):
        time = torch.where(t > 0, rule.time_at(level), 0.0)
        return slope(y * rule.alpha(time)[..., None], level)[1] * h[..., None]

    for step in range(steps):
        level = first + step * h
        k1 = at(y, level)
        k2 = at(y + 0.5 * k1, level + 0.5 * h)
        k3 = at(y + 0.5 * k2, level + 0.5 * h)
        y = y + (k1 + 2 * k2 + 2 * k3 + at(y + k3, level + h)) / 6
    found = y * rule.alpha(torch.where(t > 0, late, 0.0))[..., None]
    torch.testing.assert_close(exact.carry(u, t, late, context), found, rtol=0, atol=1e-6)
    assert torch.equal(exact.carry(u, t, s, context)[:, :HISTORY], u[:, :HISTORY])


@every
def test_a_map_of_two_intervals_is_both_of_them(schedule):
    exact, u, t, s, context = case(schedule())
    m = torch.where(t > 0, torch.lerp(t, s, 0.4), 0.0)
    once = exact.carry(u, t, s, context)
    twice = exact.carry(exact.carry(u, t, m, context), m, s, context)
    torch.testing.assert_close(twice, once, rtol=0, atol=1e-10)
    assert torch.equal(exact.carry(u, t, t, context), u)


@every
def test_the_split_identity_holds(schedule):
    exact, u, t, s, context = case(schedule())
    mean = exact.mean(u, t, s, context)
    for cut in (0.02, 0.5, 0.97):
        pair = pair_of(exact.oracle, u, t, context, apart=numbers(4, *u.shape))
        cuts = torch.full((ROWS,), cut, dtype=F64)
        found = SplitMeanFlow().target(exact, pair, s, mean, cuts)
        torch.testing.assert_close(found[:, HISTORY:], mean[:, HISTORY:], rtol=0, atol=1e-12)


@every
def test_the_mean_flow_identity_holds(schedule):
    exact, u, t, s, context = case(schedule())
    mean, pair = exact.mean(u, t, s, context), pair_of(exact.oracle, u, t, context)
    errors = []
    for step in (0.1, 0.05, 1e-4):
        found = MeanFlow(step=step).target(exact, pair, s, mean, torch.zeros(ROWS, dtype=F64))
        errors.append(float((found - mean)[:, HISTORY:].abs().max()))
    assert errors[1] < 2e-3
    assert errors[2] < 2e-9
    # A central difference: a quarter of the error at half the step.
    assert 3.8 < errors[0] / errors[1] < 4.2


def test_targets_of_pairs_through_one_clip_have_the_identity_for_their_mean():
    """What makes u_0 and the pair's own line as good as the denoiser and the flow."""
    exact, u, t, s, context = case(Cosine())
    mean, apart = exact.mean(u, t, s, context), numbers(3, *u.shape)
    nothing = torch.zeros(ROWS, dtype=F64)
    targets = [
        MeanFlow().target(exact, pair_of(exact.oracle, u, t, context, way * apart), s, mean, nothing)
        for way in (-1.0, 0.0, 1.0)
    ]
    torch.testing.assert_close(0.5 * (targets[0] + targets[2]), targets[1], rtol=0, atol=1e-10)
    assert (targets[0] - targets[2])[:, HISTORY:].abs().min() > 1e-3


def test_a_target_is_the_clip_where_the_step_goes_nowhere():
    exact, u, t, _, context = case(Cosine())
    pair = pair_of(exact.oracle, u, t, context, apart=numbers(3, *u.shape))
    found = MeanFlow().target(exact, pair, t, exact.mean(u, t, t, context), torch.zeros(ROWS, dtype=F64))
    torch.testing.assert_close(found, pair.clean, rtol=0, atol=1e-12)


class Told(nn.Module):
    """Answers by what it is told."""

    two_levels = True

    def forward(self, x, level, context, until=None):
        until = level if until is None else until
        return x + 0.1 * level[..., None] + 0.01 * until[..., None]


@every
def test_a_map_is_eulers_step_with_the_answer_of_a_network_told_both_levels(schedule):
    process = Process(schedule(), FrameMixing(floor=0.4))
    flow, (_, u, t, s, context) = FlowMap(Told(), process, sigma_data=1.3), case(schedule())
    assert isinstance(flow, Carries)
    table, rule = flow.coefficients(t), process.schedule
    seen = FrameMixing(floor=0.4).to_seen(flow.row(t, u).scale * u, t, context)

    def level(time):
        return torch.where(time > 0, rule.log_snr(torch.where(time > 0, time, 0.5)), 20.0).clamp(-20, 20)

    for end in (s, t):
        output = seen + 0.1 * level(t)[..., None] + 0.01 * level(end)[..., None]
        mean = table.skip[..., None] * u + table.out[..., None] * output
        torch.testing.assert_close(flow.mean(u, t, end, context), mean, rtol=0, atol=1e-11)
    assert torch.equal(flow(u, t, context).mean, flow.mean(u, t, t, context))
    mean = flow.mean(u, t, s, context)
    ratio = torch.where(t > 0, rule.sigma(s) / torch.where(t > 0, rule.sigma(t), 1.0), 1.0)
    carried = ratio[..., None] * u + (rule.alpha(s) - ratio * rule.alpha(t))[..., None] * mean
    carried[:, :HISTORY] = u[:, :HISTORY]
    torch.testing.assert_close(flow.carry(u, t, s, context), carried, rtol=0, atol=1e-12)


@every
def test_share_of_noise_and_time_are_inverse(schedule):
    rule = schedule()
    t = rule.time_at(torch.linspace(-8.0, 10.0, 9, dtype=F64))
    torch.testing.assert_close(time_of(rule, share(rule, t)), t, rtol=1e-9, atol=0)
    assert float(time_of(rule, torch.zeros((), dtype=F64))) == 0.0
    assert torch.equal(share(rule, torch.zeros(1, dtype=F64)), torch.zeros(1, dtype=F64))


def test_what_cannot_be_a_flow_map_is_refused_in_one_sentence():
    with pytest.raises(IncompatibleError, match=r"Linear is told one level: build it with Shapes\("):
        FlowMap(nn.Linear(1, 1), Process())
    for process, word in ((TwoSided(), "two_sided"), (Masked(), "masked")):
        with pytest.raises(IncompatibleError, match=word):
            FlowMap(Silent(), process)
    with pytest.raises(IncompatibleError, match="under white noise, not under 'ornstein_uhlenbeck'"):
        GaussianFlow(MEAN, COVARIANCE, Process(noise=OrnsteinUhlenbeck()))
    exact, u, *_ = case(Cosine(), known=0)
    times = torch.tensor([[0.5, 0.5, 0.4, 0.5]], dtype=F64)
    with pytest.raises(IncompatibleError, match="at one time"):
        exact.oracle.carry(u, times, times)
    with pytest.raises(IncompatibleError, match="at one time"):
        exact.oracle.carry(u, torch.tensor([[0.5, 0.5, 0.0, 0.0]]), torch.tensor([[0.2, 0.2, 0.2, 0.0]]))


def test_a_denoiser_is_no_flow_map():
    assert not isinstance(Denoiser(Silent(), Process()), Carries)
