"""Denoisers of states: exact Gaussian answers, two meanings of one network, and what training leads to."""

import pytest
import torch
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.denoise import HybridScore, StateDenoiser
from rheos.denoise.time_sampler import Uniform
from rheos.process import CriticallyDamped, Process

F64 = torch.float64
PROCESS = CriticallyDamped()


class Constant(nn.Module):
    """Answers one number, whatever it sees, and remembers that."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=F64))

    def forward(self, x, level, context):
        self.seen, self.level = x, level
        return self.value.expand(x.shape)


def gaussian(state, t, mean, spread):
    """E[x_0 | state] and its deviation for x_0 ~ N(mean, spread^2), by conditioning."""
    known = PROCESS.operators(t)
    covariance = spread**2 * torch.outer(known.a, known.a) + known.b @ known.b.mT
    gain = torch.linalg.solve(covariance, spread**2 * known.a)
    x, v = PROCESS.split(state)
    away = (x - known.a[0] * mean, v - known.a[1] * mean)
    left = spread**2 - spread**2 * gain @ known.a
    return mean + gain[0] * away[0] + gain[1] * away[1], left.clamp(min=0).sqrt()


@pytest.mark.parametrize("time", [0.001, 0.05, 0.4, 1.0])
def test_the_preconditioned_guess_is_exact_for_gaussian_clips(time):
    t, spread = torch.tensor(time, dtype=F64), 0.7
    torch.manual_seed(0)
    state = torch.randn(3, 4, 4, dtype=F64)
    found = StateDenoiser(Constant(), PROCESS, sigma_data=spread)(state, t).mean
    exact, deviation = gaussian(state, t, 0.0, spread)
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-9)
    ones = StateDenoiser(Constant(1.0), PROCESS, sigma_data=spread)(state, t).mean
    torch.testing.assert_close(ones - found, deviation.expand_as(found), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("time", [0.01, 0.3, 0.9])
def test_a_network_of_the_velocitys_noise_gives_the_published_score(time):
    """s_v = -l a with l = sqrt(C_xx / (C_xx C_vv - C_xv^2)), and the mean that has this score."""
    t = torch.tensor(time, dtype=F64)
    torch.manual_seed(1)
    state = torch.randn(2, 3, 2, dtype=F64)
    denoiser = StateDenoiser(Constant(0.8), PROCESS, "noise")
    mean = denoiser(state, t).mean
    known = PROCESS.operators(t)
    c = known.b @ known.b.mT
    scale = (c[0, 0] / (c[0, 0] * c[1, 1] - c[0, 1] ** 2)).sqrt()
    score = PROCESS.split(PROCESS.score(state, mean, t))[1]
    torch.testing.assert_close(score, (-0.8 * scale).expand_as(score), rtol=1e-8, atol=1e-8)


def test_its_network_sees_unit_parts_and_the_clips_own_level():
    t = torch.tensor(0.2, dtype=F64)
    torch.manual_seed(2)
    rows = 40_000
    x0 = 0.5 * torch.randn(rows, 1, 1, dtype=F64)
    state = PROCESS.diffuse(x0, t, torch.randn(rows, 1, 2, dtype=F64))
    network = Constant()
    StateDenoiser(network, PROCESS, sigma_data=0.5)(state, t)
    assert network.seen.var((0, 1)).tolist() == pytest.approx([1.0, 1.0], rel=0.03)
    assert float(network.level[0, 0]) == pytest.approx(float(PROCESS.level(t)))


def test_clean_frames_come_back_as_they_are():
    t = torch.tensor([[0.0, 0.5]], dtype=F64)
    torch.manual_seed(3)
    state = torch.randn(2, 2, 6, dtype=F64)
    for prediction in ("preconditioned", "noise"):
        network = Constant(3.0)
        mean = StateDenoiser(network, PROCESS, prediction)(state, t).mean
        assert torch.equal(mean[:, 0], state[:, 0, :3])
        assert bool(torch.isfinite(mean).all())
        assert network.level[:, 0].tolist() == [20.0, 20.0]


def test_the_objective_is_hybrid_score_matching_written_out():
    """|a - z_v|^2 of the network that answers a, at the objective's own times and noise."""
    torch.manual_seed(4)
    x0, key = torch.randn(5, 3, 2, dtype=F64), Key.of(3, 5)
    network = Constant(0.4)
    loss = HybridScore()(StateDenoiser(network, PROCESS, "noise"), x0, Context(), key)
    z = key.at(Purpose.NOISE).normal((3, 4), F64)
    torch.testing.assert_close(loss, (0.4 - z[:, :, 2:]).square().mean((1, 2)), rtol=1e-8, atol=1e-8)
    # Its states are A x_0 + B z at stratified uniform times.
    shifted = Uniform()(type("Span", (), {"t_min": PROCESS.t_min, "t_max": PROCESS.t_max})(), 5, key)
    known = [PROCESS.operators(t) for t in shifted]
    for row, one in enumerate(known):
        variance = one.a**2 + one.b.square().sum(-1)
        x = one.a[0] * x0[row] + one.b[0, 0] * z[row, :, :2]
        v = one.a[1] * x0[row] + one.b[1, 0] * z[row, :, :2] + one.b[1, 1] * z[row, :, 2:]
        seen = torch.cat((x / variance[0].sqrt(), v / variance[1].sqrt()), 1)
        torch.testing.assert_close(network.seen[row], seen, rtol=1e-9, atol=1e-9)


