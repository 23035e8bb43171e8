"""History under noise q: the exact law given what is shown, told to the network, and nothing at q = 0."""

from dataclasses import fields

import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.denoise import Denoiser, GaussianOracle, Objective
from rheos.denoise.times import PerFrame
from rheos.process import PROCESSES, Plain, Process
from rheos.process.coordinates import Anchored, FrameMixing
from rheos.process.schedule import EDM, CondOT, Cosine, VarianceExploding
from rheos.sample import probe, sample
from rheos.sample.grid import LogSNR
from rheos.sample.likelihood import likelihood
from rheos.sample.path import Rolling
from rheos.sample.preset import Preset
from rheos.sample.solver import Exponential

F64 = torch.float64
FRAMES, KNOWN, ROWS = 5, 2, 4
LAG = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().double()
DATA = 0.8**LAG


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


PAST = number(1, 1, KNOWN, 1)
GIVEN = Context(history_frames=KNOWN, history=PAST)


def shown(schedule, q):
    """alpha and sigma at sigma / alpha = q, by bisection on the schedule itself."""
    low, high = torch.tensor([schedule.t_min, schedule.t_max], dtype=F64)
    for _ in range(80):
        middle = 0.5 * (low + high)
        more = schedule.sigma(middle) / schedule.alpha(middle) > q
        low, high = (low, middle) if more else (middle, high)
    return float(schedule.alpha(low)), float(schedule.sigma(low))


@pytest.mark.parametrize("coordinates", [None, FrameMixing()], ids=["plain", "mixed"])
@pytest.mark.parametrize("schedule", [CondOT(), Cosine(), EDM(sigma_max=1e4)], ids=lambda s: s.name())
@pytest.mark.parametrize("path", [None, Rolling(window=2)], ids=["together", "rolling"])
def test_the_future_follows_its_exact_law_given_a_blurred_history(schedule, coordinates, path):
    """E = C_fh a (a^2 C_hh + s^2)^-1 (a c + s z), and the posterior's covariance; z is averaged exactly."""
    q = 0.3
    oracle = GaussianOracle(torch.zeros(FRAMES), DATA, Process(schedule, coordinates, history_noise=q))
    grid = LogSNR(highest=1e5, lowest=1e-4)
    preset = Preset(solver=Exponential(order=3), grid=grid, evaluations=120)
    if path is not None:
        preset = preset.model_copy(update={"path": path})
    law = probe(oracle, (FRAMES, 1), preset=preset, context=GIVEN)
    alpha, sigma = shown(schedule, q)
    seen = alpha**2 * DATA[:KNOWN, :KNOWN] + sigma**2 * torch.eye(KNOWN, dtype=F64)
    gain = torch.linalg.solve(seen, alpha * DATA[:KNOWN, KNOWN:]).T
    mean = gain @ (alpha * PAST[0, :, 0])
    rest = DATA[KNOWN:, KNOWN:] - gain @ (alpha * DATA[:KNOWN, KNOWN:]) + sigma**2 * gain @ gain.T
    torch.testing.assert_close(law.mean[KNOWN:], mean, rtol=0, atol=2e-3)
    torch.testing.assert_close(law.covariance[KNOWN:, KNOWN:], rest, rtol=0, atol=4e-3)
    assert torch.equal(law.mean[:KNOWN], PAST[0, :, 0])
    assert float(law.covariance[:KNOWN].abs().max()) == 0.0


def test_a_rollout_from_blurred_frames_stays_as_wide_as_the_data():
    """AR(1), a frame at a time: x' = g x + e, g = rho alpha^2 / (alpha^2 + sigma^2), has variance 1."""
    for q in (0.1, 0.7):
        process = Process(EDM(sigma_max=1e4), history_noise=q)
        oracle = GaussianOracle(torch.zeros(2), DATA[:2, :2], process)
        preset = Preset(grid=LogSNR(highest=1e5, lowest=1e-4), evaluations=120)
        one = Context(history_frames=1, history=torch.ones(1, 1, 1, dtype=F64))
        law = probe(oracle, (2, 1), preset=preset, context=one)
        gain, added = float(law.mean[1]), float(law.covariance[1, 1])
        assert gain == pytest.approx(0.8 / (1 + q**2), abs=2e-3)
        variance = 0.3
        for _ in range(10_000):
            variance = gain**2 * variance + added
        assert variance == pytest.approx(1.0, abs=4e-3)


class Watching(torch.nn.Module):
    """Answers for each frame from that frame and its level alone; notes what it was shown."""

    def forward(self, x, level, context):
        self.seen = x, level, context.history
        return 0.5 * x + 0.1 * torch.tanh(level)[..., None]


@pytest.mark.parametrize("anchored", [False, True])
def test_the_network_is_shown_and_told_the_noise(anchored):
    """History in the clip and beside it are the same blurred frames, in the data's own units."""
    anchor, scale = number(3, ROWS, FRAMES, 1), number(4, ROWS, FRAMES, 1).exp()
    known = {"anchor": anchor, "anchor_scale": scale} if anchored else {}
    past = number(5, ROWS, KNOWN, 1)
    context = Context(history_frames=KNOWN, history=past, **known)
    q, schedule, key = 0.2, VarianceExploding(), Key.of(3, ROWS)
    process = Process(schedule, Anchored() if anchored else None, history_noise=q)
    network = Watching()
    drawn = sample(
        Denoiser(network, process),
        (ROWS, FRAMES, 1),
        key=key,
        context=context,
        preset=Preset(evaluations=3),
        dtype=F64,
    )
    x, level, history = network.seen
    z = key.at(Purpose.AUGMENT).normal((FRAMES, 1), F64)[:, :KNOWN]
    unit = scale[:, :KNOWN] if anchored else 1.0
    torch.testing.assert_close(history, past + q * unit * z, rtol=0, atol=1e-7)
    center = anchor[:, :KNOWN] if anchored else 0.0
    shrunk = (1 + q**2) ** -0.5
    torch.testing.assert_close(x[:, :KNOWN], center + shrunk * (history - center), rtol=0, atol=1e-7)
    torch.testing.assert_close(
        level[:, :KNOWN],
        torch.full((ROWS, KNOWN), -2.0, dtype=F64) * torch.tensor(q).log(),
        rtol=1e-6,
        atol=0,
    )
    assert torch.equal(drawn.clips[:, :KNOWN], past)


