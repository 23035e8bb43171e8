"""Heavy ball: the published combinations, the loops written out, orders, and where it stays stable."""

import math

import numpy as np
import pytest
import torch

from rheos.process.schedule import EDM, CondOT, Linear
from rheos.sample.driver import sequential
from rheos.sample.solver import DDIM, HeavyBall

F64 = torch.float64
SHARES = (1.0, 0.8, 0.5, 0.2)


def run(solver, schedule, fields, u, denoise):
    moves = [move.to(u) for move in solver.plan(schedule, fields)]
    return sequential(denoise, moves, u, lambda step: u)


@pytest.mark.parametrize("b", SHARES)
def test_combinations_are_the_papers(b):
    printed = [
        [1.0],
        [(2 + b) / (2 * b), -(2 - b) / (2 * b)],
        [(18 + 5 * b) / (12 * b), -(24 - 8 * b) / (12 * b), (6 - b) / (12 * b)],
        [c / (24 * b) for c in (46 + 9 * b, -(78 - 19 * b), 42 - 5 * b, -(10 - b))],
        [
            c / (720 * b)
            for c in (1650 + 251 * b, -(3420 - 646 * b), 2880 - 264 * b, -(1380 - 106 * b), 270 - 19 * b)
        ],
    ]
    for k, row in enumerate(printed, 1):
        assert HeavyBall(order=k, damping=b).combination(k).tolist() == pytest.approx(row, rel=1e-13)
    adams = HeavyBall(order=3, damping=b, compensated=False).combination(3).tolist()
    assert adams == pytest.approx([23 / 12, -16 / 12, 5 / 12])


def direction(schedule, u, t):
    """eps of a denoiser that is not affine, and that denoiser."""
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    clean = torch.sin(2.0 * u) + u * t
    return (u - alpha * clean) / sigma


@pytest.mark.parametrize("schedule", [Linear(), CondOT()], ids=lambda s: s.name())
@pytest.mark.parametrize(("order", "compensated"), [(1, True), (2, True), (3, True), (1, False), (2, False)])
@pytest.mark.parametrize("b", [1.0, 0.7])
def test_steps_are_the_papers_loops(schedule, order, compensated, b):
    """GHVB averages first and combines after; HB averages what Adams-Bashforth made."""
    fields = torch.tensor([0.9, 0.75, 0.5, 0.45, 0.3, 0.1], dtype=F64)
    torch.manual_seed(0)
    u = torch.randn(2, 3, 1, dtype=F64)
    ratio = torch.exp(-0.5 * schedule.log_snr(fields))
    y, averages, slopes, v = u / schedule.alpha(fields[0]), [], [], None
    for i in range(len(fields) - 1):
        f = direction(schedule, schedule.alpha(fields[i]) * y, fields[i])
        if compensated:
            averages.insert(0, f if not averages else (1 - b) * averages[0] + b * f)
            k = min(order, len(averages))
            m = {
                1: lambda a: a[0],
                2: lambda a: ((2 + b) * a[0] - (2 - b) * a[1]) / (2 * b),
                3: lambda a: ((18 + 5 * b) * a[0] - (24 - 8 * b) * a[1] + (6 - b) * a[2]) / (12 * b),
            }[k](averages)
        else:
            slopes.insert(0, f)
            slope = f if order == 1 or len(slopes) == 1 else 1.5 * slopes[0] - 0.5 * slopes[1]
            v = m = slope if v is None else (1 - b) * v + b * slope
        y = y + (ratio[i + 1] - ratio[i]) * m
    solver = HeavyBall(order=order, damping=b, compensated=compensated)

    def denoise(v, t):
        return torch.sin(2.0 * v) + v * t

    found = run(solver, schedule, fields, u, denoise)
    torch.testing.assert_close(found, schedule.alpha(fields[-1]) * y, rtol=1e-10, atol=1e-11)
    to_data = torch.cat((fields, torch.zeros(1, dtype=F64)))
    torch.testing.assert_close(run(solver, schedule, to_data, u, denoise), denoise(found, fields[-1]))