def test_missing_and_clean_entries_do_not_count():
    torch.manual_seed(5)
    x0, key = torch.randn(4, 3, 2, dtype=F64), Key.of(1, 4)
    mask = torch.ones_like(x0)
    mask[:, 2, 1] = 0.0
    changed = x0.clone()
    changed[:, 2, 1] = torch.nan
    denoiser = StateDenoiser(Constant(0.4), PROCESS, "noise")
    context = Context(history_frames=1, history=x0[:, :1], mask=mask)
    loss = HybridScore()(denoiser, changed, context, key)
    z = key.at(Purpose.NOISE).normal((3, 4), F64)[:, 1:, 2:]
    error = ((0.4 - z).square() * mask[:, 1:]).sum((1, 2)) / 3.0
    torch.testing.assert_close(loss, error, rtol=1e-8, atol=1e-8)
    seen = denoiser.network.seen
    assert float(seen[:, 0, 2:].abs().max()) == 0.0, "a clean frame rests"
    drawn = Context(history_frames=1, history=x0[:, :1], mask=torch.ones_like(x0), counted=mask)
    torch.testing.assert_close(HybridScore()(denoiser, x0, drawn, key), error, rtol=1e-8, atol=1e-8)
    assert (denoiser.network.seen[:, 2, 1] != seen[:, 2, 1]).all(), "what was drawn is shown"


def test_training_finds_the_exact_answer():
    """Least squares over (x, v) at one noise level: the minimizer is the Gaussian's conditional mean."""

    class Narrow(CriticallyDamped):
        @property
        def t_min(self):
            return 0.299

        @property
        def t_max(self):
            return 0.301

    class Affine(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = (
                nn.Parameter(torch.zeros(2, dtype=F64)),
                nn.Parameter(torch.zeros(1).to(F64)),
            )

        def forward(self, x, level, context):
            guess = x[..., :1] * self.weight[0] + x[..., 1:] * self.weight[1] + self.bias
            return torch.cat((torch.zeros_like(guess), guess), -1)

    process, rows = Narrow(), 50_000
    for prediction in ("noise", "preconditioned"):
        denoiser = StateDenoiser(Affine(), process, prediction)
        torch.manual_seed(6)
        x0 = 1.5 + 0.4 * torch.randn(rows, 1, 1, dtype=F64)
        optimizer = torch.optim.LBFGS(
            denoiser.parameters(), lr=1.0, max_iter=40, line_search_fn="strong_wolfe"
        )

        def loss(x0=x0, denoiser=denoiser, optimizer=optimizer):
            optimizer.zero_grad()
            value = HybridScore()(denoiser, x0, Context(), Key.of(0, rows)).mean()
            value.backward()
            return value

        optimizer.step(loss)
        t = torch.tensor(0.3, dtype=F64)
        state = process.diffuse(x0[:200], t, torch.randn(200, 1, 2, dtype=F64))
        exact, deviation = gaussian(state, t, 1.5, 0.4)
        found = denoiser(state, t).mean.detach()
        # From 50 000 clips: weights err by about 1 / sqrt(50 000) deviations, here with five to spare.
        assert float((found - exact).abs().max()) < 0.08 * float(deviation)


def test_what_cannot_be_is_refused():
    with pytest.raises(IncompatibleError, match="use rheos"):
        StateDenoiser(Constant(), Process())
    with pytest.raises(InputError, match="above 0"):
        StateDenoiser(Constant(), PROCESS, sigma_data=0.0)
