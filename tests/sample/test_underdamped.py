"""The underdamped corrector: OBABO written out as matrices on a Gaussian, and what it is a case of."""

import math

import pytest
import torch

from rheos.process import Process
from rheos.process.schedule import EDM, CondOT, Cosine, Linear
from rheos.sample import Preset, variance_ratio
from rheos.sample.correction import Langevin, Underdamped, inner_nodes
from rheos.sample.grid import LogSNR
from rheos.sample.solver import DDIM, Ancestral

F64 = torch.float64
MODES = torch.logspace(-3, 1, 9, dtype=F64)
MEANS = torch.linspace(-1.0, 2.0, 9, dtype=F64)


def denoiser(schedule, means=MEANS):
    def denoise(u, t):
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        return means + alpha * MODES / (alpha**2 * MODES + sigma**2) * (u - alpha * means)

    return denoise


def obabo(law, e, q):
    """One whole OBABO step of (x - mean, v) for variance `law`: x's part of its matrix, and its noise."""
    c = math.exp(-q * e / 2)
    o = torch.tensor([[1.0, 0.0], [0.0, c]], dtype=F64)
    b = torch.tensor([[1.0, 0.0], [-e / (2 * law), 1.0]], dtype=F64)
    a = torch.tensor([[1.0, e], [0.0, 1.0]], dtype=F64)
    fresh = torch.tensor([[0.0, 0.0], [0.0, 1 - c**2]], dtype=F64)
    inner = o @ b @ a @ b
    return inner @ o, inner @ fresh @ inner.mT + fresh


def after(law, start, e, q, sweeps):
    """Covariance of (x, v) after `sweeps` OBABO steps from x of variance `start` and v of variance 1."""
    covariance = torch.diag(torch.tensor([start, 1.0], dtype=F64))
    for _ in range(sweeps):
        matrix, noise = obabo(law, e, q)
        covariance = matrix @ covariance @ matrix.mT + noise
    return covariance


def push(part, schedule, t, means, spread):
    """Mean and variance of every mode after the correction, from means and deviations given."""
    count = part.sweeps + 1
    basis = torch.eye(count, dtype=F64)[:, :, None, None].expand(-1, -1, 1, len(MODES))
    rows = torch.cat((torch.zeros_like(basis[:1]), basis))
    drawn = iter(range(1, count))
    start = means + spread * rows[:, 0]
    (node,) = inner_nodes(schedule, torch.stack((torch.tensor(0.95, dtype=F64), t, 0.25 * t)), start)
    u, same = part.apply(start, node, denoiser(schedule), lambda: rows[:, next(drawn)])
    assert same is node.time
    assert next(drawn, None) is None, "less noise was drawn than sweeps"
    return u[0, 0], (u[1:] - u[:1]).square().sum((0, 1))


@pytest.mark.parametrize("schedule", [Linear(), EDM(), CondOT()], ids=lambda s: s.name())
@pytest.mark.parametrize(("sweeps", "friction"), [(1, 1.0), (2, 0.7), (5, 2.0), (4, 0.0)])
def test_it_follows_obabo_exactly_on_a_gaussian(schedule, sweeps, friction):
    t = torch.tensor(0.4, dtype=F64)
    sigma, alpha = float(schedule.sigma(t)), float(schedule.alpha(t))
    part = Underdamped(step=0.6, friction=friction, sweeps=sweeps)
    law = alpha**2 * MODES + sigma**2
    e, q = 0.6 * sigma, friction / sigma
    away = torch.linspace(0.5, 1.5, len(MODES), dtype=F64)
    for start in (law, 0.5 * law):
        mean, variance = push(part, schedule, t, alpha * MEANS + away, start.sqrt())
        for j in range(len(MODES)):
            exact = after(float(law[j]), float(start[j]), e, q, sweeps)
            assert float(variance[j]) == pytest.approx(float(exact[0, 0]), rel=1e-11)
            state = torch.tensor([float(away[j]), 0.0], dtype=F64)
            for _ in range(sweeps):
                state = obabo(float(law[j]), e, q)[0] @ state
            assert float(mean[j] - alpha * MEANS[j]) == pytest.approx(float(state[0]), rel=1e-10, abs=1e-12)


