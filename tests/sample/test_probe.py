"""The law of what is sampled: every schedule x coordinates x solver x grid on Gaussian data."""

import math

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.denoise.oracle import GaussianOracle
from rheos.process import Process
from rheos.process.coordinates import Anchored, FrameMixing, Identity
from rheos.process.noise import White
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine
from rheos.sample import PRESETS, Preset, probe, sample, variance_ratio
from rheos.sample.course import time_fields
from rheos.sample.grid import GRIDS, LogSNR, TimeGrid
from rheos.sample.preset import BOUNDS
from rheos.sample.solver import (
    DDIM,
    SOLVERS,
    AdamsMoulton,
    Ancestral,
    DPMpp2M,
    DPMpp3M,
    Exponential,
    ExponentialNoise,
    HeavyBall,
    Heun,
    Midpoint,
    SingleStep,
    UniPC,
)

F64 = torch.float64
SOLVER_OBJECTS = [
    DDIM(),
    DDIM(eta=0.5),
    Ancestral(),
    Heun(),
    Midpoint(),
    Heun(churn=2.0),
    Exponential(order=1),
    Exponential(order=2),
    Exponential(order=3),
    Exponential(order=4),
    Exponential(order=2, eta=1.0),
    ExponentialNoise(order=3),
    DPMpp2M(),
    DPMpp2M(eta=0.5),
    DPMpp3M(),
    AdamsMoulton(),
    AdamsMoulton(eta=0.5),
    UniPC(),
    HeavyBall(),
    SingleStep(),
    SingleStep(order=3),
]
COORDINATES = {
    "identity": Identity(),
    "anchored": Anchored(),
    "mixing": FrameMixing(),
    "anchored*mixing": Anchored() * FrameMixing(floor=0.3),
}
FRAMES, HISTORY = 4, 1


def a_third(turn):
    """Every third solver, beginning with another one each turn."""
    return SOLVER_OBJECTS[turn % 3 :: 3]


def name(method):
    settings = method.model_dump(exclude={"kind"}, exclude_defaults=True)
    return "-".join([method.name(), *(f"{k}={v}" for k, v in settings.items())])


def ar1(frames, r=0.8, scale=1.0):
    lag = torch.arange(frames, dtype=F64)
    return scale * r ** (lag[:, None] - lag[None, :]).abs()


def smooth(frames, length=3.0):
    lag = torch.arange(frames, dtype=F64)
    return torch.exp(-((lag[:, None] - lag[None, :]) ** 2) / (2 * length**2)) + 1e-3 * torch.eye(
        frames, dtype=F64
    )


MEAN = torch.tensor([0.3, -0.5, 1.0, 0.2], dtype=F64)


class Conditional:
    """The exact denoiser of an AR(1) Gaussian given its first frame, in the data's own eigenbasis.

    The network it stands for sees x = C_t(u) and undoes C_t, so that wrong coordinates would show.
    """

    def __init__(self, process, history):
        covariance = ar1(FRAMES)
        known, cross = covariance[:HISTORY, :HISTORY], covariance[HISTORY:, :HISTORY]
        gain = cross @ torch.linalg.inv(known)
        self.process, self.history = process, history
        self.mean = MEAN[HISTORY:] + gain @ (history - MEAN[:HISTORY])
        self.covariance = covariance[HISTORY:, HISTORY:] - gain @ cross.mT
        self.values, self.vectors = torch.linalg.eigh(self.covariance)

    def __call__(self, u, t, context):
        seen = self.process.coordinates.to_seen(u, t, context)
        u = self.process.coordinates.to_canonical(seen, t, context)
        time = t.flatten()[-1]
        alpha, sigma = self.process.schedule.alpha(time), self.process.schedule.sigma(time)
        gain = alpha * self.values / (alpha**2 * self.values + sigma**2)
        away = u[:, HISTORY:, 0] - alpha * self.mean
        future = self.mean + away @ (self.vectors * gain) @ self.vectors.mT
        return Posterior(torch.cat((u[:, :HISTORY], future[..., None]), 1))