def test_without_memory_it_is_ddim():
    fields = torch.tensor([0.9, 0.75, 0.5, 0.45, 0.3, 0.1], dtype=F64)
    torch.manual_seed(0)
    u = torch.randn(2, 3, 1, dtype=F64)
    plain = run(DDIM(), Linear(), fields, u, lambda v, t: v.tanh())
    ball = run(HeavyBall(order=1, damping=1.0), Linear(), fields, u, lambda v, t: v.tanh())
    torch.testing.assert_close(ball, plain, rtol=1e-12, atol=1e-13)


def radius(solver, z):
    """Spectral radius of one step of y' = mu y, step length delta, z = delta mu."""
    k, b = solver.order, solver.damping
    weights = z * solver.combination(k).numpy()
    step = np.zeros((k + 1, k + 1))  # of (y, V_0 ... V_(k-1)), V in units of mu
    step[1, 0], step[1, 1] = b, 1 - b
    for j in range(2, k + 1):
        step[j, j - 1] = 1.0
    step[0] = [1.0, *([0.0] * k)] + weights @ step[1:]
    return float(np.abs(np.linalg.eigvals(step)).max())


@pytest.mark.parametrize("b", SHARES)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("compensated", [True, False])
def test_stability_ends_at_the_bound(order, b, compensated):
    solver = HeavyBall(order=order, damping=b, compensated=compensated)
    bound = solver.stability_bound
    share = {1: b, 2: 2.0, 3: 4 - b / 3, 4: (22 - 2 * b) / 3}[order]
    if not compensated:
        share = b * {1: 1.0, 2: 2.0, 3: 11 / 3, 4: 20 / 3}[order]
    assert bound == pytest.approx(-2 * (2 - b) / share, rel=1e-12)
    assert radius(solver, 1.001 * bound) > 1.0
    assert all(radius(solver, share * bound) < 1.0 for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.999))


@pytest.mark.parametrize("solver", [HeavyBall(), HeavyBall(order=4, damping=0.5), HeavyBall(damping=1.0)])
def test_the_plan_is_stable_where_it_says(solver):
    """Real steps on dy/dS = mu y, uniform in S: bounded just inside the bound, blown up just outside."""
    schedule, steps = EDM(), 400
    ratio = torch.linspace(80.0, 1.0, steps + 1, dtype=F64)
    fields = schedule.time_at(-2.0 * torch.log(ratio))
    grown = []
    for share in (0.97, 1.03):
        mu = share * solver.stability_bound / float(ratio[1] - ratio[0])
        u = torch.ones(1, 1, 1, dtype=F64)
        out = run(solver, schedule, fields, u, lambda v, t, mu=mu: v * (1.0 - mu * schedule.sigma(t)))
        grown.append(abs(float(out)))
    assert grown[0] < 1.0
    assert grown[1] > 50.0


@pytest.mark.parametrize("b", [1.0, 0.8, 0.5])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_order_on_grids_uniform_in_the_ratio(order, b):
    """Gaussian data: y(S) = y(S_0) sqrt((c + S^2) / (c + S_0^2)), S from 6 to 0.3."""
    schedule, c = EDM(), 0.8
    u = torch.ones(1, 1, 1, dtype=F64)
    exact = math.sqrt((c + 0.09) / (c + 36.0))

    def slope(solver):
        errors = []
        for steps in (320, 640):
            fields = schedule.time_at(-2.0 * torch.log(torch.linspace(6.0, 0.3, steps + 1, dtype=F64)))
            found = run(solver, schedule, fields, u, lambda v, t: v * c / (c + schedule.sigma(t) ** 2))
            errors.append(abs(float(found) - exact))
        return math.log2(errors[0] / errors[1])

    assert slope(HeavyBall(order=order, damping=b)) == pytest.approx(order, abs=0.2)
    if b < 1.0:
        assert slope(HeavyBall(order=order, damping=b, compensated=False)) == pytest.approx(1.0, abs=0.1)
