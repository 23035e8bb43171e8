"""The penalty on what a solver does not foresee: by hand, where it vanishes, and its gradient."""

import math

import pytest
import torch
from torch import nn

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.denoise import Denoiser, GaussianOracle, Objective
from rheos.denoise.solver_error import SolverError
from rheos.denoise.times import PerFrame
from rheos.process import DyDiff, Process
from rheos.process.schedule import EDM, CondOT, Cosine

F64 = torch.float64
SHAPE, HISTORY = (6, 4, 2), 2


def number(seed, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Formula(Denoiser):
    """Answers by a formula of u and the log-SNR of each frame; keeps the time fields it was asked at."""

    def __init__(self, process, formula, sigma_data=1.0):
        super().__init__(nn.Identity(), process, "x0", sigma_data)
        self.formula, self.asked = formula, []

    def forward(self, u, t, context):
        self.asked.append(t)
        t = t.reshape(-1, 1) if t.ndim < 2 else t
        level = self.process.schedule.log_snr(t.clamp(min=self.process.schedule.t_min))[..., None]
        return Posterior(torch.where(t[..., None] > 0, self.formula(u, level), u))


def bent(u, level):
    return torch.sin(u) + 0.2 * level + 0.3 * torch.tanh(level)


def penalty(denoiser, rule, context, key=None, x0=None):
    """What the penalty adds to the loss of each clip, at weight 1."""
    key, x0 = Key.of(4, SHAPE[0]) if key is None else key, number(4) if x0 is None else x0
    words = {"times": PerFrame(share=0.5)} if rule.every == 1 else {}
    plain = Objective(**words)(denoiser, x0, context, key)
    return Objective(**words, solver_error=rule)(denoiser, x0, context, key) - plain


@pytest.mark.parametrize("schedule", [EDM(), CondOT(), Cosine()], ids=lambda s: s.name())
def test_answers_on_a_line_in_log_snr_cost_nothing(schedule):
    a, b = number(1, SHAPE[1:]), number(2, SHAPE[1:])
    straight = Formula(Process(schedule), lambda u, level: a + b * level)
    found = penalty(straight, SolverError(weight=1.0, every=2), Context(history_frames=HISTORY))
    assert float(found.abs().max()) < 1e-18
    bend = Formula(Process(schedule), lambda u, level: a + b * level + 0.01 * level**2)
    assert (
        float(penalty(bend, SolverError(weight=1.0, every=2), Context(history_frames=HISTORY)).max()) > 1e-4
    )


def by_hand(process, formula, x0, mask, rule, sd, key):
    """Entry by entry with plain numbers, on the schedule sigma = t, alpha = 1 - t."""
    t = Objective().time_sampler(process.schedule, len(x0), key)
    z = key.at(Purpose.NOISE, key.step).normal(SHAPE[1:], F64)
    total = []
    for b in range(len(x0)):
        if b % rule.every:
            total.append(0.0)
            continue
        cost, count = 0.0, 0
        ratio = math.log((1 - float(t[b])) / float(t[b]))
        times = [1 / (1 + math.exp(ratio + k * rule.step)) for k in range(3)]
        for f in range(HISTORY, SHAPE[1]):
            for c in range(SHAPE[2]):
                answers = []
                u = (1 - times[0]) * (x0[b, f, c] * mask[b, f, c]) + times[0] * z[b, f, c]
                for k in range(3):
                    level = torch.tensor(2 * (ratio + k * rule.step), dtype=F64)
                    answers.append(formula(u, level))
                    if k < 2:
                        used = answers[0] if k == 0 else 1.5 * answers[1] - 0.5 * answers[0]
                        shrink = times[k + 1] / times[k]
                        u = shrink * u + ((1 - times[k + 1]) - shrink * (1 - times[k])) * used
                last, alpha = times[2], 1 - times[2]
                left = alpha**2 / (alpha**2 * sd**2 + last**2)
                inside = last >= process.schedule.t_min
                gap = float(answers[2] - 2 * answers[1] + answers[0])
                cost += left * inside * float(mask[b, f, c]) * gap**2
                count += int(mask[b, f, c])
        total.append(cost / max(count, 1) * len(x0) / -(-len(x0) // rule.every))
    return torch.tensor(total, dtype=F64)


@pytest.mark.parametrize("every", [2, 4])
def test_the_penalty_is_what_one_computes_by_hand(every):
    process, rule, key = (
        Process(CondOT()),
        SolverError(weight=1.0, step=0.7, every=every),
        Key.of(3, SHAPE[0]),
    )
    mask = (number(1) > -0.5).double()
    denoiser = Formula(process, bent, sigma_data=0.8)
    x0, context = number(4), Context(history_frames=HISTORY, mask=mask)
    found = penalty(denoiser, rule, context, key, x0)
    expected = by_hand(process, bent, x0, mask, rule, 0.8, key)
    assert float(expected.max()) > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_it_is_of_second_order_at_the_exact_denoiser():
    """Halving the step divides the gap by 4, and the penalty by 16."""
    lag = torch.arange(4, dtype=F64)
    process = Process(Cosine())
    oracle = GaussianOracle(torch.zeros(4), 0.8 ** (lag[:, None] - lag).abs(), process)
    u, t = number(5, (1, 4, 1)), torch.full((1,), 0.6, dtype=F64)
    exact = Formula(process, lambda u, level: u)
    exact.forward = lambda u, t, context: oracle(u, t)
    ones = torch.ones_like(u)
    costs = [
        float(SolverError(step=step)(exact, u, oracle(u, t).mean, t, ones, Context()))
        for step in (0.02, 0.01, 0.005)
    ]
    assert costs[0] / costs[1] == pytest.approx(16, rel=0.1)
    assert costs[1] / costs[2] == pytest.approx(16, rel=0.05)


def test_its_gradient_is_that_of_finite_differences():
    """Through all three answers and the steps between them."""
    process, key, x0 = DyDiff().build(), Key.of(3, SHAPE[0]), number(4)
    size = torch.tensor(0.7, dtype=F64, requires_grad=True)
    context, rule = Context(history_frames=HISTORY), SolverError(weight=1.0, every=1)

    def cost(value):
        denoiser = Formula(process, lambda u, level: torch.sin(value * u) + value * torch.tanh(level))
        return penalty(denoiser, rule, context, key, x0).sum()

    slope = torch.autograd.grad(cost(size), size)[0]
    with torch.no_grad():
        ends = [cost(size + step) for step in (-1e-5, 1e-5)]
    assert float(slope) == pytest.approx(float(ends[1] - ends[0]) / 2e-5, rel=1e-6)


def test_frames_with_times_of_their_own_go_at_their_own_pace():
    """A clip's frames, alone: clean history and finished frames neither move nor count."""
    process, rule = Process(CondOT()), SolverError(every=1, step=0.5)
    denoiser = Formula(process, bent)
    u, ones = number(6, (1, 4, 2)), torch.ones(1, 4, 2, dtype=F64)
    t = torch.tensor([[0.0, 0.3, 0.6, 0.0011]], dtype=F64)
    answer = denoiser(u, t, Context()).mean
    whole = rule(denoiser, u, answer, t, ones * (t > 0)[..., None], Context())
    alone = [rule(denoiser, u[:, [f]], answer[:, [f]], t[:, f], ones[:, [f]], Context()) for f in range(1, 4)]
    torch.testing.assert_close(whole, sum(alone) / 3)
    assert all(float(asked[0, 0]) == 0.0 for asked in denoiser.asked[:3])
    assert float(alone[0]) > 0
    assert float(alone[2]) == 0


def test_without_weight_it_is_the_plain_loss_bit_for_bit_and_costs_no_call():
    process, key, x0 = DyDiff().build(), Key.of(4, SHAPE[0]), number(4)
    context, denoiser = Context(history_frames=HISTORY), Formula(process, bent)
    plain = Objective()(denoiser, x0, context, key)
    assert len(denoiser.asked) == 1
    assert torch.equal(
        Objective(solver_error=SolverError(halving=3.0, every=1))(denoiser, x0, context, key), plain
    )
    assert len(denoiser.asked) == 2
    Objective(solver_error=SolverError(weight=0.1))(denoiser, x0, context, key)
    assert len(denoiser.asked) == 5


def test_the_weight_halves_as_told():
    rule = SolverError(weight=0.4, halving=50.0)
    assert [rule.strength(k) for k in (0, 50, 150)] == pytest.approx([0.4, 0.2, 0.05], rel=1e-12)
    assert SolverError(weight=0.4).strength(10_000) == 0.4
    denoiser, context, key = Formula(Process(), bent), Context(), Key.of(4, SHAPE[0]).at(Purpose.BATCH, 100)
    torch.testing.assert_close(
        penalty(denoiser, rule, context, key), 0.25 * penalty(denoiser, SolverError(weight=0.4), context, key)
    )


def test_clips_that_pay_make_up_for_those_that_do_not():
    """The mean over clips estimates that of a loss for which all of them pay."""
    rows = 4000
    denoiser, x0 = Formula(Process(), bent), number(1, (rows, 2, 1))
    some, every = (
        Objective(solver_error=SolverError(weight=1.0, every=n))(
            denoiser, x0, Context(), Key.of(0, rows)
        ).mean()
        for n in (5, 1)
    )
    assert float(some) == pytest.approx(float(every), rel=0.03)
