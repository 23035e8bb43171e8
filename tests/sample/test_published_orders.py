"""Orders as the methods' papers and released code have them, measured on one mixture of Gaussians.

Eight dimensions, four components, linear variance preserving noise, from a fixed clip at t = 0.9 to t = 0.05;
the reference integrates dy / dlog S = S eps. A slope is that of the last two pairs of N = 80, 160, 320.
"""

import itertools
import math
from dataclasses import fields as fields_of
from dataclasses import replace

import pytest
import torch
from scipy.integrate import solve_ivp

from rheos.denoise.oracle import GaussianOracle
from rheos.process import Process
from rheos.process.schedule import EDM, Linear
from rheos.sample.driver import sequential
from rheos.sample.grid import LogSNR
from rheos.sample.solver import (
    DDIM,
    DPMpp2M,
    DPMpp3M,
    EVODiff,
    Exponential,
    ExponentialNoise,
    HeavyBall,
    Heun,
    LeastDifference,
    State,
    UniPC,
    evodiff,
    least_difference,
)

F64 = torch.float64
SCHEDULE = Linear()
HIGH, LOW = 0.9, 0.05


def in_time(steps):
    return torch.linspace(HIGH, LOW, steps + 1, dtype=F64)


def in_log_snr(steps):
    ends = SCHEDULE.log_snr(in_time(1))
    times = SCHEDULE.time_at(torch.linspace(float(ends[0]), float(ends[1]), steps + 1, dtype=F64))
    times[0], times[-1] = HIGH, LOW
    return times


class Mixture:
    def __init__(self):
        torch.manual_seed(0)
        self.means = torch.randn(4, 8, dtype=F64)
        self.variances = torch.tensor([0.6, 0.8, 0.5, 0.7], dtype=F64) ** 2
        self.weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64)
        torch.manual_seed(1)
        self.start = torch.randn(6, 8, 1, dtype=F64)
        ends = in_time(1)
        alpha, ratio = SCHEDULE.alpha(ends), torch.exp(-0.5 * SCHEDULE.log_snr(ends))

        def slope(log_ratio, y):
            t = SCHEDULE.time_at(torch.tensor(-2.0 * log_ratio, dtype=F64))
            y = torch.from_numpy(y).reshape(6, 8, 1)
            return (y - self(SCHEDULE.alpha(t) * y, t)).flatten().numpy()

        begin = (self.start / alpha[0]).flatten().numpy()
        solved = solve_ivp(slope, ratio.log().tolist(), begin, method="DOP853", rtol=1e-11, atol=1e-12)
        self.truth = float(alpha[1]) * torch.from_numpy(solved.y[:, -1]).reshape(6, 8, 1)

    def __call__(self, u, t):
        alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
        v = alpha**2 * self.variances + sigma**2
        away = u.flatten(1)[:, None] - alpha * self.means
        fit = self.weights.log() - away.square().sum(-1) / (2 * v) - 4 * v.log()
        score = -(torch.softmax(fit, 1)[..., None] * away / v[:, None]).sum(1)
        return ((u.flatten(1) + sigma**2 * score) / alpha).reshape(u.shape)

    def error(self, moves):
        found = sequential(self, [move.to(self.start) for move in moves], self.start, lambda step: self.start)
        return float((found - self.truth).norm() / self.truth.norm())


@pytest.fixture(scope="module")
def mixture():
    return Mixture()


def slopes(mixture, plan, nodes):
    errors = [mixture.error(plan(nodes(steps))) for steps in (80, 160, 320)]
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


IN_TIME = [
    (DDIM(), 1.0),
    (Heun(), 2.0),
    (DPMpp2M(), 2.0),
    (DPMpp3M(), 3.0),
    (DPMpp3M(legacy=True), 2.0),
    (UniPC(order=1), 2.0),
    (UniPC(order=2), 3.0),
    (UniPC(order=1, corrector=False), 1.0),
    (UniPC(order=2, corrector=False), 2.0),
    (UniPC(order=3, corrector=False), 3.0),
    (Exponential(order=1), 1.0),
    (Exponential(order=2), 2.0),
    (Exponential(order=3), 3.0),
    (ExponentialNoise(order=1), 1.0),
    (ExponentialNoise(order=2), 2.0),
    (ExponentialNoise(order=3), 3.0),
]
IN_LOG_SNR = [
    (DPMpp3M(), 3.0),
    (DPMpp3M(legacy=True), 2.0),
    (UniPC(order=2), 3.0),
    (LeastDifference(), 2.0),
]


