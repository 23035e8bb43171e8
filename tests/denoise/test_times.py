"""Times of frames at training: laws, independence, and the shared time bit for bit."""

import pytest
import torch
from scipy import stats

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.denoise import Denoiser, GaussianOracle, Objective
from rheos.denoise.time_sampler import LogNormal, Uniform
from rheos.denoise.times import TIMES, PerFrame, Shared
from rheos.process import Process
from rheos.process.coordinates import FrameMixing
from rheos.process.schedule import EDM, CondOT, Cosine

KEY = Key.of(5, 4000)
FRAMES = 5


class Half(torch.nn.Module):
    """Answers for each frame from that frame and its level alone."""

    def forward(self, x, level, context):
        return 0.5 * x + 0.1 * torch.tanh(level)[..., None]


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_method_is_tried_here():
    assert set(TIMES) == {Shared, PerFrame}


@pytest.mark.parametrize(
    ("law", "schedule", "exact"),
    [
        (Uniform(), CondOT(), stats.uniform(1e-3, 0.9989)),
        (LogNormal(), EDM(), stats.norm(-1.2, 1.2)),
    ],
)
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_every_frame_follows_the_law(law, schedule, exact, share):
    t = PerFrame(share=share)(law, schedule, len(KEY), FRAMES, KEY)
    assert t.shape == (len(KEY), FRAMES)
    value = t if law == Uniform() else schedule.sigma(t).log()
    for frame in (0, 3):
        assert stats.kstest(value[:, frame].numpy(), exact.cdf).pvalue > 0.01
    assert (t >= schedule.t_min).all()
    assert (t <= schedule.t_max).all()


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_share_of_clips_has_independent_frames(share):
    t = PerFrame(share=share)(Uniform(), CondOT(), len(KEY), FRAMES, KEY)
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
    t = PerFrame(share=1.0)(Uniform(), schedule, 4, FRAMES, key)
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
