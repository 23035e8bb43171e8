"""What a step costs outside the network, counted in operations: counts do not drift with the machine.

Three accounts, each with its bound of full-size operations an evaluation:

    solver       2 for DDIM, 3 or, with a corrector, 4 for a second-order multistep solver; 1 more for noise
    conversion   1 for the input scale and 2 for the mean; none where the scale is 1 and the output the mean
    coordinates  1 product with a small matrix for frame mixing, 1 operation for an anchor or a bridge

Between two network calls there is nothing else: no coefficient, no float64, no cast or copy, no wait. So it
is between corrections. Steps made at once wait for their agreement; coefficients at times that a clip chooses
itself are computed when it has chosen.
"""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.time_field import Kind, Times
from rheos.denoise import Denoiser
from rheos.process import Process
from rheos.process.coordinates import Anchored, Bridge, FrameMixing, GaussianProcess, Identity
from rheos.process.noise import White
from rheos.process.schedule import EDM, Cosine, Follmer
from rheos.sample import Preset, sample
from rheos.sample.correction import Langevin, Underdamped
from rheos.sample.course import Course
from rheos.sample.driver import Parallel
from rheos.sample.grid import LogSNR
from rheos.sample.solver import (
    DDIM,
    AdamsMoulton,
    Ancestral,
    DPMpp2M,
    Exponential,
    Heun,
    Midpoint,
    SingleStep,
    UniPC,
)

SHAPE, EVALUATIONS, F64 = (4, 6, 3), 9, torch.float64
VIEWS = {"view", "_unsafe_view", "expand", "select", "slice", "unbind", "detach", "alias"}
VIEWS |= {"unsqueeze", "squeeze", "transpose", "t"}


