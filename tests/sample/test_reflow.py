"""Reflow: pairs by the exact flow, straightness in closed form, one step after it, no lines that cross."""

import math

import pytest
import torch
from scipy import integrate

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.denoise import Denoiser, GaussianOracle, MixtureOracle, Objective
from rheos.process import FollmerForecaster, Process, StochasticInterpolant
from rheos.process.coordinates import FrameMixing
from rheos.process.noise import OrnsteinUhlenbeck, StudentT
from rheos.process.schedule import EDM, CondOT, Cosine, Linear
from rheos.sample import Pairs, Preset, pairs, sample, straightness
from rheos.sample.grid import LogSNR, Uniform
from rheos.sample.solver import DDIM, DPMpp2M, Exponential

F64 = torch.float64
MEAN, SPREAD, ROWS = 0.7, 0.4, 400
FINE = Preset(solver=Exponential(order=4), grid=LogSNR(highest=1e4, lowest=1e-3), evaluations=300)


def oracle_of(process=None):
    process = Process(CondOT()) if process is None else process
    return GaussianOracle(torch.tensor([MEAN]), torch.tensor([[SPREAD**2]]), process)


def drawn(process=None, rows=ROWS, preset=FINE):
    return pairs(oracle_of(process), (rows, 1, 1), key=Key.of(0, rows), preset=preset, dtype=F64)


class Coupled:
    """The exact denoiser of pairs (z, m + s z): x_t tells z."""

    def __init__(self, process):
        self.process = process

    def __call__(self, u, t, context=None):
        alpha, sigma = (
            expand(part, u) for part in (self.process.schedule.alpha(t), self.process.schedule.sigma(t))
        )
        return Posterior(MEAN + SPREAD * (u - alpha * MEAN) / (alpha * SPREAD + sigma))


@pytest.mark.parametrize("schedule", [CondOT(), EDM(), Cosine()], ids=repr)
def test_the_flow_of_gaussian_data_pairs_each_noise_with_its_own_clip(schedule):
    """u_0 = m + s z, but for the signal left out at the start and the noise left at the end."""
    found = drawn(Process(schedule))
    assert torch.equal(found.noise, Key.of(0, ROWS).at(Purpose.START).normal((1, 1), F64))
    ends = torch.tensor([schedule.t_max], dtype=F64)
    left = 3.0 * math.exp(0.5 * float(schedule.log_snr(ends)))
    torch.testing.assert_close(found.clips, MEAN + SPREAD * found.noise, rtol=0, atol=1e-4 + left)


def test_one_step_is_enough_once_pairs_are_learned():
    """After reflow of z -> m + s z one step of Euler's rule is exact, and S is 0."""
    process = Process(CondOT())
    clips = MEAN + SPREAD * (z := Key.of(1, ROWS).normal((1, 1), F64))
    assert float(straightness(Coupled(process), Pairs(clips, z), nodes=32).max()) < 1e-24
    key = Key.of(0, ROWS)
    one, many = (
        sample(
            Coupled(process), (ROWS, 1, 1), key=key, dtype=F64, preset=Preset(solver=DDIM(), evaluations=n)
        )
        for n in (1, 200)
    )
    assert one.evaluations == 1
    z = key.at(Purpose.START).normal((1, 1), F64)
    # 1e-4 of the signal is left out at t_max.
    torch.testing.assert_close(one.clips, MEAN + SPREAD * z, rtol=0, atol=4e-4)
    torch.testing.assert_close(many.clips, one.clips, rtol=0, atol=1e-12)
    before = sample(
        oracle_of(process), (ROWS, 1, 1), key=key, dtype=F64, preset=Preset(solver=DDIM(), evaluations=1)
    )
    assert float((before.clips - one.clips).abs().max()) > 0.5


def test_straightness_of_the_flow_itself_by_quadrature():
    """E |D - u_0|^2 / tau^2 with u_0 = m + s z: ((s (1 - tau) (s (1 - tau) + tau) / V - 1) s z / tau)^2."""
    found = drawn()
    exact = Pairs(MEAN + SPREAD * found.noise, found.noise)

    def density(tau):
        total = (SPREAD * (1 - tau)) ** 2 + tau**2
        return (SPREAD * (SPREAD * (1 - tau) * (SPREAD * (1 - tau) + tau) / total - 1) / tau) ** 2

    per_square = integrate.quad(density, 0, 1)[0]
    S = straightness(oracle_of(), exact, nodes=24)
    torch.testing.assert_close(S, per_square * exact.noise.square().flatten(), rtol=1e-6, atol=1e-9)


def test_straightness_of_independent_pairs_is_the_spread_left():
    """int s^2 / ((1 - tau)^2 s^2 + tau^2) dtau = s pi / 2: far more than the flow's own."""
    rows = 40_000
    key = Key.of(2, rows)
    apart = Pairs(MEAN + SPREAD * key.normal((1, 1), F64), key.at(Purpose.NOISE).normal((1, 1), F64))
    S = straightness(oracle_of(), apart, nodes=24)
    # Five standard errors of the mean.
    assert float(S.mean()) == pytest.approx(SPREAD * math.pi / 2, abs=5 * float(S.std()) / rows**0.5)
    own = straightness(oracle_of(), drawn())
    assert float(own.mean()) < 0.5 * float(S.mean())


