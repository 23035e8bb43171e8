"""Frames without end: those of one long clip, their exact law in the long run, and what each costs."""

import gc
from functools import partial
from itertools import islice

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.denoise import GaussianOracle
from rheos.process import Process
from rheos.process.coordinates import Anchored, FrameMixing, GaussianProcess
from rheos.process.noise import OrnsteinUhlenbeck, StudentT
from rheos.process.schedule import EDM, CondOT, VarianceExploding
from rheos.sample import sample, stream
from rheos.sample.course import time_fields
from rheos.sample.driver import sequential
from rheos.sample.grid import LogSNR, TimeGrid
from rheos.sample.path import FrameByFrame, Pyramid, Rolling, Synchronous
from rheos.sample.preset import Preset
from rheos.sample.solver import DDIM, SOLVERS, Exponential, Heun, State
from rheos.sample.stream import Plan

F64 = torch.float64
LINEAR = [solver() for solver in SOLVERS if solver().linear] + [Exponential(order=2, eta=1.0), DDIM(eta=0.5)]
PATHS = [Rolling(window=3), Pyramid(behind=5), FrameByFrame()]


def autoregression(frames, persistence=0.8):
    lag = (torch.arange(frames)[:, None] - torch.arange(frames)).abs().double()
    return persistence**lag


class Markov:
    """The exact denoiser of a stationary Gaussian process, for windows of any length."""

    def __init__(self, process, covariance=autoregression):
        self.process, self.covariance, self.oracles = process, covariance, {}

    def __call__(self, u, t, context):
        frames = u.shape[1]
        if frames not in self.oracles:
            law = self.covariance(frames)
            self.oracles[frames] = GaussianOracle(torch.zeros(frames), law, self.process)
        return self.oracles[frames](u, t)


class Backward:
    """Any function of a frame, the frame before it, their times and their calendar; notes its windows."""

    def __init__(self, process):
        self.process, self.windows = process, []

    def __call__(self, u, t, context):
        self.windows.append((tuple(u.shape), context))
        before = torch.cat((u[:, :1], u[:, :-1]), 1)
        level = t.expand(1, u.shape[1])[..., None].to(u)
        mean = torch.tanh(0.7 * u + 0.2 * before) * (1.0 - 0.5 * level)
        return Posterior(mean if context.calendar is None else mean + context.calendar[..., :1])


def history(rows, frames=1, features=1):
    generator = torch.Generator().manual_seed(7)
    past = torch.randn(rows, frames, features, generator=generator, dtype=F64)
    return Context(history_frames=frames, history=past)


def both(denoise, context, preset, features=1, ahead=4, total=9, dtype=F64):
    """The first frames of a stream, and those of one long clip on the same path, `(b, total, features)`."""
    key, known = Key.of(3, len(context.history)), context.history_frames
    shape = (len(key), known + ahead, features)
    streamed = stream(denoise, shape, key=key, context=context, preset=preset, dtype=dtype)
    frames = torch.stack(list(islice(streamed, total)), 1)
    # Frames that enter the window while the last one is made are there in the clip as well.
    long = (len(key), known + total + ahead, features)
    whole = sample(denoise, long, key=key, context=context, preset=preset, dtype=dtype).clips
    return frames, whole[:, known : known + total]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.name())
@pytest.mark.parametrize("solver", LINEAR, ids=repr)
def test_frames_are_those_of_one_long_clip(solver, path):
    preset = Preset(solver=solver, evaluations=12 * solver.evaluations_per_step, path=path)
    frames, whole = both(Backward(Process(CondOT())), history(2, 2, 3), preset, features=3)
    torch.testing.assert_close(frames, whole, rtol=0, atol=1e-10)
    assert float(frames.std(1).min()) > 0.02


def test_in_single_precision_too():
    preset = Preset(solver=Exponential(order=2, eta=1.0), evaluations=20, path=Rolling(window=4))
    frames, whole = both(Backward(Process()), history(3), preset, dtype=torch.float32)
    torch.testing.assert_close(frames, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.name())
