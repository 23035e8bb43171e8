"""Corrections: exact laws of Langevin steps, and times that follow the variance."""

import math

import pytest
import torch

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.denoise.oracle import GaussianOracle
from rheos.process import Process
from rheos.process.schedule import EDM, CondOT, Cosine, Linear
from rheos.sample import Preset, sample, variance_ratio
from rheos.sample.correction import CORRECTIONS, Langevin, TimeShift, Underdamped, inner_nodes
from rheos.sample.driver import corrected
from rheos.sample.grid import LogSNR
from rheos.sample.plan import Plan
from rheos.sample.solver import DDIM, Ancestral, DPMpp2M, Exponential, Heun

F64 = torch.float64
MODES = torch.logspace(-3, 1, 9, dtype=F64)


def time(value):
    return torch.tensor(value, dtype=F64)


def never(step):
    raise AssertionError("noise was drawn")


def node_of(u, t, schedule, before=0.95, after=0.1):
    (node,) = inner_nodes(schedule, torch.stack((time(before), t, time(after))), u)
    return node


def modes_denoiser(schedule):
    def denoise(u, t, context=None):
        alpha, sigma = expand(schedule.alpha(t), u), expand(schedule.sigma(t), u)
        return Posterior(alpha * MODES / (alpha**2 * MODES + sigma**2) * u)

    return denoise


@pytest.mark.parametrize("schedule", [Linear(), EDM(), CondOT()], ids=lambda s: s.name())
@pytest.mark.parametrize("sweeps", [1, 3])
def test_langevin_follows_its_variance_to_a_known_bias(schedule, sweeps):
    """v <- (1 - e / V)^2 v + 2 e for Gaussian data, e = 2 snr^2 sigma^2: it rests at V / (1 - e / (2 V))."""
    snr, t = 0.2, time(0.4)
    share = 2 * snr**2
    sigma2 = float(schedule.sigma(t) ** 2)
    law = float(schedule.alpha(t) ** 2) * MODES + sigma2
    # Rows: one unit vector of every noise, the start's first.
    basis = torch.eye(sweeps + 1, dtype=F64)[:, :, None, None].expand(-1, -1, 1, len(MODES))
    drawn = iter(range(1, sweeps + 1))
    start = law.sqrt() * basis[:, 0]
    denoise = modes_denoiser(schedule)
    node = node_of(start, t, schedule)
    u, same = Langevin(snr=snr, sweeps=sweeps).apply(
        start, node, lambda v, s: denoise(v, s).mean, lambda: basis[:, next(drawn)]
    )
    assert same is node.time
    variance = law
    for _ in range(sweeps):
        variance = (1 - share * sigma2 / law) ** 2 * variance + 2 * share * sigma2
    torch.testing.assert_close(u.square().sum((0, 1)), variance, rtol=1e-12, atol=0)
    assert bool((variance >= law).all())
    assert bool((variance <= law / (1 - share * sigma2 / (2 * law)) * (1 + 1e-12)).all())


@pytest.mark.parametrize("schedule", [Cosine(), EDM()], ids=lambda s: s.name())
@pytest.mark.parametrize("solver", [DDIM(), Ancestral()], ids=lambda s: s.name())
def test_the_probe_sees_the_whole_predictor_corrector_law(schedule, solver):
    """Every mode's variance, step by step and sweep by sweep, in closed form."""
    parts = (Langevin(snr=0.1, sweeps=2), Langevin(snr=0.05))
    chosen = Preset(solver=solver, grid=LogSNR(), evaluations=41, corrections=parts)
    found = variance_ratio(Process(schedule), MODES, preset=chosen, floor=0.0)
    times = torch.cat((LogSNR().times(schedule, 11).times, torch.zeros(1, dtype=F64)))
    alpha, sigma = schedule.alpha(times), schedule.sigma(times)
    modes = MODES.flip(0)
    variance = sigma[0] ** 2 * torch.ones_like(modes)
    for i, move in enumerate(solver.plan(schedule, times)):
        gain = alpha[i] * modes / (alpha[i] ** 2 * modes + sigma[i] ** 2)
        variance = (move.scale + move.weights[0] * gain) ** 2 * variance
        variance = variance + (0.0 if move.noise is None else move.noise**2)
        if i < 10:
            law = alpha[i + 1] ** 2 * modes + sigma[i + 1] ** 2
            for snr in (0.1, 0.1, 0.05):
                e = 2 * snr**2 * sigma[i + 1] ** 2
                variance = (1 - e / law) ** 2 * variance + 2 * e
    torch.testing.assert_close(found.ratios, variance / modes, rtol=1e-9, atol=0)
    assert found.evaluations == 41


