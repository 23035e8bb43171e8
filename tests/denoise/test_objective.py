"""The denoising loss: by hand, at its minimum, and blind to what is missing."""

import math

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.denoise import Denoiser, GaussianOracle, Objective
from rheos.denoise.time_sampler import LogNormal, TimeSampler
from rheos.process import DyDiff, Process
from rheos.process.coordinates import Anchored, FrameMixing
from rheos.process.schedule import EDM, CondOT, Cosine

SHAPE = (3, 5, 2)


def number(seed=0, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Half(nn.Module):
    def forward(self, x, level, context):
        return 0.5 * x + 0.1 * level[..., None]


class Fixed(TimeSampler):
    """One time for all rows."""

    kind: str = "fixed"
    t: float = 0.5

    def quantile(self, schedule, w):
        return torch.full_like(w, self.t)


def fixed(t, **words):
    return Objective.model_construct(**{**Objective().__dict__, "time_sampler": Fixed(t=t), **words})


def by_hand(process, x0, context, key, sd, objective):
    """Frame by frame with loops over entries, straight from the definitions of the EDM schedule."""
    t = objective.time_sampler(process.schedule, len(x0), key)
    z = key.at(Purpose.NOISE, key.step).normal(SHAPE[1:], torch.float64)
    losses = []
    for b in range(len(x0)):
        s = 80.0 * float(t[b]) ** 7
        r = float(FrameMixing().correlation(t[b]))
        scale, anchor, mask = context.anchor_scale[b], context.anchor[b], context.mask[b]
        total, count = 0.0, 0
        error, mixed_input = torch.zeros(5, 2).double(), torch.zeros(5, 2).double()
        u = torch.zeros(5, 2).double()
        for f in range(5):
            noise = 0.0 if f < 2 else s
            u0 = torch.where(mask[f] > 0, (x0[b, f] - anchor[f]) / scale[0], 0.0)
            u[f] = u0 + noise * z[b, f]
            own = u[f] / (noise**2 + sd**2) ** 0.5
            mixed_input[f] = own if f == 0 else (1 - r**2) ** 0.5 * own + r * mixed_input[f - 1]
            seen = scale[0] * mixed_input[f] + anchor[f]
            level = 20.0 if f < 2 else min(20.0, max(-20.0, -2 * math.log(s)))
            raw = 0.5 * seen + 0.1 * level
            if f >= 2:
                target = (u0 - sd**2 / (s**2 + sd**2) * u[f]) / (s * sd / (s**2 + sd**2) ** 0.5)
                error[f] = (raw - target) * mask[f]
                count += int(mask[f].sum())
        mixed = torch.zeros(5, 2).double()
        for f in range(5):
            mixed[f] = error[f] if f == 0 else (1 - r**2) ** 0.5 * error[f] + r * mixed[f - 1]
            total += float(mixed[f].square().sum())  # the anchor's scale is a unit, not a cost
        losses.append(total / count)
    return torch.tensor(losses, dtype=torch.float64)


def test_the_loss_is_what_one_computes_by_hand():
    process = Process(EDM(), Anchored() * FrameMixing())
    mask = (number(1) > -0.5).double()
    context = Context(
        history_frames=2, mask=mask, anchor=number(2), anchor_scale=number(3, (3, 1, 2)).abs() + 0.5
    )
    objective, key, x0 = Objective(time_sampler=LogNormal(std=0.5)), Key.of(4, 3), number(4)
    denoiser = Denoiser(Half(), process, sigma_data=0.8)
    for step in (0, 9):
        at = key.at(Purpose.BATCH, step)
        expected = by_hand(process, x0, context, at, 0.8, objective)
        torch.testing.assert_close(objective(denoiser, x0, context, at), expected, rtol=1e-9, atol=1e-9)


def test_what_is_missing_changes_nothing():
    process = DyDiff().build()
    mask = (number(1) > 0).double()
    context = Context(history_frames=2, mask=mask)
    denoiser, key, x0 = Denoiser(Half(), process), Key.of(4, 3), number(4)
    first = Objective()(denoiser, x0, context, key)
    other = Objective()(denoiser, torch.where(mask > 0, x0, torch.nan), context, key)
    assert torch.equal(first, other)
    nothing = Context(history_frames=2, mask=torch.zeros(SHAPE))
    assert (Objective()(denoiser, x0, nothing, key) == 0).all()


@pytest.mark.parametrize("whole", [False, True])
def test_a_missing_entrys_own_error_is_not_counted(whole):
    """A network that is wrong only where data is missing, drawn or not, or on clean history, has no loss."""
    process, x0 = DyDiff().build(), number(4)
    mask = (number(1) > 0).double()
    context = Context(history_frames=2, mask=mask)
    if whole:
        context = Context(history_frames=2, mask=torch.ones(SHAPE), counted=mask)

    class Wrong(Denoiser):
        def forward(self, u, t, context):
            u0 = self.process.canonical(x0, context)
            wrong = torch.where((mask > 0) & (torch.arange(5) >= 2)[None, :, None], 0.0, 7.0)
            return Posterior(u0 + wrong)

    loss = Objective()(Wrong(Half(), process), x0, context, Key.of(4, 3))
    assert loss.abs().max() < 1e-20


@pytest.mark.parametrize("time", [0.2, 0.7])
def test_at_the_exact_denoiser_the_loss_is_the_posterior_variance_in_the_metric(time):
    """min E |L e|^2 = tr(L Cov[u_0 | u] L^T), reached where the gradient vanishes in expectation."""
    rows = 40_000
    process, t = (
        DyDiff(schedule=CondOT(), history="diffused").build(),
        torch.tensor(time, dtype=torch.float64),
    )
    root = number(1, (4, 4))
    mean, covariance = number(2, (4,)), root @ root.T / 4 + 0.1 * torch.eye(4)
    oracle = GaussianOracle(mean, covariance, process)
    x0 = (mean + number(3, (rows, 4)) @ torch.linalg.cholesky(covariance).T)[..., None]

    class Shifted(Denoiser):
        """The exact answer, moved along a direction that depends on u."""

        def forward(self, u, t, context):
            return Posterior(oracle(u, t).mean + self.step * torch.tanh(u.roll(1, 1)))

    denoiser = Shifted(Half(), process, "x0")
    denoiser.step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    loss = fixed(time)(denoiser, x0, Context(), Key.of(1, rows))
    mixing = FrameMixing().matrix(t, 4)
    left = oracle(x0[:1], t).covariance[0]
    least = float(torch.trace(mixing @ left @ mixing.T)) / 4
    error = float(loss.detach().std()) / rows**0.5
    assert abs(float(loss.detach().mean()) - least) < 3 * error
    slope = torch.autograd.grad(loss.mean(), denoiser.step)[0]
    assert abs(float(slope)) < 0.02
    with torch.no_grad():
        for step in (-0.3, 0.3):
            denoiser.step = torch.tensor(step, dtype=torch.float64)
            assert float(fixed(time)(denoiser, x0, Context(), Key.of(1, rows)).mean()) > least + 3 * error


def test_predictions_share_their_minimum_but_not_their_weight():
    """snr weight on data is unit weight on noise: the same loss from two networks of the same meaning."""
    process, x0, key, context = Process(Cosine()), number(4), Key.of(4, 3), Context()

    class AsData(Denoiser):
        def forward(self, u, t, context):
            a, s = Cosine().alpha(t)[:, None, None], Cosine().sigma(t)[:, None, None]
            return Posterior((u - s * 0.3 * u) / a)

    class AsNoise(nn.Module):
        def forward(self, x, level, context):
            return 0.3 * x

    ours = Objective(weight="snr")(AsData(Half(), process, "x0"), x0, context, key)
    theirs = Objective()(Denoiser(AsNoise(), process, "noise"), x0, context, key)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_rows_have_losses_of_their_own():
    process, key, x0 = DyDiff().build(), Key.of(4, 3), number(4)
    context = Context(history_frames=2)
    denoiser, objective = Denoiser(Half(), process), fixed(0.6)
    whole = objective(denoiser, x0, context, key)
    x0[2] += 1.0
    changed = objective(denoiser, x0, context, key)
    assert torch.equal(whole[:2], changed[:2])
    assert whole[2] != changed[2]


def test_an_objective_survives_json():
    objective = Objective(time_sampler=LogNormal(mean=-0.4), weight="min_snr")
    assert TypeAdapter(Objective).validate_json(objective.model_dump_json()) == objective
