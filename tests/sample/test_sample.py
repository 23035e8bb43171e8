"""sample(): history, keys, DyDiff as published, cost, and what it refuses."""

import math
from typing import Literal

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.oracle import GaussianOracle
from rheos.process import Process
from rheos.process.coordinates import Anchored, FrameMixing
from rheos.process.noise import White
from rheos.process.schedule import EDM, CondOT, Cosine
from rheos.sample import PRESETS, Preset, preset, sample
from rheos.sample.grid import LogSNR, TimeGrid, Uniform
from rheos.sample.solver import DDIM, Ancestral, DPMpp2M, Exponential, Heun

F64 = torch.float64


class Pointwise(nn.Module):
    """A small network of independent rows."""

    def __init__(self, frames=5, features=3):
        super().__init__()
        torch.manual_seed(0)
        self.mix = nn.Linear(frames * features, frames * features)

    def forward(self, x, level, context):
        out = torch.tanh(self.mix(x.flatten(1))).reshape(x.shape) * level[..., None].cos()
        return out if context.history is None else out + context.history.mean((1, 2))[:, None, None]


def some_history(rows, frames=2, features=3):
    torch.manual_seed(9)
    return Context(history_frames=frames, history=torch.randn(rows, frames, features))


def test_the_shortest_call():
    denoiser = Denoiser(Pointwise(), Process(CondOT()))
    drawn = sample(denoiser, (4, 5, 3), key=Key.of(0, 4))
    assert drawn.clips.shape == (4, 5, 3)
    assert drawn.clips.dtype == torch.float32
    assert drawn.evaluations == 20
    assert drawn.trajectory is None
    assert drawn.warnings == ()
    assert not drawn.clips.requires_grad


@pytest.mark.parametrize("solver", [DDIM(), Ancestral(), Heun(churn=3.0), Exponential(order=3, eta=0.5)])
@pytest.mark.parametrize("history", ["clean", "diffused"])
@pytest.mark.parametrize("anchored", [False, True])
def test_history_comes_out_exactly_as_given(solver, history: Literal["clean", "diffused"], anchored):
    coordinates = Anchored() * FrameMixing() if anchored else FrameMixing()
    process = Process(Cosine(), coordinates, history=history)
    context = some_history(3)
    if anchored:
        context = Context(
            history_frames=2,
            history=context.history,
            anchor=torch.randn(3, 5, 3),
            anchor_scale=torch.full((3, 1, 1), 0.3),
        )
    drawn = sample(
        Denoiser(Pointwise(), process),
        (3, 5, 3),
        key=Key.of(0, 3),
        context=context,
        preset=Preset(solver=solver),
    )
    assert torch.equal(drawn.clips[:, :2], context.history)
    assert bool(torch.isfinite(drawn.clips).all())


def test_clean_history_does_not_move_at_any_node_and_diffused_history_does():
    context = some_history(2)
    for history, moves in (("clean", False), ("diffused", True)):
        process = Process(EDM(), history=history)
        nodes = sample(
            Denoiser(Pointwise(), process), (2, 5, 3), key=Key.of(0, 2), context=context, trajectory=True
        ).trajectory
        assert nodes.shape == (21, 2, 5, 3)
        assert (not torch.equal(nodes[0][:, :2], nodes[-1][:, :2])) == moves
        assert all(torch.equal(node[:, :2], context.history) for node in nodes) == (not moves)


@pytest.mark.parametrize("solver", [DPMpp2M(), Ancestral()])
def test_same_member_same_bits_whatever_rows_come_along(solver):
    denoiser = Denoiser(Pointwise(), Process(Cosine(), FrameMixing()))
    whole = Context(history_frames=2, history=torch.randn(8, 2, 3))

    def draw(rows):
        rows = torch.tensor(rows)
        key = Key.of(5, rows, "buoy", "2020-01-01")
        chosen = Preset(solver=solver, evaluations=6)
        return sample(denoiser, (4, 5, 3), key=key, context=whole.rows(rows), preset=chosen).clips

    first, second, third = draw([0, 1, 2, 3]), draw([7, 2, 5, 0]), draw([2, 2, 2, 2])
    assert torch.equal(first[2], second[1])
    assert torch.equal(first[0], second[3])
    assert torch.equal(first[2], third[0])
    assert not torch.equal(first[1], second[0])


