"""The course of a run: time fields at the nodes and the solver's coefficients, once for all calls alike.

Both follow from values alone (preset, schedule, what the clips are like), so a forecast in many blocks
computes them once.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rheos.core.scope import Scope
from rheos.core.time_field import Kind, with_history_at
from rheos.process.schedule import Schedule
from rheos.sample.grid import TimeGrid
from rheos.sample.path import Path
from rheos.sample.plan import Plan
from rheos.sample.preset import Preset
from rheos.sample.windows import Windows

_KEPT = 32


@dataclass(frozen=True, slots=True)
class Course:
    """What a run's coefficients follow from: a value.

    Attributes:
        preset: solver, grid and path.
        schedule: the noise schedule.
        known: how many first frames are clean.
        kind: of the clips.
        own: time of those first frames: 0, or more where they are shown under noise.
        scope: which entries are drawn; None: all.
    """

    preset: Preset
    schedule: Schedule
    known: int
    kind: Kind
    own: float = 0.0
    scope: Scope | None = None

    def fields(self) -> Tensor:
        """The time fields of all nodes; not to be written to."""
        return _fields(self)

    def plan(self) -> Plan:
        """The plan between them."""
        return _plan(self)

    def windows(self) -> Windows:
        """The plan of steps that are made many at once."""
        return _windows(self)


def time_fields(
    grid: TimeGrid, frames: int, known: int, path: Path | None = None, own: float = 0.0
) -> Tensor:
    """The time fields of all nodes, float64 `(steps + 1, *field)`, the last one 0 everywhere.

    Args:
        grid: the times.
        frames: f of the clips.
        known: how many first frames are clean.
        path: which frame is how far; all at one time unless said.
        own: time of the first frames at every node.
    """
    times = torch.cat((grid.times, torch.zeros(1, dtype=torch.float64)))
    if path is not None and path.delay(len(grid)) > 0:
        fields = path.fields(times, known, frames)
        fields[..., :known] = own
        return fields
    if known == 0:
        return times
    still = torch.tensor(own, dtype=torch.float64)
    return torch.stack([with_history_at(still, time, known, frames) for time in times])


# Kept numbers must serve a caller who wants gradients after one who was in inference mode.
@lru_cache(maxsize=_KEPT)
@torch.inference_mode(False)
def _fields(course: Course) -> Tensor:
    preset = course.preset
    fields = time_fields(
        preset.times(course.schedule), course.kind.shape[1], course.known, preset.path, course.own
    )
    if course.scope is None:
        return fields
    held = course.scope.held(fields, course.schedule.t_max)
    held[:, :, : course.known] = course.own
    return held


@lru_cache(maxsize=_KEPT)
@torch.inference_mode(False)
def _plan(course: Course) -> Plan:
    preset, fields = course.preset, course.fields()
    like, corrected = course.kind.example(), bool(preset.corrections)
    return Plan.of(preset.solver, course.schedule, fields, like, corrected=corrected)


@lru_cache(maxsize=_KEPT)
@torch.inference_mode(False)
def _windows(course: Course) -> Windows:
    return Windows.of(course.preset.solver, course.schedule, course.fields(), course.kind.example())