def test_an_exact_markov_law_needs_one_finished_frame(path):
    """Without signal at t_max, frames that have not begun say nothing; one finished frame says all."""
    process = Process(EDM(sigma_max=1e6))
    preset = Preset(solver=Exponential(order=2, eta=1.0), evaluations=12, path=path)
    grid = LogSNR(highest=1e7, lowest=1e-3)
    preset = preset.model_copy(update={"grid": grid})
    frames, whole = both(Markov(process), history(2), preset)
    torch.testing.assert_close(frames, whole, rtol=0, atol=1e-5)

    def longer_memory(count):
        return 0.5 * autoregression(count) + 0.5 * autoregression(count, -0.6)

    frames, whole = both(Markov(process, longer_memory), history(2), preset)
    assert float((frames - whole).abs().max()) > 1e-2


def test_the_first_frame_waits_for_all_steps_and_later_ones_for_their_share():
    denoise = Backward(Process())
    preset = Preset(solver=Heun(), evaluations=23, path=Rolling(window=4))
    streamed = stream(denoise, (2, 5, 1), key=Key.of(0, 2), context=history(2), preset=preset)
    calls = []
    for _ in range(6):
        next(streamed)
        calls.append(len(denoise.windows))
    # Twelve steps for the first, three for every other, two calls each.
    assert calls == [24, 30, 36, 42, 48, 54]
    assert {shape for shape, _ in denoise.windows} == {(2, 5, 1)}


def test_a_member_has_the_same_frames_in_any_company():
    preset = Preset(solver=Exponential(order=2, eta=1.0), evaluations=12, path=Rolling(window=3))
    context, denoise = history(3), Backward(Process())
    every = stream(denoise, (3, 5, 1), key=Key.of(1, 3), context=context, preset=preset)
    every = torch.stack(list(islice(every, 7)))
    some = stream(
        denoise,
        (2, 5, 1),
        key=Key.of(1, [2, 0]),
        context=context.rows(torch.tensor([2, 0])),
        preset=preset,
    )
    some = torch.stack(list(islice(some, 4)))
    assert torch.equal(every[:4, [2, 0]], some)
    assert len(torch.unique(every)) == every.numel()


