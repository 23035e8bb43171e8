"""Steps made at once are, at convergence, steps made one after the other."""

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand, with_clean_history
from rheos.process import Process
from rheos.process.schedule import CondOT, Cosine, Linear
from rheos.sample import Preset, sample
from rheos.sample.correction import Langevin
from rheos.sample.driver import Parallel, parallel, sequential
from rheos.sample.solver import DDIM, Ancestral, DPMpp2M, Heun, Midpoint, SingleStep
from rheos.sample.windows import Windows

F64 = torch.float64
SINGLE = [DDIM(), DDIM(eta=0.5), Ancestral(), Heun(), Midpoint(), SingleStep(), SingleStep(order=3)]
FIELDS = torch.cat((torch.linspace(0.9, 0.05, 12, dtype=F64), torch.zeros(1, dtype=F64)))


def answer(u, t):
    """Smooth, not affine, and of the very time of every row."""
    return torch.sin(2.0 * u) * (1 - expand(t, u)) + 0.3


def run(solver, schedule, how, fields=FIELDS):
    torch.manual_seed(0)
    u, noise = torch.randn(3, 4, 2, dtype=F64), torch.randn(60, 3, 4, 2, dtype=F64)
    calls = []

    def answers(window):
        def many(v, t):
            calls.append(window.copies)
            return answer(v, t)

        return many

    nodes = parallel(answers, Windows.of(solver, schedule, fields, u), u, noise.__getitem__, how)
    exact = [u]
    moves = [move.to(u) for move in solver.plan(schedule, fields)]
    sequential(answer, moves, u, noise.__getitem__, lambda v: exact.append(v.clone()))
    return torch.stack(nodes), torch.stack(exact[1:]), calls


@pytest.mark.parametrize("schedule", [Linear(), CondOT()], ids=lambda s: s.name())
@pytest.mark.parametrize("window", [1, 3, 12, 40])
@pytest.mark.parametrize("solver", SINGLE, ids=lambda s: s.name())
def test_at_convergence_every_node_is_that_of_one_step_after_the_other(solver, window, schedule):
    found, exact, calls = run(solver, schedule, Parallel(window=window, tolerance=0.0))
    torch.testing.assert_close(found, exact, rtol=1e-11, atol=1e-12)
    if window == 1:
        assert torch.equal(found, exact)
    # At least one node is done a sweep.
    assert len(calls) <= 12 * solver.evaluations_per_step
    assert max(calls) == min(window, 12)


@pytest.mark.parametrize("solver", [DDIM(), DDIM(eta=0.5)], ids=["ddim", "noisy"])
def test_a_tolerance_saves_sweeps_and_bounds_the_difference(solver):
    fine = torch.cat((torch.linspace(0.9, 0.05, 60, dtype=F64), torch.zeros(1, dtype=F64)))
    nodes, exact, every = run(solver, Linear(), Parallel(window=30, tolerance=0.0), fine)
    near, _, fewer = run(solver, Linear(), Parallel(window=30, tolerance=0.02), fine)
    assert len(fewer) < 0.75 * len(every) < 45
    assert 0 < float((near - exact).abs().max()) < 0.05
    assert float((nodes - exact).abs().max()) < 1e-11


def test_a_sweep_is_the_sum_of_increments():
    """Two sweeps written out in y = x / alpha, from a first guess that keeps y."""
    schedule, solver = Linear(), DDIM()
    torch.manual_seed(0)
    u = torch.randn(1, 2, 1, dtype=F64)
    alpha = schedule.alpha(FIELDS)
    seen = []

    def answers(window):
        def many(v, t):
            seen.append(v.clone())
            return answer(v, t)

        return many

    windows = Windows.of(solver, schedule, FIELDS, u)
    parallel(answers, windows, u, None, Parallel(window=12, tolerance=0.0))
    moves = [move.to(u) for move in solver.plan(schedule, FIELDS)]
    y = (u / alpha[0]).expand(13, 2, 1).clone()
    for sweep in range(3):
        start = sweep  # every sweep settles one node more
        rows = torch.cat([y[i : i + 1] * alpha[i] for i in range(start, 12)])
        torch.testing.assert_close(seen[sweep], rows, rtol=1e-10, atol=1e-11)
        increments = []
        for i in range(12):
            x = y[i : i + 1] * alpha[i]
            after = x * moves[i].scale + moves[i].weights[0] * answer(x, FIELDS[i])
            increments.append(after / alpha[i + 1] - y[i : i + 1])
        y = torch.cat((y[:1], y[:1] + torch.cat(increments).cumsum(0)))


def test_clean_frames_say_nothing_of_the_level_that_a_tolerance_is_in_units_of():
    fields = torch.stack([with_clean_history(t, 2, 5) for t in FIELDS])
    for schedule in (Linear(), CondOT()):
        windows = Windows.of(DDIM(), schedule, fields, torch.zeros(3, 5, 1, dtype=F64))
        levels = torch.cat([level.flatten() for level in windows.levels])
        torch.testing.assert_close(levels, schedule.sigma(FIELDS[:-1]), rtol=1e-14, atol=0)


def test_through_sample_with_history_and_a_context():
    process = Process(Cosine())
    history = torch.randn(3, 2, 1, dtype=F64, generator=torch.Generator().manual_seed(1))
    context = Context(history_frames=2, history=history)

    def denoise(u, t, context):
        # Clean frames are answered by themselves, as every denoiser does.
        shift = context.history.mean((1, 2))[:, None, None]
        return Posterior(torch.where(expand(t, u) == 0, u, torch.tanh(u + shift)))

    def draw(how):
        chosen = Preset(solver=Ancestral(), evaluations=15, parallel=how)
        return sample(
            denoise,
            (3, 5, 1),
            key=Key.of(0, 3),
            process=process,
            context=context,
            preset=chosen,
            dtype=F64,
            trajectory=True,
        )

    plain, at_once = draw(None), draw(Parallel(window=5, tolerance=0.0))
    torch.testing.assert_close(at_once.clips, plain.clips, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(at_once.trajectory, plain.trajectory, rtol=1e-9, atol=1e-10)
    assert torch.equal(at_once.clips[:, :2], history)
    assert plain.evaluations == 15 < at_once.evaluations


def test_what_cannot_be_made_at_once_is_refused():
    process, how = Process(Cosine()), Parallel()
    for chosen in (
        Preset(solver=DPMpp2M(), parallel=how),
        Preset(solver=Heun(churn=2.0), parallel=how),
        Preset(solver=DDIM(), parallel=how, corrections=(Langevin(),)),
    ):
        with pytest.raises(IncompatibleError, match="at once"):
            sample(lambda u, t, c: Posterior(u), (1, 2, 1), key=Key.of(0), process=process, preset=chosen)
