"""Critically damped sampling: laws by linear recursion, orders, exact limits, history, rows, refusals."""

import math

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.denoise import StateDenoiser
from rheos.process import CriticallyDamped, Process
from rheos.sample import likelihood, probe, sample, variance_ratio
from rheos.sample.momentum import (
    MOMENTUM_SOLVERS,
    EulerMaruyama,
    Flow,
    Splitting,
    quadratic_times,
    sample_states,
)

F64 = torch.float64
SOLVERS = [EulerMaruyama(), Splitting(), Splitting(kick="midpoint"), Flow()]
MEANS = torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=F64)
MODES = torch.tensor([0.01, 0.3, 1.0, 4.0], dtype=F64)


def name(solver):
    return "-".join([solver.name(), *(str(v) for v in solver.model_dump(exclude={"kind"}).values())])


class Modes:
    """The exact denoiser of independent Gaussian modes, one a channel, by conditioning on (x, v)."""

    def __init__(self, process, means=MEANS, variances=MODES):
        self.process, self.means, self.variances = process, means, variances
        self.known = {}

    def at(self, t):
        """Law of the state and the clip's gain on it, found once a time."""
        if float(t) not in self.known:
            center, covariance = self.law(t)
            signal = self.variances[:, None] * self.process.operators(t).a
            self.known[float(t)] = center, torch.linalg.solve(covariance, signal)
        return self.known[float(t)]

    def law(self, t):
        """Means `(2, modes)` and covariances `(modes, 2, 2)` of the state."""
        known = self.process.operators(t)
        signal = self.variances[:, None, None] * torch.outer(known.a, known.a)
        return known.a[:, None] * self.means, signal + known.b @ known.b.mT

    def __call__(self, state, t, context=None):
        center, gain = self.at(t.flatten()[-1])
        x, v = self.process.split(state)
        mean = self.means + gain[:, 0] * (x - center[0]) + gain[:, 1] * (v - center[1])
        return Posterior(torch.where(expand(t, mean) == 0, x, mean))


def recursion(solver, oracle, nodes, start=None):
    """Law of (x, v) at the last node from the exact one at the first, each step an affine map of noises."""
    process, modes = oracle.process, len(oracle.variances)
    mean, covariance = oracle.law(nodes[0]) if start is None else start
    for move in solver.plan(process, nodes):
        rows = torch.zeros(7, 1, modes, dtype=F64)
        x, v = rows.clone(), rows.clone()
        x[1], v[2] = 1.0, 1.0
        used = iter(range(3, 7))

        def draw(like, used=used):
            z = torch.zeros_like(like)
            z[next(used)] = 1.0
            return z

        x, v = move.to(x).apply(x, v, lambda state, t: oracle(state, t).mean, draw)
        images = torch.stack((x[:, 0], v[:, 0]), 1)
        columns = (images[1:] - images[:1]).permute(2, 1, 0)
        matrix, noise = columns[..., :2], columns[..., 2:]
        mean = images[0] + torch.einsum("mij,jm->im", matrix, mean)
        covariance = matrix @ covariance @ matrix.mT + noise @ noise.mT
    return mean, covariance


def error(solver, oracle, nodes):
    mean, covariance = recursion(solver, oracle, nodes)
    center, exact = oracle.law(nodes[-1])
    scale = exact.diagonal(dim1=1, dim2=2).sqrt()
    away = ((mean - center).mT / scale).abs().amax(1)
    return away, ((covariance - exact) / (scale[:, :, None] * scale[:, None, :])).abs().amax((1, 2))


@pytest.mark.parametrize("process", [CriticallyDamped(), CriticallyDamped(mass=1.0, friction=3.0)])
@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_measured_order_is_the_declared_one(solver, process):
    """Mean and covariance of clip and velocity of every mode, from t = 0.9 to 0.05, 160 steps and 320."""
    oracle = Modes(process)
    coarse, fine = (
        torch.stack(error(solver, oracle, torch.linspace(0.9, 0.05, steps + 1, dtype=F64)))
        for steps in (160, 320)
    )
    assert float(fine.max()) < (0.1 if solver.declared_order == 1 else 0.012)
    assert float(torch.log2(coarse.max() / fine.max())) == pytest.approx(solver.declared_order, abs=0.15)


