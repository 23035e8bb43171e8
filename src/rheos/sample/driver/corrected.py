"""One step after the other, with corrections at the nodes between them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

import torch
from torch import Tensor

from rheos.sample.correction import Correction
from rheos.sample.plan import Plan
from rheos.sample.solver import Answer, State


def corrected(
    denoise: Answer,
    plan: Plan,
    again: Callable[[Tensor], Plan],
    fields: Tensor,
    u: Tensor,
    corrections: Sequence[Correction],
    draw: Callable[[int], Tensor],
    draw_correction: Callable[[int], Tensor],
    visit: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Run a solver, correcting every inner node; earlier answers stay in use at their own times.

    Args:
        denoise: `(u, time field)` to the mean of u_0.
        plan: of the grid.
        again: time fields to their plan, asked where a correction moves a time: those follow from the clip.
        fields: time fields of all nodes, float64 `(steps + 1, *field)`.
        u: the clip at the first node; left as it is.
        corrections: one after the other at each node.
        draw: step number to the base noise of that step.
        draw_correction: number of a correction's draw, counted over the whole run, to its noise.
        visit: told of u at every node, after its corrections, the first included.

    Returns:
        The clip at the last node.
    """
    state, numbers = State(u), count()
    steps = len(plan.moves)
    if visit is not None:
        visit(u)
    for index in range(steps):
        state = plan.moves[index].apply(state, denoise, partial(draw, index))
        for correction in corrections if index + 1 < steps else ():
            node = plan.nodes[index]
            changed, time = correction.apply(state.u, node, denoise, lambda: draw_correction(next(numbers)))
            state = replace(state, u=changed)
            if time is not node.time:
                fields = _moved(fields, index + 1, time)
                plan = again(fields)
        if visit is not None:
            visit(state.u)
    return state.u


def _moved(fields: Tensor, index: int, time: Tensor) -> Tensor:
    """The fields with another one at a node, every row with times of its own where that one has."""
    axes = max(fields.ndim - 1, time.ndim)
    # Fields are left-aligned: what is missing is missing at the end.
    fields = fields.reshape(*fields.shape, *(1 for _ in range(axes + 1 - fields.ndim)))
    time = time.reshape(*time.shape, *(1 for _ in range(axes - time.ndim)))
    moved = fields.expand(len(fields), *torch.broadcast_shapes(fields.shape[1:], time.shape)).clone()
    moved[index] = time
    return moved
