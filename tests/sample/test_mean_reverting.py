"""The mean-reverting sampler, written out in x about mu, is the general kernel about an anchor.

Li et al. 2025 (MR Sampler, arXiv 2502.07856) for dx = th (mu - x) dt + g dw, g^2 = 2 s^2 th, with marginals
x_t = alpha x_0 + (1 - alpha) mu + s sqrt(1 - alpha^2) z. The third order has the factor 2 that code lacks.
"""

import pytest
import torch

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.denoise.denoiser import Denoiser
from rheos.process import MeanReverting, Plain, Process
from rheos.process.schedule import CosineRate, Linear
from rheos.sample import Preset, probe, sample
from rheos.sample.grid import LogSNR, TimeGrid
from rheos.sample.solver import SOLVERS, Ancestral, Exponential, ExponentialNoise

F64 = torch.float64
ROWS, FRAMES, CHANNELS = 2, 4, 3
S_INF = 0.3
KEY = Key.of(7, ROWS)


def context(shift=0.0, scale=S_INF):
    torch.manual_seed(1)
    mu = torch.randn(ROWS, FRAMES, CHANNELS, dtype=F64) + shift
    return Context(anchor=mu, anchor_scale=torch.full((ROWS, 1, 1), scale, dtype=F64))


def seen_answer(x, t, mu, scale=S_INF):
    """E[x_0 | x_t] as some network has it: smooth, not affine, and it moves with mu."""
    away = (x - mu) / scale
    return mu + scale * (torch.sin(2.0 * away) + away * expand(t, x))


def canonical_answer(u, t, known):
    """The same for u = (x - mu) / s, as the denoiser of a mean-reverting process gives it."""
    process = MeanReverting().build()
    scale = float(known.anchor_scale.flatten()[0])
    clean = seen_answer(process.coordinates.to_seen(u, t, known), t, known.anchor, scale)
    return Posterior(process.canonical(clean, Context(anchor=known.anchor, anchor_scale=known.anchor_scale)))


def ragged(schedule, steps=9):
    """Falling times of uneven spacing, from where generation starts."""
    unit = torch.linspace(0, 1, steps, dtype=F64)
    unit = unit + 0.08 * torch.sin(7.0 * unit) * unit * (1 - unit)
    return TimeGrid(schedule.t_max + (0.05 - schedule.t_max) * unit)


def published(form, order, noise, schedule, times, x, mu, z):
    """The paper's steps in x, one after the other: `form` data or noise, `noise` the SDE's."""
    alpha, sigma = schedule.alpha(times), S_INF * torch.sqrt(1.0 - schedule.alpha(times) ** 2)
    lam = torch.log(alpha / sigma)
    h = lam.diff()
    kept, nodes = [], [x]
    for i in range(len(h)):
        clean = seen_answer(x, times[i], mu)
        eps = (x - alpha[i] * clean - (1.0 - alpha[i]) * mu) / sigma[i]
        kept.insert(0, clean if form == "data" else eps)
        d1, d2 = torch.zeros_like(x), torch.zeros_like(x)
        r0 = h[i - 1] / h[i] if i > 0 else None
        r1 = h[i - 2] / h[i] if i > 1 else None
        if order > 1 and r0 is not None:
            d1 = (kept[0] - kept[1]) / r0
        if order > 2 and r1 is not None:
            older = (kept[1] - kept[2]) / r1
            d1, d2 = d1 + r0 / (r0 + r1) * (d1 - older), (d1 - older) / (r0 + r1)
        a, b, s = alpha[i + 1] / alpha[i], alpha[i + 1], sigma[i + 1]
        decay = s / sigma[i]
        if form == "data" and not noise:
            e = torch.expm1(-h[i])
            third = 2.0 * ((e + h[i]) / h[i] ** 2 - 0.5)
            x = decay * x + mu * (1.0 - b - decay * (1.0 - alpha[i]))
            x = x - b * (e * kept[0] - (e / h[i] + 1.0) * d1 + third * d2)
        elif form == "data":
            p = 1.0 - torch.exp(-2.0 * h[i])
            decay = decay * torch.exp(-h[i])
            x = decay * x + mu * (1.0 - b - decay * (1.0 - alpha[i]))
            x = x + b * p * kept[0] + b * (1.0 - p / (2.0 * h[i])) * d1 + s * torch.sqrt(p) * z[i]
        else:
            e = torch.expm1(h[i])
            third = 2.0 * ((e - h[i]) / h[i] ** 2 - 0.5)
            move = e * kept[0] + (e / h[i] - 1.0) * d1 + third * d2
            x = a * x + mu * (1.0 - a) - (2.0 if noise else 1.0) * s * move
            if noise:
                x = x + s * torch.sqrt(torch.expm1(2.0 * h[i])) * z[i]
        nodes.append(x)
    return torch.stack(nodes)


