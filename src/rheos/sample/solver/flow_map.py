"""u_s = carry(u_t, t, s): a flow map goes from node to node, as far apart as they may be.

Sampling of MeanFlow (Geng, Deng, Bai, Kolter, He 2025, arXiv 2505.13447) and of every other map of the
flow: an exact one makes no error at any step.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol, Self, cast

from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import Path
from rheos.sample.solver.solver import Answer, Draw, Move, Solver, State


class _Carry(Protocol):
    """An answer that also carries, as `sample` gives for a flow map."""

    def carry(self, u: Tensor, t: Tensor, s: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class FlowMapMove(Move):
    """One call from one time field to another.

    Attributes:
        time: the field from which the step starts.
        until: the field where it ends.
    """

    time: Tensor
    until: Tensor

    def to(self, like: Tensor) -> Self:
        """The same: the map has its own coefficients."""
        return self

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """One call of the map."""
        # Whoever asks for this solver has been told that answers must carry.
        return State(cast(_Carry, denoise).carry(state.u, self.time, self.until))


class FlowMapSteps(Solver):
    """One call of a flow map from each node to the next; for models trained as one."""

    kind: Literal["flow_map"] = "flow_map"

    @property
    def declared_order(self) -> int:
        """That of Euler's step, which it is with a map that does not look where the step ends."""
        return 1

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[FlowMapMove, ...]:
        """From each node to the next."""
        times = Path.of(schedule, fields).time.unbind(0)
        return tuple(FlowMapMove(time, until) for time, until in pairwise(times))
