"""Times of a sampler: where between noise and data the denoiser is asked.

A grid of n times has n steps: n - 1 between its times and a last one, from the last time to t = 0, that
returns the mean of u_0. With one evaluation a step, n times cost n evaluations.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from torch import Tensor

from rheos.core.errors import IncompatibleError, InputError
from rheos.core.method import Method
from rheos.process.schedule import Schedule


@dataclass(frozen=True, slots=True, eq=False)
class TimeGrid:
    """Falling times inside a schedule's [t_min, t_max]: a value, so a grid of one's own is one line.

    In a recipe and in JSON it is the list of its times.

    Attributes:
        times: float64 `(steps,)` on the CPU, from noise to data; the step to t = 0 is not listed.
    """

    times: Tensor

    def __post_init__(self) -> None:
        if self.times.ndim != 1 or len(self.times) == 0:
            raise InputError(
                f"a time grid needs one axis of at least one time, found {tuple(self.times.shape)}."
            )
        object.__setattr__(self, "times", self.times.detach().to("cpu", torch.float64))
        if not bool((self.times.diff() < 0).all()):
            raise InputError("the times of a grid must fall from noise (t_max) to data (t_min).")

    def within(self, schedule: Schedule) -> "TimeGrid":
        """The same grid, checked against a schedule.

        Raises:
            IncompatibleError: a time lies outside [t_min, t_max], or the first one is not t_max, where
                alone the law of u is known.
        """
        first, last = float(self.times[0]), float(self.times[-1])
        if abs(first - schedule.t_max) > 1e-12:
            raise IncompatibleError(
                f"the grid starts at t = {first:g}, but noise is drawn at t_max = {schedule.t_max:g}: "
                "start there."
            )
        if last < schedule.t_min - 1e-12:
            raise IncompatibleError(
                f"the grid ends at t = {last:g}, below the schedule's t_min = {schedule.t_min:g}: stop there."
            )
        return self

    def __len__(self) -> int:
        return len(self.times)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeGrid) and torch.equal(self.times, other.times)

    def __hash__(self) -> int:
        return hash(tuple(self.times.tolist()))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """A field of this type takes a grid or a list of times, and is written as the list."""
        listed = core_schema.no_info_after_validator_function(
            lambda times: cls(torch.tensor(times, dtype=torch.float64)),
            core_schema.list_schema(core_schema.float_schema(), min_length=1),
        )
        return core_schema.union_schema(
            [core_schema.is_instance_schema(cls), listed],
            serialization=core_schema.plain_serializer_function_ser_schema(lambda grid: grid.times.tolist()),
        )


class Grid(Method, ABC):
    """A rule that places any number of times on any schedule."""

    @abstractmethod
    def times(self, schedule: Schedule, steps: int) -> TimeGrid:
        """Times from t_max down to the grid's end, `steps` of them (the step to t = 0 included)."""


def by_ratio(schedule: Schedule, ratios: Tensor) -> TimeGrid:
    """Times at which sigma / alpha takes given falling values; the first one is t_max itself.

    Where the schedule starts above the first ratio, the denoiser's answer there is the data's mean as
    well, so the step from t_max is as good as one from the ratio and starts where the law is known.

    Args:
        schedule: the noise schedule.
        ratios: float64 `(steps,)`, falling.
    """
    times = schedule.time_at(-2.0 * torch.log(ratios)).clamp(schedule.t_min, schedule.t_max)
    times[0] = schedule.t_max
    return TimeGrid(times)


def ratio_range(schedule: Schedule, highest: float, lowest: float) -> tuple[float, float]:
    """The wanted range of sigma / alpha, limited to what the schedule covers."""
    ends = torch.tensor([schedule.t_max, schedule.t_min], dtype=torch.float64)
    top, bottom = torch.exp(-0.5 * schedule.log_snr(ends)).tolist()
    if not max(lowest, bottom) < min(highest, top):
        raise IncompatibleError(
            f"the grid asks for sigma / alpha between {lowest:g} and {highest:g}, the schedule covers "
            f"{bottom:g} to {top:g}: widen the grid."
        )
    return min(highest, top), max(lowest, bottom)
