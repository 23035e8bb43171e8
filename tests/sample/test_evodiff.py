"""EVODiff: the released loop written out, its consistent form, and the limits of both."""

import math
from dataclasses import replace

import pytest
import torch

from rheos.process.schedule import CondOT, Cosine, Linear
from rheos.sample.driver import sequential
from rheos.sample.solver import DDIM, DPMpp2M, EVODiff, LeastDifference

F64 = torch.float64


def answer(u, t):
    """Anything smooth that is not affine."""
    return torch.sin(2.0 * u) + u * t + 0.3


def run(solver, schedule, fields, u, denoise=answer):
    moves = [move.to(u) for move in solver.plan(schedule, fields)]
    return sequential(denoise, moves, u, lambda step: u)


def released(schedule, fields, x):
    """One clip through the released pipeline, line by line, `fields` ending before t = 0."""

    def clip(v):
        return max(-2.0, min(2.0, v))

    def dot(a, b):
        return float((a * b).sum())

    def sigmoid(v):
        return 1.0 / (1.0 + math.exp(-v))

    t = fields.tolist()
    al, sg = schedule.alpha(fields).tolist(), schedule.sigma(fields).tolist()
    lam = [math.log(a / s) for a, s in zip(al, sg, strict=True)]
    steps, m1, m0 = len(t) - 1, None, answer(x, t[0])
    for i in range(steps):
        h_big = al[i + 1] / sg[i + 1] - al[i] / sg[i]
        e_point = sg[i + 1] / sg[i] * x + sg[i + 1] * h_big * m0
        if i == 0:
            x, m1 = e_point, m0
            m0 = answer(x, t[1])
            continue
        if i == steps - 1:
            q = 1 - math.sqrt(sg[i + 1] * sg[i])
            rho = sg[i + 1] / sg[i]
            k = 1 - math.sqrt(rho) / 2 if rho < 0.5 else 1 - math.sqrt(rho - 0.5) / 2
            return q * e_point + sg[i + 1] * h_big * (m0 - k * m1) / 2
        r = (lam[i] - lam[i - 1]) / (lam[i + 1] - lam[i])
        w = (1 - ((t[i + 1] + t[-1]) / (t[0] + t[-1])) ** 2) / 2
        b0 = math.sqrt((sg[i + 1] / sg[i]) / (sg[i] / sg[i - 1]))
        b1 = (1 - w) * b0 + w * clip(dot(m0, m1) / dot(m1, m1))
        g1 = m0 - b1 * m1
        rh = min(max(sigmoid(abs(b1) / 4) * r, r / 4), 1.5 * r)
        probe = e_point + sg[i + 1] * h_big * g1 / (2 * rh)
        mt = answer(probe, t[i + 1])
        b2 = (1 - w) * b0 + w * clip(dot(mt, m0) / dot(m0, m0))
        g2 = mt - b2 * m0
        p, n = g1 / (r * h_big), r * g2 / h_big
        e = 0.5 * sigmoid(abs(0.5 * clip(dot(n + p, n - p) / dot(n - p, n - p))))
        m = -(e / r) * g1 + (1 - e) * r * g2
        q = probe - e_point - sg[i + 1] * h_big * m / (2 * rh)
        z = abs(clip(dot(q, g1) / dot(g1, g1)) / (h_big * sg[i + 1])) - 0.5
        if steps + 1 <= 20:
            z = sigmoid(z)
        else:
            d = (m0 - m1) / h_big
            z = sigmoid(-sigmoid(clip(dot(m0, d) / dot(d, d)) * (2 - (sg[i + 1] / sg[i]) ** 2)) * z)
        x = e_point + sg[i + 1] * h_big * m / (2 * z)
        m1, m0 = m0, mt
    return x