@pytest.mark.parametrize(
    ("solver", "order", "nodes"),
    [(*case, in_time) for case in IN_TIME] + [(*case, in_log_snr) for case in IN_LOG_SNR],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_slopes_are_the_published_ones(mixture, solver, order, nodes):
    found = slopes(mixture, lambda times: solver.plan(SCHEDULE, times), nodes)
    assert found == pytest.approx([order, order], abs=0.2)


def test_three_answers_with_a_corrector_are_of_fourth_order(mixture):
    """The last pair: where steps are longer the first ones, of lower order, still show."""
    found = slopes(mixture, lambda times: UniPC(order=3).plan(SCHEDULE, times), in_time)
    assert found[1] == pytest.approx(4.0, abs=0.2)


@pytest.mark.parametrize("nodes", [in_time, in_log_snr], ids=lambda f: f.__name__)
def test_least_difference_stays_near_dpmpp_2m_in_few_steps(mixture, nodes):
    for steps in range(8, 16):
        plans = (solver.plan(SCHEDULE, nodes(steps)) for solver in (LeastDifference(), DPMpp2M()))
        ours, theirs = (mixture.error(plan) for plan in plans)
        assert ours < 2.0 * theirs


class Consistent(evodiff.Step):
    """A released step with b_1 = b_2 = 1, e = 1/4 and z = 1/2 in place of what inner products say."""

    def difference(self, newer, older):
        return newer - older, torch.ones(1, 1, 1, dtype=F64)

    def corrected(self, probe, new, m0, m1, short):
        # e = sigmoid(0) / 2; z = sigmoid(| B / 2 / B | - 1 / 2).
        told = iter((torch.zeros(1, 1, 1, dtype=F64), 0.5 * self.weight))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evodiff, "share", lambda a, b, over: next(told))
            return super().corrected(probe, new, m0, m1, True)


def consistent(times):
    """The released plan so, with a last step that is the mean of what it mixes."""

    def forced(step):
        if step is None:
            return None
        return Consistent(*(getattr(step, field.name) for field in fields_of(evodiff.Step)))

    one = torch.ones((), dtype=F64)
    for move in EVODiff().plan(SCHEDULE, times):
        cast = move.to(torch.zeros(1, 1, 1, dtype=F64))
        last = None if move.last is None else (one, one)
        yield Kept(replace(cast, before=forced(cast.before), ahead=forced(cast.ahead), last=last))


class Kept:
    """A move whose coefficients have met their clip."""

    def __init__(self, move):
        self.move = move

    def to(self, like):
        return self.move


def test_released_evodiff_is_second_order_once_its_coefficients_are_consistent(mixture):
    """And as it is its last step leaves an error that no number of steps removes."""
    assert slopes(mixture, lambda times: list(consistent(times)), in_log_snr) == pytest.approx(
        [2.0, 2.0], abs=0.2
    )
    floor = [mixture.error(EVODiff().plan(SCHEDULE, in_log_snr(steps))) for steps in (80, 320)]
    assert floor[1] > 0.95 * floor[0] > 0.1


def test_a_corrector_alone_is_all_of_the_second_difference(monkeypatch):
    """c = 1 in x_n = E + (B / 2) ((1 - c) G_1 + c G_2)."""
    schedule, fields = Linear(), 0.9 - 0.85 * torch.linspace(0, 1, 9, dtype=F64) ** 0.8
    torch.manual_seed(2)
    u = torch.randn(3, 4, 2, dtype=F64)

    def answer(v, t):
        return torch.sin(2.0 * v) + v * t + 0.3

    monkeypatch.setattr(least_difference, "share", lambda a, b, over: torch.ones(len(a), 1, 1, dtype=F64))
    moves = [move.to(u) for move in LeastDifference().plan(schedule, fields)]
    found = sequential(answer, moves, u, lambda step: u)
    alpha, sigma = schedule.alpha(fields), schedule.sigma(fields)
    lam, x, kept = torch.log(alpha / sigma), u, [answer(u, fields[0])]
    for i in range(len(fields) - 1):
        a = sigma[i + 1] / sigma[i]
        b = alpha[i + 1] - a * alpha[i]
        point = a * x + b * kept[0]
        x = point
        if i > 0:
            x = x + 0.5 * b * (kept[0] - kept[1]) * (lam[i + 1] - lam[i]) / (lam[i] - lam[i - 1])
        new = answer(x, fields[i + 1])
        if 0 < i < len(fields) - 2:
            x = point + 0.5 * b * (new - kept[0])
        kept.insert(0, new)
    torch.testing.assert_close(found, x, rtol=1e-11, atol=1e-12)


