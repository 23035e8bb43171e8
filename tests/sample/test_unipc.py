"""UniPC and its relatives: the published algorithm written out, and what each is a case of."""

import math

import pytest
import torch

from rheos.process.schedule import CondOT, Cosine, Linear
from rheos.sample.driver import sequential
from rheos.sample.solver import DDIM, AdamsMoulton, DPMpp2M, Exponential, UniPC

F64 = torch.float64


def ragged(steps=10, low=0.05, high=0.9):
    """Falling nodes of uneven spacing."""
    unit = torch.linspace(0, 1, steps + 1, dtype=F64)
    return high + (low - high) * (unit + 0.08 * torch.sin(7.0 * unit) * unit * (1 - unit))


def answer(u, t):
    """Anything smooth that is not affine."""
    return torch.sin(2.0 * u) + u * t


def published(order, variant, corrector, schedule, fields, x):
    """Algorithms 1 and 2 of UniPC with m = x_0 predictions, scalar linear algebra, step by step."""
    alpha, sigma = schedule.alpha(fields).tolist(), schedule.sigma(fields).tolist()
    lam = [math.log(a / s) for a, s in zip(alpha, sigma, strict=True)]
    values = [(lam[0], answer(x, fields[0]))]
    for n in range(1, len(fields)):
        p = min(order, n)
        h = lam[n] - lam[n - 1]
        e = math.expm1(-h)
        bh = e if variant == "bh2" else -h
        m0 = values[-1][1]
        ratios, slopes = [], []
        for j in range(1, p):
            then, m = values[-1 - j]
            ratios.append((then - lam[n - 1]) / h)
            slopes.append((m - m0) / ratios[-1])
        right, moment = [], e / -h - 1.0
        for q in range(1, p + 1):
            right.append(math.factorial(q) * moment / bh)
            moment = moment / -h - 1.0 / math.factorial(q + 1)

        def solve(nodes, right=right):
            rows = torch.tensor([[r**q for r in nodes] for q in range(len(nodes))], dtype=F64)
            return torch.linalg.solve(rows, torch.tensor(right[: len(nodes)], dtype=F64)).tolist()

        base = sigma[n] / sigma[n - 1] * x - alpha[n] * e * m0
        weights = [0.5] if p == 2 else solve(ratios) if p > 2 else []
        predicted = base - alpha[n] * bh * sum((w * d for w, d in zip(weights, slopes, strict=True)), 0.0 * x)
        if n == len(fields) - 1 or not corrector:
            x = predicted
            values.append((lam[n], answer(predicted, fields[n])))
            continue
        new = answer(predicted, fields[n])
        weights = [0.5] if p == 1 else solve([*ratios, 1.0])
        x = base - alpha[n] * bh * sum(w * d for w, d in zip(weights, [*slopes, new - m0], strict=True))
        values.append((lam[n], new))
    return x


@pytest.mark.parametrize("schedule", [Linear(), CondOT()], ids=lambda s: s.name())
@pytest.mark.parametrize("corrector", [False, True])
@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_unipc_is_the_published_algorithm(order, variant, corrector, schedule):
    torch.manual_seed(0)
    u = torch.randn(2, 3, 2, dtype=F64)
    solver = UniPC(order=order, variant=variant, corrector=corrector)
    moves = [move.to(u) for move in solver.plan(schedule, ragged())]
    found = sequential(answer, moves, u, lambda step: u)
    exact = published(order, variant, corrector, schedule, ragged(), u)
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=1e-11)


def coefficients(solver, schedule=None):
    """Scale and weights of every step, first those of the steps that have all their history."""
    plan = solver.plan(Cosine() if schedule is None else schedule, ragged(14))
    deepest = max(len(move.weights) for move in plan)
    rows = [torch.stack([move.scale, *move.weights]) for move in plan if len(move.weights) == deepest]
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (UniPC(order=1, corrector=False), DDIM()),
        (UniPC(order=2, corrector=False), DPMpp2M()),
        (UniPC(order=3, corrector=False, variant="bh1"), Exponential(order=3)),
        (UniPC(order=3), AdamsMoulton(order=4)),
        (UniPC(order=3, variant="bh1"), AdamsMoulton(order=4)),
    ],
)
def test_unipc_is_what_it_should_be_once_history_is_there(one, other):
    a, b = coefficients(one), coefficients(other)
    steps = min(len(a), len(b)) - 2
    torch.testing.assert_close(a[-steps:], b[-steps:], rtol=1e-10, atol=1e-11)


def test_dpmpp_2m_with_noise_is_k_diffusions():
    """Both published weights of the second answer: midpoint here, the moment in the kernel."""
    schedule, fields, eta = Linear(), ragged(), 0.7
    alpha, sigma = schedule.alpha(fields), schedule.sigma(fields)
    h = (0.5 * schedule.log_snr(fields)).diff()
    midpoint = DPMpp2M(eta=eta).plan(schedule, fields)
    heun_like = Exponential(order=2, eta=eta).plan(schedule, fields)
    for i in range(1, len(h)):
        r0, c = h[i - 1] / h[i], 1.0 + eta
        gain = 1.0 - torch.exp(-c * h[i])
        for plan, second in ((midpoint, 0.5 * gain), (heun_like, 1.0 - gain / (c * h[i]))):
            newest = alpha[i + 1] * (gain + second / r0)
            assert float(plan[i].scale) == pytest.approx(
                float(sigma[i + 1] / sigma[i] * torch.exp(-eta * h[i])), rel=1e-12
            )
            assert float(plan[i].weights[0]) == pytest.approx(float(newest), rel=1e-10)
            assert float(plan[i].weights[1]) == pytest.approx(float(-alpha[i + 1] * second / r0), rel=1e-10)
            noise = sigma[i + 1] * torch.sqrt(1.0 - torch.exp(-2.0 * eta * h[i]))
            assert float(plan[i].noise) == pytest.approx(float(noise), rel=1e-12)
