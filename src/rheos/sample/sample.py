"""Noise becomes clips: one call for any denoiser, process, solver and grid."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Carries, Denoise
from rheos.core.time_field import Kind
from rheos.process import LinearFace, Masked, Process, TwoSided
from rheos.sample.check import Gradients, check, check_carries
from rheos.sample.course import Course
from rheos.sample.driver import adaptive, adjoint, checkpointed, corrected, parallel, sequential, truncated
from rheos.sample.plan import Plan
from rheos.sample.preset import Preset
from rheos.sample.preset import preset as preset_of
from rheos.sample.solver import Answer
from rheos.sample.windows import Window, Windows


@dataclass(frozen=True, slots=True)
class Sample:
    """What sampling gives back.

    Attributes:
        clips: in coded units `(b, f, *features)`; history and what else was given exactly as given, NaN
            where the context's scope leaves entries out.
        evaluations: denoiser calls spent.
        trajectory: canonical u at every node `(steps + 1, b, f, *features)`, if asked for.
        warnings: sentences for the user; empty where all went well.
    """

    clips: Tensor
    evaluations: int
    trajectory: Tensor | None = None
    warnings: tuple[str, ...] = ()


def sample(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    key: Key,
    process: Process | None = None,
    context: Context | None = None,
    preset: Preset | str = "balanced",
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
    trajectory: bool = False,
    gradients: Gradients = "none",
) -> Sample:
    """Draw clips.

    Args:
        denoise: a denoiser, an oracle, or one of them under guidance.
        shape: `(b, f, *features)`; rows are independent of each other.
        key: one row a clip; the same row gives the same clip whatever the others are.
        process: how clips become noise; may be left out where `denoise` has it as `.process`.
        context: what is known of the clips, `b` rows.
        preset: solver, grid and number of denoiser calls, or the word for them.
        dtype: of the clips; coefficients are float64 until they meet them.
        device: of the clips, by default that of the denoiser's parameters.
        trajectory: keep u at every node.
        gradients: whether and how clips can be differentiated: `stored` remembers every step, `checkpointed`
            runs each again, `adjoint` solves the adjoint equation in one call's memory, with `midpoint` only;
            a number K goes through the last K steps alone.

    Returns:
        The clips in coded units and what they cost.

    Raises:
        InputError: there is no process, no such preset, or the key and the shape disagree.
        IncompatibleError: the solver, grid and process cannot work together.
    """
    process = process_of(denoise, process)
    preset = preset_of(preset)
    require_rows(key, shape)
    check(process, preset, gradients, trajectory, context)
    check_carries(denoise, preset)
    place = device_of(denoise) if device is None else torch.device(device)
    given, key = (context or Context()).to(place, dtype), key.to(place)
    kind = Kind(tuple(shape), dtype, place)
    context = process.shown(given, key, kind.example())
    known = context.history_frames if process.history == "clean" else 0
    course = Course(preset, process.schedule, known, kind, process.own_time, given.scope)
    counter = _Counter(denoise, context)
    kept: list[Tensor] = []

    def draw(purpose: Purpose, step: int) -> Tensor:
        return process.noise.draw(key.at(purpose, step), shape[1:], context, dtype, place)

    with torch.set_grad_enabled(gradients != "none"):
        u = process.start(context, key, shape, dtype, place)
        if gradients == "adjoint":
            moves, inputs = counter.foreseen(course, u).moves, _inputs(denoise, context)
            u = adjoint(counter, moves, process.schedule, course.fields(), u, inputs)
        else:
            u = _drive(counter, course, u, draw, gradients, kept.append if trajectory else None)
        clips = with_history(process.read(u, context), given)
    return Sample(
        clips=as_given(clips, given),
        evaluations=counter.calls,
        trajectory=torch.stack(kept) if trajectory else None,
        warnings=warnings_of(clips),
    )


def require_rows(key: Key, shape: Sequence[int]) -> None:
    """Raise InputError unless the key has one row for every clip."""
    if len(key) != shape[0]:
        raise InputError(f"the key has {len(key)} rows, but {shape[0]} clips are asked for: give one a clip.")


def _drive(
    counter: "_Counter",
    course: Course,
    u: Tensor,
    draw: Callable[[Purpose, int], Tensor],
    gradients: Gradients,
    visit: Callable[[Tensor], None] | None,
) -> Tensor:
    """The clip at the last node, by the driver that the preset asks for."""
    preset, schedule = course.preset, course.schedule
    solver, of_step = preset.solver, partial(draw, Purpose.STEP)
    if preset.adaptive is not None:
        ends = preset.times(schedule).times[[0, -1]]
        return adaptive(counter, solver, schedule, ends, u, course.known, preset.adaptive)
    if preset.corrections:
        of_correction, again = partial(draw, Purpose.CORRECTION), partial(_again, course)
        plan, fields, parts = counter.foreseen(course, u), course.fields(), preset.corrections
        return corrected(counter, plan, again, fields, u, parts, of_step, of_correction, visit)
    if preset.parallel is not None:
        windows = course.windows()
        answers = counter.at_once(windows, u, min(preset.parallel.window, windows.steps))
        clips = parallel(answers, windows, u, of_step, preset.parallel)
        if visit is not None:
            for clip in clips:
                visit(clip)
        return clips[-1]
    moves = counter.foreseen(course, u).moves
    if isinstance(gradients, int):
        return truncated(counter, moves, u, of_step, visit, last=gradients)
    return (checkpointed if gradients == "checkpointed" else sequential)(counter, moves, u, of_step, visit)


def _again(course: Course, fields: Tensor) -> Plan:
    """The plan of a course whose times a correction has moved."""
    return Plan.of(course.preset.solver, course.schedule, fields, course.kind.example(), corrected=True)


class _Counter:
    """A denoiser with its context filled in, which counts its calls."""

    def __init__(self, denoise: Denoise, context: Context) -> None:
        self.calls = 0
        self._denoise = self._given = denoise
        self._context = context

    def __call__(self, u: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        return self._denoise(u, t, self._context).mean

    def carry(self, u: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """A flow map's step."""
        self.calls += 1
        return cast(Carries, self._given).carry(u, t, s, self._context)

    def foreseen(self, course: Course, like: Tensor) -> Plan:
        """The plan for clips as `like`; what follows from its times alone is done beforehand."""
        plan = course.plan()
        at = getattr(self._denoise, "at", None)
        if at is not None:
            self._denoise = at(plan.times, like)
        return plan

    def at_once(self, windows: Windows, like: Tensor, most: int) -> Callable[[Window], Answer]:
        """The denoiser of windows of at most so many steps, each of which counts as a call."""
        at = getattr(self._denoise, "at", None)
        alone: Any = self._denoise if at is None else at(windows.alone.times, like)
        every = at and at(windows.times, like[:1].expand(windows.steps * len(like), *like.shape[1:]))
        context, rows = Context.cat([self._context] * most), len(like)

        def answers(window: Window) -> Answer:
            denoise, part = alone, window.part
            if every is not None and part is not None:
                denoise = every.rows(part, window.move.times)

            def answer(u: Tensor, t: Tensor) -> Tensor:
                self.calls += window.copies
                mean: Tensor = denoise(u, t, context.rows(slice(0, window.copies * rows))).mean
                return mean

            return answer

        return answers