def limit(schedule, oracle, last, noise):
    """Mean and covariance of the future when steps become infinitely many, in closed form.

    With y = x / alpha, S = sigma / alpha, reverse noise level z^2 = `noise`: a deviation shrinks by
    K = ((c + S_end^2) / (c + S_start^2))^((1 + noise) / 2), its variance by V_end = c + S_end^2 +
    K^2 (V_start - c - S_start^2); generation starts from S_start z, without alpha u_0; the last call
    multiplies by c / (c + S_end^2).
    """
    ends = torch.tensor([schedule.t_max, last], dtype=F64)
    start, end = torch.exp(-schedule.log_snr(ends)).tolist()
    c = oracle.values
    shrink = ((c + end) / (c + start)) ** ((1.0 + noise) / 2.0)
    variance = c + end - shrink**2 * c
    last_gain = c / (c + end)
    basis = oracle.vectors
    mean = oracle.mean - basis @ (last_gain * shrink * (basis.mT @ oracle.mean))
    return mean, (basis * (last_gain**2 * variance)) @ basis.mT


def reverse_noise(solver):
    """z^2 of the reverse diffusion that the solver tends to."""
    if isinstance(solver, DDIM):
        return solver.eta**2
    return 1.0 if isinstance(solver, Ancestral) else getattr(solver, "eta", 0.0)


HISTORY_VALUE = torch.tensor([1.3], dtype=F64)
CONTEXT = Context(
    history_frames=HISTORY,
    history=HISTORY_VALUE.reshape(1, 1, 1),
    anchor=torch.tensor([0.7, -0.2, 0.4, 2.0], dtype=F64).reshape(1, 4, 1),
    anchor_scale=torch.tensor([0.5, 2.0, 1.5, 0.8], dtype=F64).reshape(1, 4, 1),
)


WIDE = [grid() if grid.name() == "uniform" else grid(highest=1e5) for grid in GRIDS]
"""Grids that refine all of a schedule's range, so that nothing is left of a limit to reach."""


def distance(law, oracle, schedule, nodes, solver):
    mean, covariance = limit(schedule, oracle, float(nodes.times[-1]), reverse_noise(solver))
    assert float((law.mean[:HISTORY] - HISTORY_VALUE).abs().max()) == 0.0
    assert float(law.covariance[:HISTORY].abs().max()) == 0.0
    return float(
        torch.maximum(
            (law.mean[HISTORY:] - mean).abs().max(),
            (law.covariance[HISTORY:, HISTORY:] - covariance).abs().max(),
        )
    )


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name())
@pytest.mark.parametrize("grid", WIDE, ids=lambda g: g.name())
def test_every_solver_tends_to_the_exact_law(schedule, grid):
    """Mean and covariance given clean history; twice the steps, at most the error its order allows."""
    process = Process(schedule())
    oracle = Conditional(process, HISTORY_VALUE)
    for solver in a_third(SCHEDULES.index(schedule) + WIDE.index(grid)):
        if solver == Heun(churn=2.0):
            continue  # Its churn is spread over the grid: a limit of its own, compared with EDM's code.
        errors = []
        for steps in (40, 80):
            nodes = grid.times(process.schedule, steps)
            law = probe(oracle, (FRAMES, 1), context=CONTEXT, preset=Preset(solver=solver, grid=nodes))
            errors.append(distance(law, oracle, process.schedule, nodes, solver))
        # The first-order start of multistep solvers bounds what is seen of higher orders on rough grids.
        order = min(solver.declared_order, 2)
        assert errors[0] / errors[1] > 2 ** (order - 0.4) or errors[1] < 1e-5, (name(solver), errors)