def test_langevin_narrows_what_the_solver_gets_wrong():
    """More sweeps bring a coarse DDIM's worst mode nearer to the truth."""
    worst = []
    for sweeps in (0, 1, 4):
        parts = (Langevin(snr=0.25, sweeps=sweeps),) if sweeps else ()
        chosen = Preset(solver=DDIM(), evaluations=1 + 11 * (1 + sweeps), corrections=parts)
        worst.append(abs(variance_ratio(Process(Cosine()), MODES, preset=chosen).worst - 1))
    assert worst[0] > 1.2 * worst[1] > 1.4 * worst[2]


def test_the_published_step_length_takes_norms_of_each_clip():
    schedule, t, snr = EDM(), time(0.5), 0.16
    torch.manual_seed(0)
    u, z, clean = torch.randn(3, 4, 5, 2, dtype=F64)
    part = Langevin(snr=snr, rule="norm")
    found, _ = part.apply(u, node_of(u, t, schedule), lambda v, s: clean, lambda: z)
    sigma = float(schedule.sigma(t))
    for row in range(4):
        s = (clean[row] - u[row]) / sigma**2
        e = min(2 * (snr * float(z[row].norm()) / float(s.norm())) ** 2, 0.5 * sigma**2)
        torch.testing.assert_close(
            found[row], u[row] + e * s + math.sqrt(2 * e) * z[row], rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize(
    "part", [Langevin(), Langevin(rule="norm"), Underdamped(), TimeShift(window=0.05, data_variance=0.7)]
)
@pytest.mark.parametrize("solver", [DPMpp2M(), Exponential(order=3, eta=0.5), Heun()], ids=lambda s: s.name())
def test_clean_history_stays_and_rows_do_not_touch(part, solver):
    process = Process(Linear())
    lag = torch.arange(6, dtype=F64)
    oracle = GaussianOracle(torch.zeros(6), 0.7 ** (lag[:, None] - lag).abs(), process)
    history = torch.randn(4, 2, 1, dtype=F64, generator=torch.Generator().manual_seed(0))
    context = Context(history_frames=2, history=history)
    chosen = Preset(solver=solver, evaluations=16, corrections=(part,))

    def draw(rows):
        rows = torch.tensor(rows)
        key = Key.of(0, rows)
        return sample(
            oracle,
            (len(rows), 6, 1),
            key=key,
            context=context.rows(rows),
            preset=chosen,
            dtype=F64,
            trajectory=True,
        )

    together = draw([0, 1, 2, 3])
    assert torch.equal(together.clips[:, :2], history)
    assert all(torch.equal(node[:, :2], history) for node in together.trajectory)
    torch.testing.assert_close(draw([2, 0]).clips, together.clips[[2, 0]], rtol=1e-10, atol=1e-12)
    assert together.evaluations <= 16
    plain = sample(
        oracle, (4, 6, 1), key=Key.of(0, 4), context=context, preset=Preset(solver=solver), dtype=F64
    )
    assert not torch.allclose(plain.clips, together.clips)


@pytest.mark.parametrize("schedule", [Linear(), EDM(), CondOT()], ids=lambda s: s.name())
def test_variance_says_which_time_it_is(schedule):
    """White fields at a true time: found from pure noise, and with the data's variance given."""
    torch.manual_seed(1)
    for t in (0.4, 0.6, 0.8):
        for spread in (0.0, 0.3):
            u = torch.randn(2, 60_000, 1, dtype=F64)
            u = u * float((schedule.sigma(time(t)) ** 2 + spread * schedule.alpha(time(t)) ** 2).sqrt())
            part = TimeShift(window=0.2, data_variance=spread)
            for nominal in (t, t - 0.02, t + 0.03):
                _, found = part.apply(u, node_of(u, time(nominal), schedule), None, None)
                # The variance of a variance is 2 / n: three of its deviations, and the grid's spacing.
                grid = torch.linspace(t - 0.05, t + 0.05, 101, dtype=F64)
                law = schedule.sigma(grid) ** 2 + spread * schedule.alpha(grid) ** 2
                slope = float((law[-1] - law[0]).abs() / 0.1)
                allowed = 3 * float(law[50]) * math.sqrt(2 / 60_000) / slope + 0.001
                assert float((found - t).abs().max()) < allowed


def test_excess_noise_moves_the_time_by_the_inverse_of_sigma():
    schedule, t = EDM(), time(0.5)
    torch.manual_seed(2)
    u = torch.randn(1, 1000, 1, dtype=F64)
    u = (u - u.mean()) / u.std() * float(schedule.sigma(t)) * 1.03
    _, found = TimeShift(window=0.1).apply(u, node_of(u, t, schedule), None, None)
    expected = schedule.time_at(-2.0 * torch.log(1.03 * schedule.sigma(t)))
    assert float(found) > 0.5
    assert float(found) == pytest.approx(float(expected), abs=0.1 / 200)
    _, held = TimeShift(window=0.001).apply(u, node_of(u, t, schedule), None, None)
    assert float(held) == pytest.approx(0.5005, abs=1e-9)
    part = TimeShift(window=0.1, cutoff=0.6)
    node = node_of(u, t, schedule)
    assert part.apply(u, node, None, None)[1] is node.time


@pytest.mark.parametrize("solver", [DDIM(), Exponential(order=3)], ids=lambda s: s.name())
def test_a_window_of_nothing_changes_no_bit_and_shifted_steps_start_from_the_shifted_time(solver):
    schedule = Linear()
    fields = torch.tensor([0.9, 0.7, 0.5, 0.3, 0.1], dtype=F64)
    torch.manual_seed(3)
    u = torch.randn(2, 3, 1, dtype=F64)

    def denoise(v, t):
        return torch.sin(2.0 * v) + expand(t, v)

    def run(part, nodes=fields):
        def again(fields):
            return Plan.of(solver, schedule, fields, u, corrected=True)

        return corrected(denoise, again(nodes), again, nodes, u, part, never, never)

    assert torch.equal(run((TimeShift(window=0.0),)), run(()))

    class Later(TimeShift):
        def apply(self, u, node, denoise, draw):
            return u, node.time + torch.tensor([[0.02], [0.05]], dtype=F64)

    # The step to a node goes to its nominal time; the one from it starts at the shifted time.
    moved = run((Later(),))
    for row, shift in enumerate((0.02, 0.05)):
        state, kept = u[row : row + 1], []
        for i in range(4):
            start = fields.clone()
            start[1 : i + 1] += shift
            kept.insert(0, denoise(state, start[i]))
            step = solver.plan(schedule, start)[i]
            state = state * step.scale + sum(w * d for w, d in zip(step.weights, kept, strict=False))
        torch.testing.assert_close(moved[row : row + 1], state, rtol=1e-12, atol=1e-13)


def test_noise_of_corrections_is_drawn_once_each():
    seen = []

    def draw(number):
        seen.append(number)
        return torch.zeros(1, 1, 1, dtype=F64)

    fields = torch.tensor([0.9, 0.5, 0.1, 0.0], dtype=F64)
    parts = (Langevin(sweeps=2), Langevin())
    u = torch.ones(1, 1, 1, dtype=F64)
    plan = Plan.of(DDIM(), Linear(), fields, u, corrected=True)
    corrected(lambda v, t: v, plan, never, fields, u, parts, never, draw)
    assert seen == list(range(6))
    assert {Langevin, Underdamped, TimeShift} == set(CORRECTIONS)
