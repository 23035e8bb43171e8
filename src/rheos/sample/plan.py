"""A plan: all coefficients of a run that follow from the times of its grid, made before its first step."""

from dataclasses import dataclass

from torch import Tensor

from rheos.core.time_field import Times
from rheos.process.schedule import Schedule
from rheos.sample.correction import Node, inner_nodes
from rheos.sample.solver import Move, Solver, ready


@dataclass(frozen=True, slots=True)
class Plan:
    """A solver's moves and the nodes between them, in the clips' dtype and on their device.

    Attributes:
        moves: one a step.
        nodes: where corrections act; none where there are none.
        times: all at which the denoiser is asked, as the objects that it gets.
    """

    moves: tuple[Move, ...]
    nodes: tuple[Node, ...]
    times: Times

    @classmethod
    def of(
        cls, solver: Solver, schedule: Schedule, fields: Tensor, like: Tensor, *, corrected: bool = False
    ) -> "Plan":
        """Plan a solver's steps between time fields.

        Args:
            solver: the rule of a step.
            schedule: the noise schedule.
            fields: time fields of all nodes, float64 `(steps + 1, *field)`.
            like: a clip, whose shape, dtype and device those to come have.
            corrected: whether something is done at the nodes.
        """
        moves = tuple(ready(solver.plan(schedule, fields), like))
        nodes = inner_nodes(schedule, fields, like) if corrected else ()
        asked = [time for move in moves for time in move.times] + [node.time for node in nodes]
        return cls(moves, nodes, Times(tuple(asked)))