@pytest.mark.parametrize("schedule", [Cosine, EDM, CondOT], ids=lambda s: s.name())
def test_the_limit_is_reached_to_eight_digits(schedule):
    process = Process(schedule(), FrameMixing())
    oracle = Conditional(process, HISTORY_VALUE)
    nodes = LogSNR(highest=1e5).times(process.schedule, 1500)
    chosen = Preset(solver=Exponential(order=4), grid=nodes)
    law = probe(oracle, (FRAMES, 1), context=CONTEXT, preset=chosen)
    assert distance(law, oracle, process.schedule, nodes, Exponential(order=4)) < 1e-8


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name())
@pytest.mark.parametrize("coordinates", [c for c in COORDINATES if c != "identity"])
def test_the_cross_product_gives_the_law_of_plain_coordinates(schedule, coordinates):
    """Schedule x coordinates x solver x grid: the affine image of the same canonical law.

    Every pair of them meets, each solver with a third of the triples.
    """
    process = Process(schedule(), COORDINATES[coordinates])
    anchor, scale = CONTEXT.anchor[0, :, 0], CONTEXT.anchor_scale[0, :, 0]
    if "anchored" not in coordinates:
        anchor, scale = torch.zeros_like(anchor), torch.ones_like(scale)
    canonical = (HISTORY_VALUE - anchor[:HISTORY]) / scale[:HISTORY]
    plain = Context(history_frames=HISTORY, history=canonical.reshape(1, HISTORY, 1))
    seen, unseen = Conditional(process, canonical), Conditional(Process(schedule()), canonical)
    for grid in GRIDS:
        turn = GRIDS.index(grid) + list(COORDINATES).index(coordinates)
        for solver in a_third(turn + SCHEDULES.index(schedule)):
            chosen = Preset(solver=solver, grid=grid(), evaluations=7)
            law = probe(seen, (FRAMES, 1), context=CONTEXT, preset=chosen)
            base = probe(unseen, (FRAMES, 1), context=plain, preset=chosen)
            torch.testing.assert_close(law.mean, anchor + scale * base.mean, rtol=1e-8, atol=1e-8)
            covariance = scale[:, None] * base.covariance * scale
            torch.testing.assert_close(law.covariance, covariance, rtol=1e-8, atol=1e-8)
            assert float(base.covariance[HISTORY:, HISTORY:].diagonal().min()) > 1e-4


def test_the_probe_agrees_with_a_monte_carlo_and_with_the_public_oracle():
    process = Process(Cosine(), FrameMixing())
    oracle = GaussianOracle(MEAN, ar1(FRAMES), process)
    chosen = Preset(solver=Exponential(order=2, eta=0.7), evaluations=6)
    law = probe(oracle, (FRAMES, 1), context=CONTEXT, preset=chosen)
    same = probe(Conditional(process, HISTORY_VALUE), (FRAMES, 1), context=CONTEXT, preset=chosen)
    torch.testing.assert_close(law.mean, same.mean, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(law.covariance, same.covariance, rtol=1e-7, atol=1e-7)
    rows = 20_000
    clips = sample(
        oracle, (rows, FRAMES, 1), key=Key.of(0, rows), context=CONTEXT.repeat(rows), dtype=F64, preset=chosen
    ).clips.flatten(1)
    assert float((clips.mean(0) - law.mean).abs().max()) < 0.03
    assert float((clips.T.cov() - law.covariance).abs().max()) < 0.03


def test_diffused_history_is_drawn_with_the_whole_law():
    """Without condition the whole clip has the data's own law; its history is then discarded."""
    process = Process(Cosine(), FrameMixing(), history="diffused")
    oracle = GaussianOracle(MEAN, ar1(FRAMES), process)
    law = probe(oracle, (FRAMES, 1), context=CONTEXT, preset=Preset(evaluations=60))
    torch.testing.assert_close(law.mean[HISTORY:], MEAN[HISTORY:], rtol=5e-3, atol=5e-3)
    torch.testing.assert_close(law.covariance[1:, 1:], ar1(FRAMES)[1:, 1:], rtol=5e-3, atol=5e-3)
    assert float((law.mean[0] - HISTORY_VALUE).abs()) == 0.0


def test_variance_ratio_is_the_probe_in_the_modes():
    process = Process(Cosine(), FrameMixing())
    covariance = ar1(FRAMES)
    for solver in (DDIM(), Exponential(order=2, eta=1.0), Heun()):
        chosen = Preset(solver=solver, grid=LogSNR(), evaluations=9)
        ratios = variance_ratio(process, covariance, known=HISTORY, preset=chosen)
        oracle = Conditional(process, HISTORY_VALUE)
        law = probe(oracle, (FRAMES, 1), context=CONTEXT, preset=chosen).covariance[HISTORY:, HISTORY:]
        modes = (oracle.vectors.mT @ law @ oracle.vectors).diagonal() / oracle.values
        torch.testing.assert_close(ratios.variances, oracle.values.flip(0), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(ratios.ratios, modes.flip(0), rtol=1e-8, atol=1e-10)
        assert abs(ratios.worst - 1) == float((ratios.ratios - 1).abs().max())
        assert ratios.evaluations == 9


def test_modes_given_history_are_those_of_the_inverse_precision():
    """Cov of the rest given the first frames is the inverse of their block of the precision matrix."""
    covariance = ar1(6, 0.9, scale=2.5) + torch.diag(torch.linspace(0.1, 0.6, 6, dtype=F64))
    found = variance_ratio(Process(), covariance, known=2, floor=0.0).variances
    exact = 1.0 / torch.linalg.eigvalsh(torch.linalg.inv(covariance)[2:, 2:])
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-12)


def test_modes_that_do_not_vary_are_left_out_and_shapes_are_checked():
    few = torch.tensor([1.0, 0.5, 1e-9, 0.0], dtype=F64)
    assert len(variance_ratio(Process(), few).variances) == 2
    with pytest.raises(InputError, match="no mode"):
        variance_ratio(Process(), torch.zeros(3, 3))
    with pytest.raises(InputError, match="square"):
        variance_ratio(Process(), torch.zeros(3, 2))


class Uneven(White):
    @property
    def gaussian(self):
        return False


def test_the_probe_refuses_other_noise():
    with pytest.raises(IncompatibleError, match="Gaussian"):
        probe(lambda u, t, context: Posterior(u), (2, 1), process=Process(Cosine(), noise=Uneven()))


SPECTRA = {
    "wide": torch.logspace(-3, math.log10(30.0), 40, dtype=F64),
    "ar1": ar1(48, 0.97),
    "rough": ar1(48, 0.3),
    "smooth": smooth(24),
}


@pytest.mark.parametrize("word", PRESETS)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name())
def test_presets_keep_their_bound_on_the_worst_mode(schedule, word):
    chosen = PRESETS[word]
    for what, covariance in SPECTRA.items():
        for known in (0,) if covariance.ndim == 1 else (0, 12):
            found = variance_ratio(
                Process(schedule()),
                covariance,
                preset=word,
                known=known,
                floor=0.0 if covariance.ndim == 1 else 1e-3,
            )
            assert abs(found.worst - 1.0) < BOUNDS[word], (what, known)
            assert found.evaluations == chosen.evaluations