class Watching(White):
    """White noise that remembers what was asked of it."""

    def draw(self, key, shape, context, dtype=torch.float32, device="cpu"):
        asked.append((key.purpose, key.step))
        return super().draw(key, shape, context, dtype, device)


asked: list[tuple[Purpose, int]] = []


@pytest.mark.parametrize(
    ("solver", "steps"),
    [
        (DDIM(), []),
        (DDIM(eta=1.0), range(5)),
        (Exponential(order=3), []),
        (Exponential(order=2, eta=0.5), range(5)),
        (DPMpp2M(), []),
        (Heun(), []),
    ],
)
def test_no_noise_is_drawn_that_is_not_used(solver, steps):
    """Deterministic steps draw none; the last step, to clean data, never does."""
    asked.clear()
    process = Process(Cosine(), noise=Watching())
    chosen = Preset(solver=solver, grid=Uniform().times(process.schedule, 6))
    sample(Denoiser(Pointwise(), process), (1, 5, 3), key=Key.of(0, 1), preset=chosen)
    assert asked == [(Purpose.START, 0), *((Purpose.STEP, i) for i in steps)]


@pytest.mark.parametrize("times", [[0.999, 0.7, 0.66, 0.3, 0.05], [0.999]])
def test_dydiff_as_published_in_mixed_coordinates_is_ddim_in_canonical_ones(times):
    """The released update, in x, all frames diffused, its init mixed with the first time's M.

    x0hat = M_t^-1 (x - sqrt(1 - ab_t) e) / sqrt(ab_t), then
    x <- sqrt(ab_s) M_s x0hat + sqrt(1 - ab_s) M_s M_t^-1 e.
    """
    schedule, mixing, frames, history = Cosine(), FrameMixing(floor=0.5), 6, 2
    process = Process(schedule, mixing, history="diffused")
    torch.manual_seed(1)
    root = torch.randn(12, 12, dtype=F64)
    oracle = GaussianOracle(torch.randn(12, dtype=F64), root @ root.mT / 12, process)
    key, given = Key.of(3, 4), torch.randn(4, history, 2, dtype=F64)

    def f(t):
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    def ab(t):
        return f(t) / f(0.0)

    def mix(t):
        g = 0.5 * f(t) / f(0.0) + 0.5
        matrix = torch.eye(frames, dtype=F64)
        for k in range(1, frames):
            matrix[k] = math.sqrt(g) * torch.eye(frames, dtype=F64)[k] + math.sqrt(1 - g) * matrix[k - 1]
        return matrix

    def network(x, t):
        """E[M_t z | x_t], what the released network predicts."""
        u = torch.linalg.solve(mix(t), x)
        clean = oracle(u, torch.tensor(t, dtype=F64)).mean
        return mix(t) @ ((u - math.sqrt(ab(t)) * clean) / math.sqrt(1 - ab(t)))

    # sigma(t_max) z with the same z; alpha^2 + sigma^2 = 1 leaves the init's variance 1 - alpha^2.
    z = key.at(Purpose.START).normal((frames, 2), F64)
    x = math.sqrt(1 - ab(times[0])) * (mix(times[0]) @ z)
    for t, s in zip(times, [*times[1:], 0.0], strict=True):
        e = network(x, t)
        clean = torch.linalg.solve(mix(t), x - math.sqrt(1 - ab(t)) * e) / math.sqrt(ab(t))
        x = math.sqrt(ab(s)) * mix(s) @ clean + math.sqrt(max(1 - ab(s), 0.0)) * mix(s) @ torch.linalg.solve(
            mix(t), e
        )
    drawn = sample(
        oracle,
        (4, frames, 2),
        key=key,
        context=Context(history_frames=history, history=given),
        preset=Preset(solver=DDIM(), grid=TimeGrid(torch.tensor(times, dtype=F64))),
        dtype=F64,
    )
    assert float((drawn.clips[:, history:] - x[:, history:]).abs().max()) < 1e-10
    # The regenerated history is discarded.
    assert torch.equal(drawn.clips[:, :history], given)