class Ledger(TorchDispatchMode):
    """Every operation that is no view, with the number of network calls begun before it."""

    def __init__(self, entries):
        super().__init__()
        self.entries, self.calls, self.paused = entries, 0, False
        self.lines, self.doubled, self.crossed = [], [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.__name__.split(".")[0]
        if not self.paused and name not in VIEWS:
            many = out if isinstance(out, tuple | list) else (out,)
            made = [one for one in many if torch.is_tensor(one)]
            self.lines.append((self.calls, name, sum(one.numel() >= self.entries for one in made)))
            given = [one for one in (*made, *args) if torch.is_tensor(one)]
            self.doubled += [self.calls] if any(one.dtype == F64 for one in given) else []
            self.crossed += len({one.device for one in given}) > 1
        return out

    def doubles_between(self):
        """How many operations in float64 there are between the first and the last call."""
        return sum(0 < call < self.calls for call in self.doubled)

    def between(self):
        """Between each two calls: operations on whole clips, and the names of all others."""
        steps = range(1, self.calls)
        full = [sum(size for call, _, size in self.lines if call == step) for step in steps]
        return full, [name for call, name, size in self.lines if size == 0 and 0 < call < self.calls]


class Network(nn.Module):
    """Answers with something, outside the account."""

    ledger = None

    def forward(self, x, level, context):
        self.ledger.paused = True
        out = torch.tanh(x)
        self.ledger.paused = False
        self.ledger.calls += 1
        return out


def context_of():
    generator = torch.Generator().manual_seed(0)
    clip = torch.randn(SHAPE, generator=generator)
    return Context(history_frames=2, history=clip[:, :2], anchor=clip, anchor_scale=clip[:, :1, :1].abs() + 1)


def account(solver, process, prediction="x0", monkeypatch=None, context=None, **options):
    """The ledger of one call of `sample`, and the streams that were drawn from."""
    network, drawn = Network(), []
    draw = White.draw

    def noted(self, key, *args):
        drawn.append((key.purpose, key.step))
        network.ledger.paused = True
        out = draw(self, key, *args)
        network.ledger.paused = False
        return out

    monkeypatch.setattr(White, "draw", noted)
    denoiser = Denoiser(network, process, prediction)
    preset = Preset(solver=solver, evaluations=EVALUATIONS, **options)
    with Ledger(SHAPE[0] * SHAPE[1] * SHAPE[2]) as ledger:
        network.ledger = ledger
        key = Key.of(0, SHAPE[0])
        sample(denoiser, SHAPE, key=key, context=context or Context(), preset=preset)
    assert ledger.calls == EVALUATIONS or options
    return ledger, drawn


SOLVERS = [
    (DDIM(), 2),
    (DPMpp2M(), 3),
    (Exponential(order=2), 3),
    (Exponential(order=3), 4),
    (UniPC(), 4),
    (AdamsMoulton(order=2), 3),
    (DDIM(eta=1.0), 3),
    (Exponential(order=2, eta=1.0), 4),
    (Heun(), 2),
    (Midpoint(), 3),
]
CONVERSIONS = [("x0", Cosine(), 0), ("preconditioned", Cosine(), 2), ("v", Cosine(), 2), ("x0", EDM(), 1)]
COORDINATES = [
    (Identity(), 0),
    (FrameMixing(floor=1.0), 0),
    (FrameMixing(), 1),
    (GaussianProcess(), 1),
    (Anchored(), 1),
    (Anchored() * FrameMixing(), 2),
]


@pytest.mark.parametrize(("solver", "most"), SOLVERS, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize(("prediction", "schedule", "converted"), CONVERSIONS, ids=str)
def test_a_step_is_its_solver_and_its_conversion(solver, most, prediction, schedule, converted, monkeypatch):
    ledger, _ = account(solver, Process(schedule), prediction, monkeypatch)
    full, others = ledger.between()
    assert max(full) == most + converted
    assert others == []


@pytest.mark.parametrize("history", ["clean", "diffused"])
@pytest.mark.parametrize(("coordinates", "mapped"), COORDINATES, ids=str)
def test_coordinates_cost_one_small_matrix_or_one_operation(coordinates, mapped, history, monkeypatch):
    process = Process(Cosine(), coordinates, history=history)
    ledger, _ = account(DDIM(), process, "preconditioned", monkeypatch, context_of())
    full, others = ledger.between()
    assert set(full) == {2 + 2 + mapped}
    assert others == []
    products = [name for call, name, _ in ledger.lines if name in ("mm", "bmm", "addmm") and call > 0]
    mixing = sum(isinstance(part, (FrameMixing, GaussianProcess)) for part in parts(coordinates))
    # The last one reads data from u_0, which Gaussian coordinates mix too.
    assert len(products) in ({0} if mapped == 0 else {mixing * (EVALUATIONS - 1), mixing * EVALUATIONS})


def parts(coordinates):
    return getattr(coordinates, "parts", (coordinates,))


def test_a_bridge_costs_one_operation(monkeypatch):
    process = Process(Follmer(), Bridge())
    ledger, _ = account(Ancestral(), process, "x0", monkeypatch, context_of())
    full, others = ledger.between()
    # One for the bridge, one for the input's scale, two for the mean (history is clean), three for the step.
    assert max(full) == 7
    assert others == []


@pytest.mark.parametrize("history", ["clean", "diffused"])
@pytest.mark.parametrize("solver", [DDIM(), DPMpp2M(), Exponential(order=3), UniPC()], ids=repr)
def test_nothing_in_the_loop_is_float64_and_without_noise_nothing_is_drawn(solver, history, monkeypatch):
    """The second call: what the grid needs is there already, so there is no float64 at all."""
    process = Process(Cosine(), history=history)
    for _ in range(2):
        ledger, drawn = account(solver, process, "preconditioned", monkeypatch, context_of())
        assert drawn == [(Purpose.START, 0)]
    start = [name for call, name, _ in ledger.lines if call == 0]
    assert len(ledger.doubled) <= (2 if history == "clean" else 1)
    assert len(start) < 12, start


CORRECTIONS = [
    (Langevin(), 4),
    (Langevin(sweeps=3), 4),
    (Underdamped(sweeps=1), 4),
    (Underdamped(sweeps=3), 7),
]


@pytest.mark.parametrize("history", ["clean", "diffused"])
@pytest.mark.parametrize(("part", "most"), CORRECTIONS, ids=repr)
def test_a_correction_at_known_times_computes_nothing_but_its_formula(part, most, history, monkeypatch):
    """The second call, as above: nothing small, nothing in float64, as many operations as the formula has."""
    process, context = Process(Cosine(), FrameMixing(), history=history), context_of()
    for _ in range(2):
        ledger, _ = account(DDIM(), process, "preconditioned", monkeypatch, context, corrections=(part,))
    full, others = ledger.between()
    assert others == []
    # A step's last two and a correction's first come between the same two calls; 3 are the denoiser's.
    assert max(full) == most + 3
    assert ledger.doubles_between() == 0


@pytest.mark.parametrize("history", ["clean", "diffused"])
@pytest.mark.parametrize("solver", [DDIM(), DDIM(eta=0.5), Heun(), Midpoint(), SingleStep(order=3)], ids=repr)
@pytest.mark.parametrize("window", [1, 3, 40])
def test_steps_made_at_once_compute_only_whether_they_agree(solver, window, history, monkeypatch):
    """The second call: beside the clips' own operations how far they moved, and one answer to wait for."""
    process, context = Process(Cosine(), FrameMixing(), history=history), context_of()
    how = Parallel(window=window, tolerance=0.01)
    for _ in range(2):
        ledger, _ = account(solver, process, "preconditioned", monkeypatch, context, parallel=how)
    _, others = ledger.between()
    assert set(others) <= {"mean", "mul", "pow", "le", "all", "_local_scalar_dense"}, set(others)
    assert ledger.doubles_between() == 0


@pytest.mark.parametrize("solver", [DDIM(eta=1.0), Ancestral(), DPMpp2M(eta=1.0)], ids=repr)
def test_noise_is_drawn_once_for_each_step_that_uses_it(solver, monkeypatch):
    """Not for the last step, which ends at the mean of u_0."""
    _, drawn = account(solver, Process(Cosine()), "x0", monkeypatch)
    assert drawn == [(Purpose.START, 0), *((Purpose.STEP, i) for i in range(EVALUATIONS - 1))]


def test_corrections_draw_what_they_use(monkeypatch):
    _, drawn = account(DDIM(), Process(Cosine()), "x0", monkeypatch, corrections=(Langevin(),))
    assert len(drawn) == len(set(drawn))
    assert {purpose for purpose, _ in drawn} == {Purpose.START, Purpose.CORRECTION}


def test_numbers_are_made_where_they_are_wanted():
    """On a device (here one that has no numbers to wait for) nothing is copied to it or read from it."""
    key = Key.of(0, 4).to("meta")
    with Ledger(1) as ledger:
        drawn = key.at(Purpose.STEP, 3).normal((6, 3), device="meta")
    assert drawn.shape == (4, 6, 3)
    names = {name for _, name, _ in ledger.lines}
    assert not names & {"_local_scalar_dense", "copy_", "lift_fresh", "nonzero"}, names
    assert not ledger.crossed


def test_what_is_kept_of_a_grid_is_kept_for_clips_of_one_kind():
    """Another dtype, another number of frames and another prediction are other numbers; the first return."""
    network = Network()
    network.ledger = Ledger(1)
    key = Key.of(0, 4)

    def clips(dtype=torch.float32, frames=6, prediction="v"):
        denoiser = Denoiser(network, Process(Cosine(), FrameMixing()), prediction)
        return sample(denoiser, (4, frames, 3), key=key, dtype=dtype, preset="fast").clips

    first, double, longer, other = clips(), clips(F64), clips(frames=7), clips(prediction="x0")
    assert (first.dtype, double.dtype) == (torch.float32, F64)
    torch.testing.assert_close(first.double(), double, rtol=1e-4, atol=1e-4)
    assert longer.shape == (4, 7, 3)
    assert not torch.allclose(first, other)
    assert torch.equal(clips(), first)


def test_numbers_kept_in_inference_mode_serve_gradients():
    """What one call keeps, the next one may have to differentiate through."""
    network, key = nn.Module(), Key.of(0, 2)
    weight = nn.Parameter(torch.tensor(0.5, dtype=F64))
    network.forward = lambda x, level, context: weight * x
    network.register_parameter("weight", weight)
    denoiser = Denoiser(network, Process(EDM(rho=6.0), FrameMixing()), "v")
    with torch.inference_mode():
        sample(denoiser, (2, 5, 3), key=key, dtype=F64, preset="fast")
    drawn = sample(denoiser, (2, 5, 3), key=key, dtype=F64, preset="fast", gradients="stored")
    drawn.clips.sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize("prediction", ["preconditioned", "x0", "v", "velocity"])
@pytest.mark.parametrize("coordinates", [Identity(), FrameMixing(), Anchored() * GaussianProcess()], ids=str)
@pytest.mark.parametrize("shape", [(), (4,), (1, 6), (4, 6), (4, 6, 3)], ids=str)
def test_answers_at_known_times_are_the_denoisers_own(prediction, coordinates, shape):
    """And at any other field they are, too."""
    generator = torch.Generator().manual_seed(1)
    process, context = Process(EDM(), coordinates, history="diffused"), context_of()
    context = context.to("cpu", F64)
    u = torch.randn(SHAPE, generator=generator, dtype=F64)
    fields = tuple(0.1 + 0.8 * torch.rand(shape, generator=generator, dtype=F64) for _ in range(5))
    network = Network()
    network.ledger = Ledger(1)
    denoiser = Denoiser(network, process, prediction, 0.7)
    known = denoiser.at(Times(fields), u)
    for field in (*fields, fields[2].clone()):
        expected = denoiser(u, field, context).mean
        torch.testing.assert_close(known(u, field, context).mean, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("history", ["clean", "diffused"])
@pytest.mark.parametrize("solver", [DDIM(), Heun(), SingleStep(order=3)], ids=repr)
@pytest.mark.parametrize(
    ("coordinates", "schedule"),
    [
        (Identity(), Cosine()),
        (Identity(), EDM()),
        (FrameMixing(), Cosine()),
        (Anchored() * FrameMixing(), Cosine()),
        (GaussianProcess(), Cosine()),
        (Bridge(), Cosine()),
    ],
    ids=str,
)
def test_steps_made_at_once_have_each_its_own_coefficients(coordinates, schedule, solver, history):
    """At convergence they are one step after the other, whatever the network sees and is told."""
    process, context = Process(schedule, coordinates, history=history), context_of()
    network = nn.Module()
    network.forward = lambda x, level, context: torch.tanh(x + 0.1 * level[..., None])
    denoiser, key = Denoiser(network, process, "preconditioned", 0.7), Key.of(0, SHAPE[0])

    def clips(how):
        preset = Preset(solver=solver, grid=LogSNR(), evaluations=9, parallel=how)
        return sample(denoiser, SHAPE, key=key, context=context, dtype=F64, preset=preset).clips

    plain = clips(None)
    for window in (1, 2, 20):
        at_once = clips(Parallel(window=window, tolerance=0.0))
        torch.testing.assert_close(at_once, plain, rtol=1e-9, atol=1e-10)


def test_a_course_is_a_value():
    kind = Kind(SHAPE, torch.float32, torch.device("cpu"))
    one, same = (Course(Preset(), Cosine(), 2, kind) for _ in range(2))
    assert one == same
    assert one.plan() is same.plan()
    assert Course(Preset(), Cosine(), 1, kind).plan() is not one.plan()
