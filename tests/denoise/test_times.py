"""Times of frames and of groups at training: laws, independence, and the shared time bit for bit."""

import pytest
import torch
from scipy import stats

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.denoise import Denoiser, GaussianOracle, Objective
from rheos.denoise.time_sampler import LogNormal, Uniform
from rheos.denoise.times import TIMES, PerFrame, PerGroup, Shared
from rheos.process import Process
from rheos.process.coordinates import FrameMixing
from rheos.process.schedule import EDM, CondOT, Cosine

KEY = Key.of(5, 4000)
FRAMES, CHANNELS = 5, 3
SHAPE = (len(KEY), FRAMES, CHANNELS)


class Half(torch.nn.Module):
    """Answers for each frame from that frame and its level alone."""

    def forward(self, x, level, context):
        return 0.5 * x + 0.1 * torch.tanh(level)[..., None]


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_method_is_tried_here():
    assert set(TIMES) == {Shared, PerFrame, PerGroup}


@pytest.mark.parametrize(
    ("law", "schedule", "exact"),
    [
        (Uniform(), CondOT(), stats.uniform(1e-3, 0.9989)),
        (LogNormal(), EDM(), stats.norm(-1.2, 1.2)),
    ],
)
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_every_frame_follows_the_law(law, schedule, exact, share):
    t = PerFrame(share=share)(law, schedule, SHAPE, KEY)
    assert t.shape == (len(KEY), FRAMES)
    value = t if law == Uniform() else schedule.sigma(t).log()
    for frame in (0, 3):
        assert stats.kstest(value[:, frame].numpy(), exact.cdf).pvalue > 0.01
    assert (t >= schedule.t_min).all()
    assert (t <= schedule.t_max).all()


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_share_of_clips_has_independent_frames(share):
    t = PerFrame(share=share)(Uniform(), CondOT(), SHAPE, KEY)
    together = Uniform()(CondOT(), len(KEY), KEY)
    alone = (t != together[:, None]).any(1)
    assert float(alone.double().mean()) == pytest.approx(share, abs=0.03)
    assert torch.equal(t[~alone], together[~alone][:, None].expand(-1, FRAMES))
    if share == 1.0:
        correlation = torch.corrcoef(torch.cat((t, together[:, None]), 1).T) - torch.eye(FRAMES + 1)
        assert float(correlation.abs().max()) < 0.06


def test_no_share_is_the_shared_loss_bit_for_bit():
    x0, key = number(1, 6, FRAMES, 2), Key.of(3, 6)
    denoiser = Denoiser(Half(), Process(Cosine(), FrameMixing()))
    context = Context(history_frames=2, history=x0[:, :2])
    usual = Objective()(denoiser, x0, context, key)
    assert torch.equal(Objective(times=PerFrame(share=0.0))(denoiser, x0, context, key), usual)
    assert torch.equal(Objective(times=Shared())(denoiser, x0, context, key), usual)
    assert not torch.equal(Objective(times=PerFrame(share=1.0))(denoiser, x0, context, key), usual)


def test_the_loss_of_frames_at_their_own_times_by_hand():
    """Frame by frame: the noise of its own time, its own weight, history clean."""
    schedule, objective = CondOT(), Objective(times=PerFrame(share=1.0))
    process, key = Process(schedule), Key.of(3, 4)
    denoiser = Denoiser(Half(), process, "v")
    x0 = number(1, 4, FRAMES, 2)
    context = Context(history_frames=2, history=x0[:, :2])
    t = PerFrame(share=1.0)(Uniform(), schedule, (4, FRAMES, 2), key)
    z = key.at(Purpose.NOISE, key.step).normal((FRAMES, 2), torch.float64)
    total = torch.zeros(4).double()
    for f in range(2, FRAMES):
        a, s = 1 - t[:, f], t[:, f]
        for c in range(2):
            u = a * x0[:, f, c] + s * z[:, f, c]
            scale = (a**2 + s**2) ** -0.5
            raw = 0.5 * scale * u + 0.1 * torch.tanh(2 * torch.log(a / s))
            total += (raw - (a * z[:, f, c] - s * x0[:, f, c])) ** 2
    found = objective(denoiser, x0, context, key)
    torch.testing.assert_close(found, total / 6, rtol=1e-9, atol=1e-9)


def test_frames_and_times_permuted_together_permute_nothing():
    """A network that treats frames alike has the same loss for reordered frames, times and noise."""
    oracle = GaussianOracle(torch.zeros(FRAMES), torch.eye(FRAMES), Process(CondOT()))
    t, order = torch.rand(3, FRAMES, generator=torch.Generator().manual_seed(0)).double(), [3, 0, 4, 1, 2]
    u = number(2, 3, FRAMES, 1)
    torch.testing.assert_close(oracle(u[:, order], t[:, order]).mean, oracle(u, t).mean[:, order])


GROUPS = (0, 1, 0)


def groups_drawn(share=1.0, ends=0.7):
    """Times `(rows, groups)` of two groups, the law uniform."""
    t = PerGroup(share=share, ends=ends)(Uniform(), CondOT(), SHAPE, KEY, GROUPS)
    assert t.shape == (len(KEY), 1, CHANNELS)
    assert torch.equal(t[..., 0], t[..., 2])
    return t[:, 0, :2]