@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_the_marginals_are_reached_in_the_limit(solver):
    """On the published spacing of times, all the way from the law of the start to t_min and the clip."""
    process = CriticallyDamped()
    oracle = Modes(process)
    steps = 500 if solver.declared_order == 1 else 200
    nodes = quadratic_times(process, steps + 1)
    away, spread = error(solver, oracle, nodes)
    assert float(away.max()) < 0.02
    assert float(spread.max()) < (0.1 if solver.declared_order == 1 else 0.02)


def test_sampling_is_the_recursion():
    """`sample_states` against the recursion of its own steps, started without the clip's last share."""
    process, rows = CriticallyDamped(), 40_000
    oracle = Modes(process)
    nodes = quadratic_times(process, 13)
    known = process.operators(nodes[0])
    start = (torch.zeros(2, 4, dtype=F64), (known.b @ known.b.mT).expand(4, 2, 2))
    for solver in (Splitting(), Flow()):
        mean, covariance = recursion(solver, oracle, nodes, start)
        drawn = sample_states(
            oracle, (rows, 1, 4), key=Key.of(0, rows), solver=solver, times=nodes, dtype=F64, trajectory=True
        )
        last = drawn.trajectory[-1][:, 0].reshape(rows, 2, 4)
        assert drawn.trajectory.shape == (13, rows, 1, 8)
        assert drawn.evaluations == 12 * solver.evaluations_per_step + 1
        deviation = covariance.diagonal(dim1=1, dim2=2).sqrt().mT
        # Five standard errors of 40 000 rows.
        assert float(((last.mean(0) - mean) / deviation).abs().max()) < 5 / math.sqrt(rows)
        for mode in range(4):
            ratio = last[:, :, mode].T.cov() / covariance[mode]
            assert ratio.diagonal().tolist() == pytest.approx([1.0, 1.0], abs=5 * math.sqrt(2 / rows))
        torch.testing.assert_close(drawn.clips, oracle(drawn.trajectory[-1], nodes[-1]).mean)


def test_the_splittings_linear_part_is_exact():
    """Where the score is that of velocities at rest, s_v = -v / M, the kick is nothing: any step is exact."""
    process = CriticallyDamped()
    nodes = torch.tensor([1.0, 0.4, 0.1], dtype=F64)

    class AtRest:
        """Answers the mean whose score is -v / M."""

        def __call__(self, state, t):
            x, v = process.split(state)
            signal, precision = process.pull(t)
            return (precision[1, 0] * x + (precision[1, 1] - 1 / process.mass) * v) / signal[1]

    rest = torch.diag(torch.tensor([1.0, process.mass], dtype=F64))
    for move in Splitting().plan(process, nodes):
        matrix = torch.zeros(6, 1, 1, dtype=F64)
        x, v = matrix.clone(), matrix.clone()
        x[0], v[1] = 1.0, 1.0
        used = iter(range(2, 6))

        def draw(like, used=used):
            z = torch.zeros_like(like)
            z[next(used)] = 1.0
            return z

        x, v = move.to(x).apply(x, v, AtRest(), draw)
        columns = torch.stack((x.flatten(), v.flatten()))
        law = columns[:, :2] @ rest @ columns[:, :2].mT + columns[:, 2:] @ columns[:, 2:].mT
        torch.testing.assert_close(law, rest, rtol=1e-9, atol=1e-10)