@pytest.mark.parametrize("schedule", [Linear(), CondOT()], ids=lambda s: s.name())
@pytest.mark.parametrize("steps", [7, 24])
def test_evodiff_is_the_released_loop(schedule, steps):
    torch.manual_seed(0)
    u = torch.randn(3, 4, 2, dtype=F64)
    unit = torch.linspace(0, 1, steps, dtype=F64)
    fields = torch.cat((0.9 - 0.85 * unit**0.8, torch.zeros(1, dtype=F64)))
    found = run(EVODiff(), schedule, fields, u)
    for row in range(3):
        last = released(schedule, fields[:-1], u[row : row + 1])
        exact = answer(last, fields[-2])
        torch.testing.assert_close(found[row : row + 1], exact, rtol=1e-9, atol=1e-10)


def test_released_coefficients_leave_clean_frames_alone():
    u = torch.randn(2, 4, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    times = torch.cat((torch.linspace(0.9, 0.05, 9, dtype=F64), torch.zeros(1, dtype=F64)))
    fields = torch.stack([torch.zeros(10, dtype=F64), times, times, times], 1)[:, None]

    def denoise(v, t):
        return torch.where(t[..., None] == 0, v, torch.sin(2.0 * v) + 0.3)

    out = run(EVODiff(), Linear(), fields, u, denoise)
    assert torch.equal(out[:, 0], u[:, 0])
    assert bool(torch.isfinite(out).all())


def least_difference(schedule, fields, x, mix=None):
    """The consistent form, line by line."""
    al, sg = schedule.alpha(fields).tolist(), schedule.sigma(fields).tolist()
    lam = [math.log(a / s) for a, s in zip(al, sg, strict=True)]
    m0, m1, steps = answer(x, fields[0]), None, len(fields) - 1
    for i in range(steps):
        a = sg[i + 1] / sg[i]
        b = al[i + 1] - a * al[i]
        point = a * x + b * m0
        if i == 0:
            x, m1 = point, m0
        else:
            g1 = (m0 - m1) / ((lam[i] - lam[i - 1]) / (lam[i + 1] - lam[i]))
            x = point + b * g1 / 2
        new = answer(x, fields[i + 1])
        if 0 < i < steps - 1:
            g2 = new - m0
            c = float((g1 * (g1 - g2)).sum() / (g1 - g2).square().sum()) if mix is None else mix
            x = point + b / 2 * ((1 - min(max(c, 0.0), 1.0)) * g1 + min(max(c, 0.0), 1.0) * g2)
        m0, m1 = new, m0
    return x


@pytest.mark.parametrize("schedule", [Linear(), Cosine()], ids=lambda s: s.name())
def test_the_consistent_form_is_its_formula(schedule):
    torch.manual_seed(1)
    u = torch.randn(3, 4, 2, dtype=F64)
    fields = 0.9 - 0.85 * torch.linspace(0, 1, 9, dtype=F64) ** 0.8
    found = run(LeastDifference(), schedule, fields, u)
    for row in range(3):
        exact = least_difference(schedule, fields, u[row : row + 1])
        torch.testing.assert_close(found[row : row + 1], exact, rtol=1e-10, atol=1e-11)
    # Each frame by itself is each frame as a clip of its own.
    alone = torch.cat([run(LeastDifference(), schedule, fields, u[:, j : j + 1]) for j in range(4)], 1)
    torch.testing.assert_close(run(LeastDifference(over="frame"), schedule, fields, u), alone)
    assert not torch.allclose(alone, found, rtol=1e-4)


def test_no_share_of_the_corrector_is_dpmpp_2m_and_one_step_is_ddim():
    torch.manual_seed(1)
    u = torch.randn(3, 4, 2, dtype=F64)
    fields = 0.9 - 0.85 * torch.linspace(0, 1, 9, dtype=F64) ** 0.8
    plan = [move.to(u) for move in LeastDifference().plan(Linear(), fields)]
    forced = [replace(move, half=None) for move in plan]
    found = sequential(answer, forced, u, lambda step: u)
    torch.testing.assert_close(found, run(DPMpp2M(), Linear(), fields, u), rtol=1e-12, atol=1e-13)
    single = run(LeastDifference(), Linear(), fields[:2], u)
    torch.testing.assert_close(single, run(DDIM(), Linear(), fields[:2], u), rtol=1e-12, atol=1e-13)