@pytest.mark.parametrize(("share", "ends"), [(1.0, 0.7), (0.4, 1.0), (0.7, 0.0)])
def test_groups_meet_at_the_ends_as_often_as_is_said(share, ends):
    t, schedule = groups_drawn(share, ends), CondOT()
    clean, noise = t == 0.0, t == schedule.t_max
    for group in (0, 1):
        # Half of the time it is the other one that never is at an end.
        for where in (clean, noise):
            assert float(where[:, group].double().mean()) == pytest.approx(share * ends / 4, abs=0.02)
    # Never is all of a clip given, or all of it noise.
    assert not clean.all(1).any()
    assert not noise.all(1).any()
    alone = ~(clean | noise).any(1)
    both = (t[:, 0] == t[:, 1]).double().mean()
    assert float(both) == pytest.approx(1 - share, abs=0.03)
    inside = t[alone]
    for group in (0, 1):
        assert stats.kstest(inside[:, group].numpy(), stats.uniform(1e-3, 0.9989).cdf).pvalue > 0.01
    if share == 1.0:
        assert abs(float(torch.corrcoef(inside.T)[0, 1])) < 0.1


def test_a_group_not_at_an_end_follows_the_law_whatever_the_other_is():
    t = groups_drawn()
    given = t[:, 1] == 0.0
    assert stats.kstest(t[given, 0].numpy(), stats.uniform(1e-3, 0.9989).cdf).pvalue > 0.01


def test_every_variable_is_a_group_of_its_own_unless_said():
    t = PerGroup(share=1.0, ends=0.0)(Uniform(), CondOT(), SHAPE, KEY)
    assert (t[:, 0].diff(dim=1) != 0).all(1).double().mean() == 1.0


@pytest.mark.parametrize("groups", [(0, 0, 0), (0, 1)])
def test_one_group_or_other_channels_are_refused(groups):
    with pytest.raises(IncompatibleError, match="groups of variables, at least 2"):
        PerGroup()(Uniform(), CondOT(), SHAPE, KEY, groups)


def test_no_share_of_groups_is_the_shared_loss_bit_for_bit():
    x0, key = number(1, 6, FRAMES, 2), Key.of(3, 6)
    denoiser = Denoiser(Half(), Process(Cosine(), FrameMixing()))
    context = Context(history_frames=2, history=x0[:, :2])
    usual = Objective()(denoiser, x0, context, key)
    assert torch.equal(Objective(times=PerGroup(share=0.0))(denoiser, x0, context, key), usual)
    assert not torch.equal(Objective(times=PerGroup(share=1.0))(denoiser, x0, context, key), usual)


class PerChannel(torch.nn.Module):
    """Answers for each entry from that entry and its own level alone, which it notes."""

    channel_levels = True

    def forward(self, x, level, context):
        self.level = level
        return 0.5 * x + 0.1 * torch.tanh(level)


@pytest.mark.parametrize("noisy", [0.0, 0.7])
def test_the_loss_of_groups_at_their_own_times_by_hand(noisy):
    """Channel by channel: noise and weight of its own time; given groups and history cost nothing."""
    schedule, rows = CondOT(), 40
    process, key, network = Process(schedule), Key.of(3, rows), PerChannel()
    x0 = number(1, rows, FRAMES, CHANNELS)
    context = Context(history_frames=2, history=x0[:, :2], groups=GROUPS)
    times = PerGroup(share=1.0, ends=0.9)
    t = times(Uniform(), schedule, (rows, FRAMES, CHANNELS), key, GROUPS)[:, 0]
    z = key.at(Purpose.NOISE, key.step).normal((FRAMES, CHANNELS), torch.float64)
    total, count = torch.zeros(rows).double(), torch.zeros(rows).double()
    for c in range(CHANNELS):
        drawn = t[:, c] > 0
        a, s = (1 - t[:, c])[:, None], t[:, c][:, None]
        u = a * x0[:, 2:, c] + s * z[:, 2:, c]
        level = torch.where(drawn, 2 * torch.log((1 - t[:, c]) / t[:, c].clamp(min=1e-9)), 20.0).clamp(
            -20, 20
        )
        raw = 0.5 * (a**2 + s**2) ** -0.5 * u + 0.1 * torch.tanh(level)[:, None]
        total += drawn * (raw - (a * z[:, 2:, c] - s * x0[:, 2:, c])).square().sum(1)
        count += drawn * (FRAMES - 2)
    assert (t == 0).any(1).sum() > 5
    objective = Objective(times=times, history_noise=noisy)
    found = objective(Denoiser(network, process, "v"), x0, context, key)
    torch.testing.assert_close(found, total / count, rtol=1e-9, atol=1e-9)
    assert network.level.shape == x0.shape
    past = network.level[:, :2]
    assert (past == 20).all() if noisy == 0.0 else (past < 20).any()
    assert torch.equal(past, past[:, :1, :1].expand_as(past))