def test_released_evodiff_solves_point_data_where_its_balance_is_one():
    """Uniform in log sigma b = 1, and all but its last step are exact; elsewhere they are not."""
    schedule = EDM()
    point, u = torch.randn(2, 2, 3, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    fields = LogSNR(highest=60.0, lowest=0.01).times(schedule, 13).times[1:]
    sigma = schedule.sigma(fields)
    nodes = []
    moves = [move.to(u) for move in EVODiff().plan(schedule, fields)]
    sequential(lambda v, t: point, moves, u, lambda step: u, nodes.append)
    for node, here in zip(nodes[:-1], sigma, strict=False):
        exact = point + here / sigma[0] * (u - point)
        torch.testing.assert_close(node, exact, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(nodes[-1], point + sigma[-1] / sigma[0] * (u - point), rtol=1e-2)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("form", [Exponential, ExponentialNoise], ids=lambda f: f.name())
def test_the_variance_of_a_gaussian_converges_at_every_noise_level(form, order, eta):
    """Half the error a doubling at order 1, a quarter beyond; noise is not foreseen by past answers."""
    variance, errors = 0.4, []
    for steps in (80, 160):
        oracle = GaussianOracle(torch.zeros(1), torch.tensor([[variance]], dtype=F64), Process(SCHEDULE))
        nodes = in_time(steps)
        alpha, sigma = SCHEDULE.alpha(nodes), SCHEDULE.sigma(nodes)
        u = torch.zeros(steps + 1, 1, 1, dtype=F64)
        u[0] = float((variance * alpha[0] ** 2 + sigma[0] ** 2).sqrt())
        noises = torch.eye(steps + 1, dtype=F64)[:, :, None, None]
        moves = [move.to(u) for move in form(order=order, eta=eta).plan(SCHEDULE, nodes)]
        out = sequential(
            lambda v, t, oracle=oracle: oracle(v, t).mean, moves, u, lambda step, z=noises: z[step + 1]
        )
        exact = float(variance * alpha[-1] ** 2 + sigma[-1] ** 2)
        errors.append(abs(float(out.square().sum()) - exact))
    halving = 1.0 if order == 1 else 2.0
    assert errors[1] < (0.02 if order == 1 else 0.002)
    assert math.log2(errors[0] / errors[1]) > halving - 0.2, errors


PLMS = {
    1: [1.0],
    2: [3 / 2, -1 / 2],
    3: [23 / 12, -16 / 12, 5 / 12],
    4: [55 / 24, -59 / 24, 37 / 24, -9 / 24],
    5: [1901 / 720, -2774 / 720, 2616 / 720, -1274 / 720, 251 / 720],
}


@pytest.mark.parametrize("order", PLMS)
@pytest.mark.parametrize("compensated", [True, False])
def test_heavy_ball_without_memory_is_plms(mixture, order, compensated):
    """PLMS, Adams and Bashforth on eps, with one more direction a step at the start."""
    nodes = in_time(9)
    moves = HeavyBall(order=order, damping=1.0, compensated=compensated).plan(SCHEDULE, nodes)
    found = sequential(mixture, [m.to(mixture.start) for m in moves], mixture.start, lambda step: step)
    alpha, sigma = SCHEDULE.alpha(nodes), SCHEDULE.sigma(nodes)
    y, kept = mixture.start / alpha[0], []
    for i in range(9):
        x = alpha[i] * y
        kept.insert(0, (x - alpha[i] * mixture(x, nodes[i])) / sigma[i])
        step = sigma[i + 1] / alpha[i + 1] - sigma[i] / alpha[i]
        y = y + step * sum(w * e for w, e in zip(PLMS[min(order, len(kept))], kept, strict=False))
    torch.testing.assert_close(found, alpha[-1] * y, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("b", [1.0, 0.8, 0.5])
def test_four_averaged_directions_are_of_fourth_order_from_an_exact_start(b):
    """Gaussian data, uniform in S; the running average begins on the solution, long before the first step."""
    schedule, c, before = EDM(), 0.8, 80

    def solution(ratio):
        return torch.sqrt((c + ratio**2) / (c + 36.0))

    errors = []
    for steps in (600, 1200):
        width = (6.0 - 0.3) / steps
        ratio = 6.0 - width * torch.arange(-before, steps + 1, dtype=F64)
        nodes = schedule.time_at(-2.0 * torch.log(ratio))
        moves = HeavyBall(order=4, damping=b).plan(schedule, nodes)
        u = torch.ones(1, 1, 1, dtype=F64)
        history = ()
        for past in ratio[:before]:
            # dy / dS = eps = S y / (c + S^2)
            eps = (past * solution(past) / (c + past**2)).reshape(1, 1, 1)
            history = ((1 - b) * history[0] + b * eps if history else eps, *history)[:4]
        state = State(u, history)
        for move in moves[before:]:
            state = move.to(u).apply(state, lambda v, t: v * c / (c + schedule.sigma(t) ** 2), lambda: None)
        errors.append(abs(float(state.u) - float(solution(ratio[-1]))))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.2), errors