def test_a_light_velocity_gives_ordinary_diffusions_samples():
    """M -> 0 at fixed G: the law of the clip alone is variance preserving diffusion's, node by node."""
    process = CriticallyDamped(mass=1e-3, friction=1.0, rate=4.0)
    oracle = Modes(process)
    nodes = torch.linspace(0.9, 0.2, 601, dtype=F64)
    mean, covariance = recursion(Splitting(kick="midpoint"), oracle, nodes)
    alpha = torch.exp(-4.0 * nodes[-1])
    torch.testing.assert_close(mean[0], alpha * MEANS, rtol=0.01, atol=0.01)
    torch.testing.assert_close(covariance[:, 0, 0], alpha**2 * MODES + 1 - alpha**2, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_history_stays_at_every_node_and_rows_do_not_touch(solver):
    process = CriticallyDamped()
    oracle = Modes(process)
    torch.manual_seed(0)
    history = torch.randn(4, 2, 4, dtype=F64)
    context = Context(history_frames=2, history=history)

    def draw(rows):
        rows = torch.tensor(rows)
        return sample_states(
            oracle,
            (len(rows), 5, 4),
            key=Key.of(0, rows),
            context=context.rows(rows),
            solver=solver,
            times=8,
            dtype=F64,
            trajectory=True,
        )

    together = draw([0, 1, 2, 3])
    assert torch.equal(together.clips[:, :2], history)
    for node in together.trajectory:
        assert torch.equal(node[:, :2, :4], history)
        assert float(node[:, :2, 4:].abs().max()) == 0.0
    assert bool(torch.isfinite(together.clips).all())
    assert torch.equal(draw([2, 0]).clips, together.clips[[2, 0]])
    assert torch.equal(draw([0, 1, 2, 3]).clips, together.clips)
    assert len(torch.unique(together.clips[:, 2:])) == 4 * 3 * 4


def test_fresh_noise_at_every_draw():
    """Start and steps take streams of their own: what is drawn twice would show as correlation."""
    process, seen = CriticallyDamped(), []

    class Watching(Splitting):
        def plan(self, process, fields):
            return [Watched(move) for move in super().plan(process, fields)]

    class Watched:
        def __init__(self, move):
            self.move = move

        def to(self, like):
            return Watched(self.move.to(like))

        def apply(self, x, v, denoise, draw):
            def watching(like):
                seen.append(draw(like))
                return seen[-1]

            return self.move.apply(x, v, denoise, watching)

    drawn = sample_states(
        Modes(process), (3, 1, 4), key=Key.of(0, 3), solver=Watching(), times=4, dtype=F64, trajectory=True
    )
    assert len(seen) == 12
    start = drawn.trajectory[0]
    numbers = torch.cat([torch.stack(seen).flatten(), start.flatten()])
    assert len(torch.unique(numbers)) == len(numbers)


def test_a_network_is_trained_for_and_drawn_from_alike():
    """A denoiser of the package itself: with F = 0 it is the exact one of Gaussian clips of its deviation."""

    class Silent(torch.nn.Module):
        def forward(self, x, level, context):
            return torch.zeros_like(x)

    process, rows = CriticallyDamped(), 4000
    denoiser = StateDenoiser(Silent(), process, sigma_data=0.6)
    drawn = sample_states(
        denoiser, (rows, 2, 3), key=Key.of(1, rows), solver=Splitting(kick="midpoint"), times=40
    )
    assert drawn.clips.dtype == torch.float32
    # 24 000 numbers: a deviation is known to 0.5 %; the solver's own bias is below 1 % here.
    assert float(drawn.clips.std()) == pytest.approx(0.6, rel=0.03)
    assert abs(float(drawn.clips.mean())) < 0.02


def test_what_cannot_be_is_refused_before_any_work():
    process, key = CriticallyDamped(), Key.of(0, 2)
    oracle = Modes(process)

    def never(u, t, context):
        raise AssertionError("the denoiser was asked")

    with pytest.raises(IncompatibleError, match="no velocity"):
        sample_states(never, (2, 1, 4), key=key, process=Process())
    for call in (
        lambda: sample(never, (2, 1, 4), key=key, process=process),
        lambda: sample(oracle, (2, 1, 4), key=key),
        lambda: probe(never, (1, 4), process=process),
        lambda: likelihood(never, torch.zeros(2, 1, 4), process=process),
        lambda: variance_ratio(process, MODES),
    ):
        with pytest.raises(IncompatibleError, match=r"no alpha\(t\)"):
            call()
    for times in (torch.tensor([0.9, 0.5]), torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.2, 0.4])):
        with pytest.raises(InputError, match="fall from t_max"):
            sample_states(oracle, (2, 1, 4), key=key, times=times)
    with pytest.raises(InputError, match="rows"):
        sample_states(oracle, (3, 1, 4), key=key)
    assert {type(solver) for solver in SOLVERS} == set(MOMENTUM_SOLVERS)
