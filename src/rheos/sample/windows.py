"""All steps of a grid as one step of more clips, cut into windows without computing anything again."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rheos.core.time_field import Times, expand_each
from rheos.process.schedule import Schedule
from rheos.sample.plan import Plan
from rheos.sample.solver import Move, Solver
from rheos.sample.solver.kernel import Path


@dataclass(frozen=True, slots=True)
class Window:
    """Several steps at once: one step of a batch that holds the clips once for each of them.

    Attributes:
        move: the step.
        copies: how often the clips are in the batch.
        part: which rows of the step that is all steps; None where it is one step alone.
    """

    move: Move
    copies: int
    part: slice | None


@dataclass(frozen=True, slots=True)
class Windows:
    """The coefficients of all steps, in the clips' dtype and on their device.

    Attributes:
        alone: each step by itself: of one step, nothing is changed by there being windows.
        every: all steps, one after the other along the first axis.
        times: at which `every` asks the denoiser.
        carries: alpha_n / alpha_s of each step; 0 from pure noise, which is nowhere but at an exact start.
        levels: the most noise in each clip where each step starts.
        clips: b.
    """

    alone: Plan
    every: Move
    times: Times
    carries: tuple[Tensor, ...]
    levels: tuple[Tensor, ...]
    clips: int

    @classmethod
    def of(cls, solver: Solver, schedule: Schedule, fields: Tensor, like: Tensor) -> "Windows":
        """Plan the steps of a single-step solver.

        Args:
            solver: the rule of a step.
            schedule: the noise schedule.
            fields: time fields of the nodes, float64 `(steps + 1, *field)`.
            like: a clip `(b, f, *features)`, whose shape, dtype and device those to come have.
        """
        rows, steps = len(like), len(fields) - 1
        alone = Plan.of(solver, schedule, fields, like)
        fields = fields if fields.ndim > 1 else fields[:, None]
        path = Path.of(schedule, fields)
        ratio = torch.where(path.alpha[:-1] > 0, path.alpha[1:] / path.alpha[:-1], 0.0)
        level = path.sigma[:-1].flatten(2).amax(2) if fields.ndim > 2 else path.sigma[:-1]
        fields = fields.expand(steps + 1, rows, *fields.shape[2:])
        nodes = torch.stack((fields[:-1].flatten(0, 1), fields[1:].flatten(0, 1)))
        every = solver.plan(schedule, nodes)[0].to(like[:1].expand(steps * rows, *like.shape[1:]))
        carries, levels = expand_each(ratio, like), expand_each(level, like)
        return cls(alone, every, Times(every.times), carries, levels, rows)

    @property
    def steps(self) -> int:
        """How many there are."""
        return len(self.carries)

    def window(self, first: int, copies: int) -> Window:
        """Some steps, from one of them on."""
        if copies == 1:
            return Window(self.alone.moves[first], 1, None)
        part = slice(first * self.clips, (first + copies) * self.clips)
        return Window(self.every.rows(part), copies, part)