def test_straightness_is_the_same_on_every_schedule():
    found, reference = drawn(), None
    for schedule in (CondOT(), Cosine(), Linear(), EDM()):
        S = straightness(oracle_of(Process(schedule)), found, nodes=6)
        reference = S if reference is None else reference
        torch.testing.assert_close(S, reference, rtol=1e-8, atol=1e-10)


def test_lines_between_pairs_do_not_cross():
    """Two points in one dimension: the flow keeps the order, so t -> x_t is one to one over the pairs."""
    process = Process(CondOT())
    two = torch.tensor([[1.0], [-1.0]], dtype=F64)
    oracle = MixtureOracle(torch.tensor([0.4, 0.6]), two, torch.tensor([0.01, 0.01]), process)
    found = pairs(oracle, (ROWS, 1, 1), key=Key.of(3, ROWS), preset=FINE, dtype=F64)
    z, order = found.noise.flatten().sort()
    clips = found.clips.flatten()[order]
    for tau in (0.0, 0.01, 0.3, 0.7, 1.0):
        assert bool(((1 - tau) * clips + tau * z).diff().min() > 0)
    below = float((clips < 0).double().mean())
    # The share of noise below the point that parts them: 0.6, five standard errors.
    assert below == pytest.approx(0.6, abs=5 * math.sqrt(0.24 / ROWS))
    assert float(straightness(oracle, found).mean()) < float(
        straightness(oracle, Pairs(found.clips, found.noise.roll(1, 0))).mean()
    )


def test_the_objective_meets_the_noise_that_belongs_to_each_clip():
    process = Process(CondOT())

    class Exact(torch.nn.Module):
        def forward(self, x, level, context):
            t = torch.sigmoid(-0.5 * level[:, :1, None]).double()
            return MEAN + SPREAD * (x - (1 - t) * MEAN) / ((1 - t) * SPREAD + t)

    class Unscaled(Denoiser):
        def shown(self, u, row, context):
            return u

    denoiser, key = Unscaled(Exact(), process, "x0"), Key.of(4, 64)
    z = Key.of(5, 64).normal((3, 2), F64)
    clips = MEAN + SPREAD * z
    assert float(Objective()(denoiser, clips, Context(), key, z).max()) < 1e-18
    assert float(Objective()(denoiser, clips, Context(), key).mean()) > 1e-2
    own = process.noise.draw(key.at(Purpose.NOISE), (3, 2), Context(), F64)
    assert torch.equal(
        Objective()(denoiser, clips, Context(), key, own), Objective()(denoiser, clips, Context(), key)
    )


PROCESSES = {
    "mixing": Process(Cosine(), FrameMixing()),
    "diffused": Process(Cosine(), FrameMixing(), history="diffused"),
    "correlated": Process(CondOT(), noise=OrnsteinUhlenbeck()),
    "heavy": Process(EDM(), noise=StudentT()),
    "follmer": FollmerForecaster().build(),
    "interpolant": StochasticInterpolant().build(),
}


@pytest.mark.parametrize("word", PROCESSES)
def test_any_process_has_pairs(word):
    """u_0 as it was drawn, history and all, of the very noise that `sample` starts from."""
    process = PROCESSES[word]
    history = torch.ones(2, 1, 1, dtype=F64)
    context = Context(history_frames=1, history=history, anchor=torch.full((2, 3, 1), 0.5, dtype=F64))

    def half(u, t, context):
        return Posterior(0.5 * u)

    half.process = process
    key = Key.of(6, 2)
    found = pairs(half, (2, 3, 1), key=key, context=context, dtype=F64)
    clips = sample(half, (2, 3, 1), key=key, context=context, preset="best", dtype=F64).clips
    torch.testing.assert_close(process.read(found.clips, context)[:, 1:], clips[:, 1:])
    torch.testing.assert_close(found.noise, process.noise.draw(key.at(Purpose.START), (3, 1), context, F64))
    seen = straightness(half, found, context=context)
    assert bool((seen > 0).all())
    # Clean history counts for nothing; generated history does.
    moved = Pairs(torch.cat((found.clips[:, :1] + 1.0, found.clips[:, 1:]), 1), found.noise)
    assert torch.equal(straightness(half, moved, context=context), seen) == (process.history == "clean")


def test_history_is_the_same_for_drawing_and_training():
    """Noise that forecasts show history under is none of the pairs'."""
    seen = []

    def watching(u, t, context):
        seen.append((context.history, t))
        return Posterior(0.5 * u)

    history = torch.ones(2, 1, 1)
    context = Context(history_frames=1, history=history)
    noisy = Process(CondOT(), history_noise=0.3)
    found = pairs(watching, (2, 3, 1), key=Key.of(6, 2), process=noisy, context=context)
    straightness(watching, found, process=noisy, context=context)
    assert all(torch.equal(shown, history) and float(t[0, 0]) == 0.0 for shown, t in seen)


def test_what_makes_no_pairs_is_refused():
    for solver in (DDIM(eta=0.5), DPMpp2M(eta=1.0)):
        with pytest.raises(IncompatibleError, match="noise alone"):
            drawn(preset=Preset(solver=solver, grid=Uniform()))
    with pytest.raises(InputError, match="nodes=0"):
        straightness(oracle_of(), drawn(rows=2), nodes=0)