def held():
    """Number and bytes of all tensors that are alive."""
    gc.collect()
    alive = [one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
    return len(alive), sum(one.untyped_storage().nbytes() for one in alive)


def test_memory_is_that_of_a_window_however_many_frames_were_made():
    class Plain(Backward):
        def __call__(self, u, t, context):
            assert context.history.untyped_storage().nbytes() == 16
            return super().__call__(u, t, context)

    denoise = Plain(Process())
    preset = Preset(solver=Exponential(order=3, eta=1.0), evaluations=6, path=Rolling(window=3))
    context = history(2, 2).to("cpu", torch.float32)
    streamed = stream(denoise, (2, 5, 1), key=Key.of(0, 2), context=context, preset=preset)
    found = []
    for count in (5, 60):
        for _ in range(count):
            frame = next(streamed)
        assert frame.untyped_storage().nbytes() == 8
        denoise.windows.clear()
        found.append(held())
    assert found[0] == found[1]


def test_the_callers_gradients_are_left_alone():
    weight = torch.ones((), requires_grad=True)

    def denoise(u, t, context):
        assert not torch.is_grad_enabled()
        return Posterior(u * weight)

    preset = Preset(evaluations=4, path=FrameByFrame())
    streamed = stream(denoise, (1, 2, 1), key=Key.of(0), process=Process(), context=history(1), preset=preset)
    for frame in islice(streamed, 2):
        assert torch.is_grad_enabled()
        assert not frame.requires_grad


def test_what_is_known_of_frames_moves_with_the_window():
    """Calendar and anchor by absolute frame number, against one long clip that knows them all."""
    total, known, ahead = 7, 2, 4
    generator = torch.Generator().manual_seed(1)
    frames = known + total + ahead
    calendar = torch.randn(1, frames, 2, generator=generator, dtype=F64)
    anchor = torch.randn(1, frames, 1, generator=generator, dtype=F64)
    scale = torch.rand(1, frames, 1, generator=generator, dtype=F64) + 0.5
    past = history(1, known)

    def window(number):
        part = slice(number, number + known + ahead)
        given = past.history if number == 0 else torch.full_like(past.history, torch.nan)
        return Context(
            history_frames=known,
            history=given,
            calendar=calendar[:, part],
            anchor=anchor[:, part],
            anchor_scale=scale[:, part],
        )

    denoise = Backward(Process(EDM(), Anchored() * FrameMixing()))
    preset = Preset(solver=Exponential(order=2, eta=1.0), evaluations=12, path=Rolling(window=4))
    drawn = stream(denoise, (1, known + ahead, 1), key=Key.of(2), context=window, preset=preset, dtype=F64)
    found = torch.stack(list(islice(drawn, total)), 1)
    handed = {id(context): context.history[0, :, 0] for _, context in denoise.windows}
    everything = torch.cat((past.history, found), 1)[0, :, 0]
    for number, given in enumerate(handed.values()):
        torch.testing.assert_close(given, everything[number : number + known], rtol=0, atol=0)
    whole = Context(
        history_frames=known, history=past.history, calendar=calendar, anchor=anchor, anchor_scale=scale
    )
    clip = sample(denoise, (1, frames, 1), key=Key.of(2), context=whole, preset=preset, dtype=F64).clips
    torch.testing.assert_close(found, clip[:, known : known + total], rtol=0, atol=1e-10)


def affine(process, preset, known, ahead):
    """The exact law of a stream of AR(1) windows: state -> A state + noise of covariance Q, a cycle a time.

    And the law that a window should have when a cycle starts.

    Basis vectors go through the plan's own steps, of a solver that remembers nothing; the window is not
    shifted yet.
    """
    size = known + ahead
    denoise = Markov(process)
    moves = Plan.of(process, preset, known, ahead).to(torch.zeros(1, size, 1, dtype=F64)).cycle

    # One row a basis vector: of the state at the start, then of each step's noise.
    rows = torch.eye(size * (1 + len(moves)), dtype=F64).unflatten(1, (-1, size))
    state = State(rows[:, 0, :, None])
    for number, move in enumerate(moves):
        draw = partial(rows.select, 1, number + 1)
        state = move.apply(state, lambda u, t: denoise(u, t, None).mean, lambda draw=draw: draw()[..., None])
    images = state.u[..., 0]
    t = moves[0].time[0]
    clean = t == 0
    alpha = torch.where(clean, 1.0, process.schedule.alpha(t))
    sigma = torch.where(clean, 0.0, process.schedule.sigma(t))
    law = alpha[:, None] * autoregression(size) * alpha + torch.diag(sigma**2)
    return images[:size].T, images[size:].T @ images[size:], law


def rollout(process, preset, known, ahead, frames):
    """Variance of each emitted frame, and its covariance with the one before, after `frames` cycles."""
    # numpy: ten thousand products of small matrices.
    transfer, added, law = (part.numpy() for part in affine(process, preset, known, ahead))
    start = float(process.schedule.sigma(torch.tensor(process.schedule.t_max).double()))
    found = []
    for _ in range(frames):
        law = transfer @ law @ transfer.T + added
        found.append((float(law[known, known]), float(law[known - 1, known])))
        law[:-1, :-1] = law[1:, 1:].copy()
        law[-1], law[:, -1] = 0.0, 0.0
        law[-1, -1] = start**2
    return found


@pytest.mark.parametrize(("steps", "variance"), [(2, 0.52), (8, 0.83), (32, 0.957)])
def test_a_rolling_window_keeps_variance_and_correlation_the_better_the_more_steps(steps, variance):
    """Six frames under way, first-order steps of the stochastic equation, evenly spaced in log-SNR.

    The expected figures are an independent program's; its range of noise is not told, and moves the third
    digit.
    """
    process, count = Process(VarianceExploding()), 6 * steps
    grid = TimeGrid(process.schedule.t_max * (1 - torch.arange(count) / count).double())
    preset = Preset(
        solver=Exponential(order=1, eta=1.0), grid=grid, evaluations=count, path=Rolling(window=6)
    )
    found = rollout(process, preset, 1, 6, 300)
    assert found[-1][0] == pytest.approx(variance, abs=6e-3)
    assert found[-1][1] / (found[-1][0] * found[-2][0]) ** 0.5 == pytest.approx(0.8, abs=2e-3)


@pytest.mark.parametrize(("path", "ahead"), [(Rolling(window=4), 4), (FrameByFrame(), 1)])
def test_ten_thousand_frames_have_the_law_of_the_first(path, ahead):
    """Variance and lag-1 covariance of AR(1) by the exact recursion, with no Monte Carlo."""
    process = Process(EDM(sigma_max=1e3))
    grid = LogSNR(highest=1e4, lowest=1e-4)
    preset = Preset(solver=Heun(), grid=grid, evaluations=159, path=path)
    found = rollout(process, preset, 1, ahead, 10_000)
    for variance, covariance in (found[0], found[9], found[99], found[-1]):
        assert variance == pytest.approx(1.0, abs=8e-3)
        assert covariance == pytest.approx(0.8, abs=8e-3)
    assert abs(found[-1][0] - found[99][0]) < 1e-9


def test_equal_times_of_all_frames_are_one_time_bit_for_bit():
    process = Process(EDM())
    preset = Preset(solver=Exponential(order=3, eta=1.0), evaluations=8)
    nodes = time_fields(preset.times(process.schedule), 4, 0)
    each = Synchronous().fields(nodes, 0, 4)
    assert each.shape == (9, 1, 4)
    denoise, start = Markov(process), Key.of(0, 2).normal((4, 1), F64)
    clips = [
        sequential(
            lambda u, t: denoise(u, t, None).mean,
            [move.to(start) for move in preset.solver.plan(process.schedule, fields)],
            start,
            lambda step: Key.of(step, 2).normal((4, 1), F64),
        )
        for fields in (nodes, each)
    ]
    assert torch.equal(*clips)


PRESET = Preset(evaluations=12, path=Rolling(window=4))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"preset": Preset()}, "path 'synchronous' no frame is finished before the others"),
        ({"shape": (2, 4, 1)}, "4 frames are under way at a time, but the window has 3"),
        ({"key": Key.of(0, 3)}, "the key has 3 rows, but 2 clips"),
        ({"context": Context(calendar=torch.zeros(2, 5, 1))}, "holds calendar for the frames of one window"),
        ({"denoise": lambda u, t, context: Posterior(u)}, "carries no process"),
    ],
)
def test_what_cannot_be_streamed_is_said_before_the_first_frame(changed, sentence):
    given = {
        "denoise": Backward(Process()),
        "shape": (2, 5, 1),
        "key": Key.of(0, 2),
        "context": history(2),
        "preset": PRESET,
    } | changed
    with pytest.raises(InputError, match=sentence):
        stream(given.pop("denoise"), given.pop("shape"), **given)


@pytest.mark.parametrize(
    ("process", "sentence"),
    [
        (Process(history="diffused"), "gives history noise again"),
        (Process(history_noise=0.1), "gives history noise again"),
        (Process(noise=OrnsteinUhlenbeck()), "ties frames together"),
        (Process(EDM(), noise=StudentT()), "ties frames together"),
        (Process(CondOT(), GaussianProcess()), "read from several frames"),
    ],
)
def test_frames_that_are_not_their_own_are_refused(process, sentence):
    with pytest.raises(IncompatibleError, match=sentence):
        stream(Backward(process), (2, 5, 1), key=Key.of(0, 2), context=history(2), preset=PRESET)