def test_it_comes_to_rest_at_its_modified_law():
    """Leapfrog keeps x^2 (1 / V - e^2 / (4 V^2)) + v^2, so x rests at V / (1 - e^2 / (4 V))."""
    schedule, t = Linear(), torch.tensor(0.4, dtype=F64)
    sigma, alpha = float(schedule.sigma(t)), float(schedule.alpha(t))
    law = alpha**2 * MODES + sigma**2
    part = Underdamped(step=0.8, friction=1.5, sweeps=400)
    _, variance = push(part, schedule, t, alpha * MEANS, law.sqrt())
    # The momentum is fresh once; after hundreds of sweeps nothing is left of that.
    torch.testing.assert_close(variance, law / (1 - (0.8 * sigma) ** 2 / (4 * law)), rtol=1e-9, atol=0)


def test_one_sweep_is_a_langevin_step_of_half_the_square():
    schedule, t = EDM(), torch.tensor(0.5, dtype=F64)
    torch.manual_seed(0)
    u, z = torch.randn(2, 3, 4, len(MODES), dtype=F64)
    (node,) = inner_nodes(schedule, torch.stack((t, t, t)), u)
    found, _ = Underdamped(step=0.3, sweeps=1).apply(u, node, denoiser(schedule), lambda: z)
    # Langevin's e is 2 snr^2 sigma^2.
    same, _ = Langevin(snr=0.15).apply(u, node, denoiser(schedule), lambda: z)
    torch.testing.assert_close(found, same, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("schedule", [Cosine(), EDM()], ids=lambda s: s.name())
@pytest.mark.parametrize("solver", [DDIM(), Ancestral()], ids=lambda s: s.name())
def test_the_probe_sees_the_whole_law_of_predictor_and_corrector(schedule, solver):
    part = Underdamped(step=0.4, friction=0.8, sweeps=3)
    chosen = Preset(solver=solver, grid=LogSNR(), evaluations=33, corrections=(part,))
    found = variance_ratio(Process(schedule), MODES, preset=chosen, floor=0.0)
    times = torch.cat((LogSNR().times(schedule, 9).times, torch.zeros(1, dtype=F64)))
    alpha, sigma = schedule.alpha(times), schedule.sigma(times)
    modes = MODES.flip(0)
    variance = sigma[0] ** 2 * torch.ones_like(modes)
    for i, move in enumerate(solver.plan(schedule, times)):
        gain = alpha[i] * modes / (alpha[i] ** 2 * modes + sigma[i] ** 2)
        variance = (move.scale + move.weights[0] * gain) ** 2 * variance
        variance = variance + (0.0 if move.noise is None else move.noise**2)
        if i < 8:
            law, s = alpha[i + 1] ** 2 * modes + sigma[i + 1] ** 2, float(sigma[i + 1])
            variance = torch.stack(
                [
                    after(float(v), float(x), 0.4 * s, 0.8 / s, 3)[0, 0]
                    for v, x in zip(law, variance, strict=True)
                ]
            )
    torch.testing.assert_close(found.ratios, variance / modes, rtol=1e-9, atol=0)
    assert found.evaluations == 33


def test_momentum_crosses_a_law_in_fewer_steps():
    """From half the variance of a wide mode, the same calls bring momentum further than Langevin steps."""
    schedule, t = EDM(), torch.tensor(0.3, dtype=F64)
    sigma = float(schedule.sigma(t))
    law = MODES + sigma**2
    way = []
    for part in (Underdamped(step=0.5, friction=0.5, sweeps=12), Langevin(snr=0.25, sweeps=12)):
        _, variance = push(part, schedule, t, MEANS, (0.5 * law).sqrt())
        way.append(float((variance / law)[-1]) - 0.5)
    assert way[0] > 4.0 * way[1] > 0.0