def test_gradients_only_where_asked_and_alike_clips():
    denoiser = Denoiser(Pointwise(), Process(EDM()))
    chosen = Preset(solver=Exponential(order=2, eta=0.3), evaluations=4)
    arguments = {"key": Key.of(0, 2), "preset": chosen}
    plain = sample(denoiser, (2, 5, 3), **arguments)
    drawn = sample(denoiser, (2, 5, 3), **arguments, gradients="stored")
    assert torch.equal(plain.clips, drawn.clips.detach())
    drawn.clips.sum().backward()
    assert float(denoiser.network.mix.weight.grad.abs().sum()) > 0


def test_evaluations_are_counted_and_never_exceeded():
    denoiser = Denoiser(Pointwise(), Process(Cosine()))
    for solver in (DDIM(), Heun(), Exponential(order=4)):
        for allowed in (1, 2, 5, 6):
            chosen = Preset(solver=solver, grid=LogSNR(), evaluations=allowed)
            spent = sample(denoiser, (1, 5, 3), key=Key.of(0, 1), preset=chosen).evaluations
            assert allowed - spent in ((0,) if solver.evaluations_per_step == 1 else (0, 1))
    chosen = Preset(solver=DDIM(), grid=Uniform().times(Cosine(), 3))
    assert sample(denoiser, (1, 5, 3), key=Key.of(0, 1), preset=chosen).evaluations == 3


def test_divergence_is_reported():
    process = Process(Cosine())
    broken = sample(
        lambda u, t, context: Posterior(torch.where(u > 0, torch.nan, u)),
        (3, 2, 1),
        key=Key.of(0, 3),
        process=process,
    )
    assert len(broken.warnings) == 1
    assert "not finite" in broken.warnings[0]


class Uneven(White):
    """A base noise that says it is not Gaussian."""

    @property
    def gaussian(self):
        return False


def test_what_cannot_work_is_refused_before_any_work():
    def untouched(u, t, context):
        raise AssertionError("the denoiser was called")

    with pytest.raises(InputError, match="no process"):
        sample(untouched, (1, 2, 1), key=Key.of(0, 1))
    process = Process(Cosine())
    with pytest.raises(InputError, match="2 rows"):
        sample(untouched, (1, 2, 1), key=Key.of(0, 2), process=process)
    uneven = Process(Cosine(), noise=Uneven())
    with pytest.raises(IncompatibleError, match="Gaussian"):
        sample(untouched, (1, 2, 1), key=Key.of(0, 1), process=uneven, preset=Preset(solver=Ancestral()))
    late = Preset(grid=TimeGrid(torch.tensor([0.5])))
    with pytest.raises(IncompatibleError, match="t_max"):
        sample(untouched, (1, 2, 1), key=Key.of(0, 1), process=process, preset=late)
    with pytest.raises(InputError, match="fast, balanced, best"):
        sample(untouched, (1, 2, 1), key=Key.of(0, 1), process=process, preset="quick")
    with pytest.raises(ValidationError, match="evaluations"):
        Preset(evaluations=0)


def test_a_preset_is_a_value_and_a_word_names_one():
    """Written as JSON and read again it is the same, listed times to the last bit."""
    listed = Preset(grid=Uniform().times(Cosine(), 7), evaluations=7)
    for chosen in (*PRESETS.values(), listed):
        again = Preset.model_validate_json(chosen.model_dump_json())
        assert again == chosen
        assert hash(again) == hash(chosen)
        assert preset(chosen) is chosen
    assert listed != Preset(grid=Uniform().times(Cosine(), 8), evaluations=7)
    assert preset("best") is PRESETS["best"]
    denoiser = Denoiser(Pointwise(), Process(Cosine()))
    words, values = (
        sample(denoiser, (2, 5, 3), key=Key.of(0, 2), preset=p).clips for p in ("fast", PRESETS["fast"])
    )
    assert torch.equal(words, values)
    with pytest.raises(ValidationError, match="must fall"):
        Preset(grid=[0.2, 0.7])