CASES = [("data", order, 0.0) for order in (1, 2, 3)]
CASES += [("noise", order, 0.0) for order in (1, 2, 3)]
CASES += [(form, order, 1.0) for form in ("data", "noise") for order in (1, 2)]


@pytest.mark.parametrize("schedule", [CosineRate(), Linear(beta_end=8.0)], ids=lambda s: s.name())
@pytest.mark.parametrize(("form", "order", "noise"), CASES)
def test_every_form_is_a_case_of_the_kernel(form, order, noise, schedule):
    """From the very noise that `sample` starts from, to round-off, at every node."""
    process, known = MeanReverting(schedule=schedule).build(), context()
    solver = (Exponential if form == "data" else ExponentialNoise)(order=order, eta=noise)
    grid = ragged(schedule)
    drawn = sample(
        canonical_answer,
        (ROWS, FRAMES, CHANNELS),
        key=KEY,
        process=process,
        context=known,
        preset=Preset(solver=solver, grid=grid),
        dtype=F64,
        trajectory=True,
    )
    z = [
        process.noise.draw(KEY.at(Purpose.STEP, i), (FRAMES, CHANNELS), known, F64)
        for i in range(len(grid) - 1)
    ]
    start = known.anchor + S_INF * drawn.trajectory[0]
    exact = published(form, order, noise, schedule, grid.times, start, known.anchor, z)
    found = torch.stack([process.read(u, known) for u in drawn.trajectory[:-1]])
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        drawn.clips, seen_answer(exact[-1], grid.times[-1], known.anchor), rtol=1e-8, atol=1e-8
    )


def test_its_start_is_the_mean_and_its_spread():
    """x_1 = mu + s sigma_1 z: the share alpha_1 (x_0 - mu) is left out."""
    process, known = MeanReverting().build(), context()
    u = process.start(known, KEY, (ROWS, FRAMES, CHANNELS), F64)
    z = process.noise.draw(KEY.at(Purpose.START), (FRAMES, CHANNELS), known, F64)
    end = torch.tensor(1.0, dtype=F64)
    spread = S_INF * torch.sqrt(1.0 - process.schedule.alpha(end) ** 2)
    torch.testing.assert_close(process.read(u, known), known.anchor + spread * z)


def plain_answer(u, t, known):
    return Posterior(torch.sin(2.0 * u) + u * expand(t, u))


@pytest.mark.parametrize("solver", [cls() for cls in SOLVERS], ids=lambda s: s.name())
def test_no_mean_and_unit_spread_are_the_plain_process_bit_for_bit(solver):
    shape, chosen = (ROWS, FRAMES, CHANNELS), Preset(solver=solver, evaluations=9)
    zero = Context(anchor=torch.zeros(shape, dtype=F64), anchor_scale=torch.ones(ROWS, 1, 1, dtype=F64))
    about, plain = (
        sample(plain_answer, shape, key=KEY, process=process, context=known, preset=chosen, dtype=F64)
        for process, known in (
            (MeanReverting().build(), zero),
            (Plain(schedule=CosineRate()).build(), Context()),
        )
    )
    assert torch.equal(about.clips, plain.clips)


@pytest.mark.parametrize("solver", [cls() for cls in SOLVERS], ids=lambda s: s.name())
def test_what_is_drawn_shifts_with_the_data_and_the_mean(solver):
    def draw(shift):
        return sample(
            canonical_answer,
            (ROWS, FRAMES, CHANNELS),
            key=KEY,
            process=MeanReverting().build(),
            context=context(shift),
            preset=Preset(solver=solver, evaluations=9),
            dtype=F64,
        ).clips

    torch.testing.assert_close(draw(5.0), draw(0.0) + 5.0, rtol=0, atol=1e-8)


