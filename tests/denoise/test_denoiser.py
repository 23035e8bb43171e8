"""The denoiser: what the network is shown and told, and what its answer becomes."""

import pytest
import torch
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.denoise import Denoiser, GaussianOracle
from rheos.process import DyDiff, Process
from rheos.process.coordinates import Anchored, FrameMixing
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine

SHAPE = (3, 5, 2)
FIELDS = [(), (3,), (1,), (3, 5), (1, 5), (3, 5, 2), (3, 1, 2)]


def number(seed=0, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Recorder(nn.Module):
    """Keeps what it was shown and answers with a fixed clip."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x, level, context):
        self.x, self.level, self.context = x, level, context
        return self.answer


class ExactNetwork(nn.Module):
    """The output a perfect network would give, found from what a network is shown and told alone."""

    def __init__(self, oracle, process, prediction, sigma_data):
        super().__init__()
        self.oracle, self.process, self.prediction, self.sd = oracle, process, prediction, sigma_data

    def forward(self, x, level, context):
        schedule = self.process.schedule
        t = schedule.time_at(level.to(torch.float64))
        t = torch.where(level >= 20.0, 0.0, t)
        alpha, sigma = schedule.alpha(t)[..., None], schedule.sigma(t)[..., None]
        scaled = self.process.coordinates.to_canonical(x, t, context)
        u = scaled * torch.sqrt((alpha * self.sd) ** 2 + sigma**2)
        data = self.oracle(u, t).mean
        noise = torch.where(sigma > 0, (u - alpha * data) / sigma, 0.0)
        if self.prediction == "v":
            return alpha * noise - sigma * data
        total = torch.sqrt((alpha * self.sd) ** 2 + sigma**2)
        return (sigma * data / self.sd - alpha * self.sd * noise) / total


@pytest.mark.parametrize("prediction", ["preconditioned", "v"])
@pytest.mark.parametrize("schedule", [s() for s in SCHEDULES], ids=repr)
@pytest.mark.parametrize("history", ["clean", "diffused"])
def test_a_perfect_network_makes_the_exact_denoiser(prediction, schedule, history):
    """Input scale, coordinates, level and conversion together: nothing may be lost on the way."""
    process = Process(schedule, Anchored() * FrameMixing(), history=history)
    root = number(1, (10, 10))
    oracle = GaussianOracle(number(2, (5, 2)), root @ root.T / 10 + torch.eye(10), process)
    network = ExactNetwork(oracle, process, prediction, 1.7)
    context = Context(history_frames=2, anchor=number(3), anchor_scale=number(4, (3, 1, 2)).abs() + 0.5)
    t = process.field(torch.tensor([0.3, 0.6, 0.95], dtype=torch.float64), 5, context)
    u = number(5)
    answer = Denoiser(network, process, prediction, 1.7)(u, t, context).mean
    torch.testing.assert_close(answer, oracle(u, t).mean, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shape", FIELDS)
def test_every_time_field_is_one_formula(shape):
    """Any shape gives what its expansion to all entries gives, entry by entry."""
    process, answer, u = Process(EDM()), number(1), number(2)
    t = 0.3 + 0.6 * torch.rand(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    full = t.reshape(t.shape + (1,) * (3 - t.ndim)).expand(SHAPE)
    mean = Denoiser(Recorder(answer), process, sigma_data=0.5)(u, t).mean
    s = 80.0 * full**7
    expected = 0.25 / (s**2 + 0.25) * u + 0.5 * s / (s**2 + 0.25).sqrt() * answer
    torch.testing.assert_close(mean, expected, rtol=1e-12, atol=1e-12)


def test_a_time_field_that_does_not_lead_the_clip_is_refused():
    with pytest.raises(IncompatibleError):
        Denoiser(Recorder(number()), Process())(number(), torch.full((5,), 0.5).double())


def test_the_network_is_shown_scaled_data_in_the_process_coordinates():
    process = Process(EDM(), Anchored() * FrameMixing())
    context = Context(anchor=number(1), anchor_scale=number(2).abs())
    recorder, u, t = Recorder(number(3)), number(4), torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64)
    Denoiser(recorder, process, sigma_data=0.5)(u, t, context)
    scaled = u / ((80.0 * t**7) ** 2 + 0.25).sqrt()[:, None, None]
    mixed = torch.einsum("bij,bjc->bic", FrameMixing().matrix(t, 5), scaled)
    torch.testing.assert_close(recorder.x, context.anchor_scale * mixed + context.anchor)
    assert recorder.context is context


def test_the_network_is_told_log_snr_per_frame():
    t = torch.tensor([[0.0, 0.2, 0.5, 0.9, 0.9]] * 3, dtype=torch.float64)
    recorder = Recorder(number().float())
    Denoiser(recorder, Process(CondOT()))(number().float(), t)
    expected = torch.tensor([20.0] + [2 * torch.log((1 - x) / x).item() for x in t[0, 1:]])
    assert recorder.level.shape == (3, 5)
    assert recorder.level.dtype == torch.float32
    torch.testing.assert_close(recorder.level[1], expected)
    Denoiser(recorder, Process(CondOT()))(number().float(), torch.tensor(1.0, dtype=torch.float64))
    assert (recorder.level == -20).all()


def test_clean_frames_come_back_bit_for_bit():
    process, context, u = DyDiff().build(), Context(history_frames=2), number(1).float()
    t = process.field(torch.tensor(0.7, dtype=torch.float64), 5, context)
    mean = Denoiser(Recorder(number(2).float()), process)(u, t, context).mean
    assert torch.equal(mean[:, :2], u[:, :2])
    assert not (mean[:, 2:] == u[:, 2:]).any()


def test_a_floor_of_one_is_plain_diffusion_bit_for_bit():
    u, t = number(1).float(), torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    network = nn.Linear(2, 2)

    class Net(nn.Module):
        def forward(self, x, level, context):
            return network(x) * level[..., None]

    plain = Denoiser(Net(), Process(Cosine()))(u, t).mean
    assert torch.equal(Denoiser(Net(), DyDiff(floor=1.0).build())(u, t).mean, plain)
    assert not torch.equal(Denoiser(Net(), DyDiff().build())(u, t).mean, plain)
