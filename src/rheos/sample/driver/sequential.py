"""One step after the other, from noise to data."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from rheos.sample.solver import Answer, Move, State


def sequential(
    denoise: Answer,
    moves: Sequence[Move],
    u: Tensor,
    draw: Callable[[int], Tensor],
    visit: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Run a solver's plan.

    Args:
        denoise: `(u, time field)` to the mean of u_0.
        moves: the plan, in the dtype and on the device of `u`.
        u: the clip at the first node; left as it is.
        draw: step number to the base noise of that step; called only by steps that use it.
        visit: told of u at every node, the first included.

    Returns:
        The clip at the last node.
    """
    state = State(u)
    if visit is not None:
        visit(u)
    for index, move in enumerate(moves):
        state = move.apply(state, denoise, partial(draw, index))
        if visit is not None:
            visit(state.u)
    return state.u