def test_the_posterior_sampler_is_the_first_sde_data_step():
    """IR-SDE's posterior of x_n given x_s and x_0, from Bayes' rule in x, is ancestral and eta = 1."""
    schedule, known = CosineRate(), context()
    grid = ragged(schedule)
    kept = {}
    for solver in (Ancestral(), Exponential(eta=1.0, order=1)):
        kept[solver.name()] = sample(
            canonical_answer,
            (ROWS, FRAMES, CHANNELS),
            key=KEY,
            process=MeanReverting(schedule=schedule).build(),
            context=known,
            preset=Preset(solver=solver, grid=grid),
            dtype=F64,
            trajectory=True,
        ).trajectory
    torch.testing.assert_close(kept["ancestral"], kept["exponential"], rtol=1e-11, atol=1e-11)
    alpha = schedule.alpha(grid.times)
    x, mu = known.anchor + S_INF * kept["ancestral"], known.anchor
    for i in range(len(grid) - 1):
        a = alpha[i] / alpha[i + 1]
        clean = seen_answer(x[i], grid.times[i], mu)
        # x_n ~ N(mu + alpha_n (x_0 - mu), s^2 (1 - alpha_n^2)) given x_0; x_s - mu = a (x_n - mu) + noise.
        prior, step = S_INF**2 * (1 - alpha[i + 1] ** 2), S_INF**2 * (1 - a**2)
        variance = 1.0 / (1.0 / prior + a**2 / step)
        mean = mu + variance * (alpha[i + 1] * (clean - mu) / prior + a * (x[i] - mu) / step)
        z = Process().noise.draw(KEY.at(Purpose.STEP, i), (FRAMES, CHANNELS), known, F64)
        torch.testing.assert_close(x[i + 1], mean + variance.sqrt() * z, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("prediction", ["noise", "x0", "v"])
def test_networks_of_the_papers_three_kinds_mean_the_same(prediction):
    """D and eps from a network in x: data, noise, and v = s alpha eps - (sigma / s) (x_0 - mu)."""
    process, known, t = MeanReverting().build(), context(), torch.tensor(0.6, dtype=F64)
    alpha = process.schedule.alpha(t)
    sigma = S_INF * torch.sqrt(1.0 - alpha**2)
    torch.manual_seed(3)
    x, raw = torch.randn(2, ROWS, FRAMES, CHANNELS, dtype=F64)
    mu = known.anchor

    class Fixed(torch.nn.Module):
        def forward(self, seen, level, context):
            return raw

    u = (x - mu) / S_INF
    found = process.read(Denoiser(Fixed(), process, prediction).to(F64)(u, t, known).mean, known)
    if prediction == "noise":
        exact = (x - sigma * raw - (1.0 - alpha) * mu) / alpha
    elif prediction == "x0":
        exact = mu + S_INF * raw  # the canonical clip is the data's deviation in units of s
    else:
        v = S_INF * raw
        exact = alpha * x + (1.0 - alpha) * mu - sigma / S_INF * v
        eps = (alpha * v + sigma / S_INF * (x - mu)) / S_INF
        torch.testing.assert_close(eps, (x - mu - alpha * (exact - mu)) / sigma, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-9)


class Scattered:
    """The exact denoiser of x_0 ~ N(mu + 0.4, 0.5^2) about mu."""

    def __init__(self, process):
        self.process = process

    def __call__(self, u, t, known):
        alpha, sigma = (expand(f(t), u) for f in (self.process.schedule.alpha, self.process.schedule.sigma))
        m, c = 0.4 / S_INF, (0.5 / S_INF) ** 2
        return Posterior(m + alpha * c / (alpha**2 * c + sigma**2) * (u - alpha * m))


@pytest.mark.parametrize("form", [Exponential, ExponentialNoise], ids=lambda f: f.name())
@pytest.mark.parametrize("order", [1, 2])
def test_the_variance_of_noisy_steps_converges(form, order):
    """Of Gaussian data about mu: twice the steps, half the error at first order and a third at second."""
    process = MeanReverting(schedule=CosineRate(end=1e-6)).build()
    one = context().rows(slice(0, 1))
    one = Context(anchor=one.anchor[:, :1, :1], anchor_scale=one.anchor_scale)
    errors = []
    for steps in (80, 160):
        grid = LogSNR(highest=1e5, lowest=0.001).times(process.schedule, steps)
        law = probe(
            Scattered(process),
            (1, 1),
            process=process,
            context=one,
            preset=Preset(solver=form(order=order, eta=1.0), grid=grid),
        )
        errors.append(abs(float(law.covariance) - 0.25))
    assert errors[1] < 0.03 / order
    assert errors[0] / errors[1] > (1.8 if order == 1 else 3.0), errors