def test_no_noise_is_the_usual_sample_bit_for_bit():
    choice = {"key": Key.of(0, ROWS), "context": GIVEN.repeat(ROWS), "dtype": F64}
    clips = []
    for process in (Process(CondOT()), Process(CondOT(), history_noise=0.0)):
        oracle = GaussianOracle(torch.zeros(FRAMES), DATA, process)
        clips.append(sample(oracle, (ROWS, FRAMES, 1), **choice).clips)
    assert torch.equal(*clips)
    noisy = GaussianOracle(torch.zeros(FRAMES), DATA, Process(CondOT(), history_noise=0.1))
    assert not torch.equal(sample(noisy, (ROWS, FRAMES, 1), **choice).clips, clips[0])


@pytest.mark.parametrize("times", [{}, {"times": PerFrame(share=1.0)}], ids=["shared", "per_frame"])
def test_no_noise_is_the_usual_loss_bit_for_bit(times):
    x0, key = number(6, ROWS, FRAMES, 2), Key.of(3, ROWS)
    context = Context(history_frames=KNOWN, history=x0[:, :KNOWN])
    denoiser = Denoiser(Watching(), Process(Cosine(), FrameMixing()))
    usual = Objective(**times)(denoiser, x0, context, key)
    assert torch.equal(Objective(history_noise=0.0, **times)(denoiser, x0, context, key), usual)
    assert not torch.equal(Objective(history_noise=0.7, **times)(denoiser, x0, context, key), usual)
    # What sampling will show is not training's business.
    later = Denoiser(Watching(), Process(Cosine(), FrameMixing(), history_noise=0.1))
    assert torch.equal(Objective(**times)(later, x0, context, key), usual)


def test_training_blurs_each_history_by_its_own_uniform_noise():
    rows, most = 2000, 0.7
    x0, key = number(7, rows, FRAMES, 1), Key.of(11, rows)
    network = Watching()
    denoiser = Denoiser(network, Process(VarianceExploding(sigma_min=1e-3)))
    context = Context(history_frames=KNOWN, history=x0[:, :KNOWN])
    loss = Objective(history_noise=most)(denoiser, x0, context, key)
    x, level, history = network.seen
    q = torch.exp(-0.5 * level[:, 0])
    assert stats.kstest((q / most).numpy(), "uniform").pvalue > 0.01
    assert torch.equal(level[:, 0], level[:, 1])
    z = key.at(Purpose.NOISE).normal((FRAMES, 1), F64)[:, :KNOWN]
    torch.testing.assert_close(history, x0[:, :KNOWN] + q[:, None, None] * z, rtol=0, atol=1e-7)
    # The error of future frames alone counts: by hand from the network's answer.
    alpha, sigma = 1.0, torch.exp(-0.5 * level[:, KNOWN:, None])
    u = x[:, KNOWN:] * (alpha + sigma**2).sqrt()
    out, skip = sigma / (1 + sigma**2).sqrt(), 1 / (1 + sigma**2)
    raw = 0.5 * x[:, KNOWN:] + 0.1 * torch.tanh(level)[:, KNOWN:, None]
    error = (skip * u + out * raw - x0[:, KNOWN:]) / out
    torch.testing.assert_close(loss, error.square().mean((1, 2)), rtol=1e-6, atol=1e-6)


def test_every_process_of_a_recipe_hands_the_noise_on():
    for kind in PROCESSES:
        assert kind(history_noise=0.05).build(anchored=True).history_noise == 0.05
        assert kind().build(anchored=True).history_noise == 0.0
    with pytest.raises(ValidationError, match="greater than or equal"):
        Plain(history_noise=-0.1)


def test_what_does_not_go_with_noisy_history_is_refused():
    with pytest.raises(IncompatibleError, match="gives it the future's"):
        Process(history="diffused", history_noise=0.1)
    process = Process(history_noise=0.1)
    with pytest.raises(IncompatibleError, match="mixture over that noise"):
        likelihood(
            lambda u, t, context: Posterior(u), number(0, 1, FRAMES, 1), process=process, context=GIVEN
        )


def test_nothing_else_of_the_context_is_touched():
    context = Context(history_frames=KNOWN, history=PAST, calendar=number(8, 1, FRAMES, 2))
    changed = Process(history_noise=0.2).shown(context, Key.of(0), torch.empty(1, FRAMES, 1, dtype=F64))
    for field in fields(Context):
        same = getattr(changed, field.name) is getattr(context, field.name)
        assert same == (field.name not in ("history", "history_frames")) or field.name == "history_frames"


def test_the_time_field_has_history_where_its_noise_is():
    process, t = Process(Cosine(), history_noise=0.3), torch.tensor(0.8, dtype=torch.float64)
    field = process.field(t, 5, Context(history_frames=2))
    assert field.shape == (1, 5)
    ratio = process.schedule.sigma(field) / process.schedule.alpha(field)
    assert ratio[0, :2].tolist() == pytest.approx([0.3, 0.3], rel=1e-12)
    assert torch.equal(field[0, 2:], t.expand(3))