def process_of(denoise: Denoise, process: Process | None) -> Process:
    """The process given, or the denoiser's own."""
    known = getattr(denoise, "process", None) if process is None else process
    if isinstance(known, LinearFace | Masked | TwoSided):
        _ = known.schedule  # raises: it has none
    if not isinstance(known, Process):
        raise InputError(
            f"{type(denoise).__name__} carries no process, so nothing says how its clips become noise: "
            "pass process=..."
        )
    return known


def _inputs(denoise: Denoise, context: Context) -> list[Tensor]:
    """What gradients can be wanted of: the denoiser's parameters and the context."""
    parameters = list(denoise.parameters()) if isinstance(denoise, nn.Module) else []
    known = [getattr(context, field.name) for field in fields_of(context)]
    given = [value for value in known if isinstance(value, Tensor)]
    return [one for one in (*parameters, *given) if one.requires_grad]


def device_of(denoise: object) -> torch.device:
    """Where the denoiser's parameters are; the CPU if it has none."""
    parameters = denoise.parameters() if isinstance(denoise, nn.Module) else iter(())
    first = next(iter(parameters), None)
    return torch.device("cpu") if first is None else first.device


def with_history(clips: Tensor, context: Context) -> Tensor:
    """Clips with their history frames as given: rounding, or having been regenerated, is undone."""
    if context.history is None or context.history_frames == 0:
        return clips
    return torch.cat((context.history.to(clips), clips[:, context.history_frames :]), 1)


def as_given(clips: Tensor, context: Context) -> Tensor:
    """Clips with what was given as it was given, NaN where a scope leaves entries out."""
    scope, first = context.scope, context.history_frames
    if scope is None:
        return clips
    given, left = (scope.mask(table, clips)[:, first:] for table in (scope.given, scope.left))
    ahead = clips[:, first:]
    if context.observation is not None:
        ahead = torch.where(given, context.observation[:, first:].to(clips), ahead)
    return torch.cat((clips[:, :first], torch.where(left, torch.nan, ahead)), 1)


def warnings_of(clips: Tensor) -> tuple[str, ...]:
    """What the user should know of these clips."""
    # One pass where all is well: a sum is finite only if every term is.
    if math.isfinite(float(clips.detach().sum())):
        return ()
    bad = int((~torch.isfinite(clips.detach().flatten(1)).all(1)).sum())
    if bad == 0:
        return ()
    return (
        f"{bad} of {len(clips)} clips hold numbers that are not finite: the denoiser or the solver diverged, "
        "try more evaluations or another solver.",
    )