@pytest.mark.parametrize("r", [0.5, 0.9])
@pytest.mark.parametrize("known", [0, 4])
def test_fast_is_nearer_to_the_law_than_fifty_steps_of_ddim(known, r):
    """The published DyDiff sampler's covariance is off three times as much, on clips of 15 frames."""

    def error(chosen):
        found = variance_ratio(Process(Cosine()), ar1(15, r), known=known, preset=chosen)
        return float(((found.ratios - 1) * found.variances).norm() / found.variances.norm())

    published = torch.arange(982, 0, -20, dtype=F64) / 1000
    published[0] = Cosine().t_max
    ddim = error(Preset(solver=DDIM(), grid=TimeGrid(published)))
    assert 0.05 < ddim < 0.1
    assert error("fast") < ddim / 3
    assert error(PRESETS["fast"].model_copy(update={"evaluations": 8})) < ddim


def test_presets_stay_within_their_evaluations():
    assert {word: chosen.evaluations for word, chosen in PRESETS.items()} == {
        "fast": 10,
        "balanced": 20,
        "best": 50,
    }
    assert BOUNDS == {"fast": 0.15, "balanced": 0.03, "best": 0.01}
    assert {type(solver) for solver in SOLVER_OBJECTS} == {s for s in SOLVERS if s().linear}


def test_the_probe_refuses_what_is_not_affine():
    oracle = Conditional(Process(Cosine()), HISTORY_VALUE)
    for solver in (s() for s in SOLVERS if not s().linear):
        with pytest.raises(IncompatibleError, match="affine"):
            probe(oracle, (FRAMES, 1), context=CONTEXT, preset=Preset(solver=solver))
        with pytest.raises(IncompatibleError, match="affine"):
            variance_ratio(Process(), ar1(3), preset=Preset(solver=solver))


def test_a_time_field_for_every_node():
    fields = time_fields(LogSNR().times(Cosine(), 5), FRAMES, CONTEXT.history_frames)
    assert fields.shape == (6, 1, FRAMES)
    assert bool((fields[:, :, 0] == 0).all())
    assert bool((fields[-1] == 0).all())
    assert fields[:5, 0, 1].tolist() == LogSNR().times(Cosine(), 5).times.tolist()
    alone = time_fields(TimeGrid(torch.tensor([0.999], dtype=F64)), FRAMES, 0)
    assert alone.tolist() == [0.999, 0.0]
