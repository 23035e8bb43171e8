"""Gradients through the last K steps alone; what came before them is taken for given.

DRaFT-K (Clark, Vicol, Swersky, Fleet 2023, arXiv 2309.17400): biased, but in the memory of K steps. With
K = 1 it is the gradient of the last answer for u_0.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from rheos.sample.solver import Answer, Move, State


def truncated(
    denoise: Answer,
    moves: Sequence[Move],
    u: Tensor,
    draw: Callable[[int], Tensor],
    visit: Callable[[Tensor], None] | None = None,
    *,
    last: int,
) -> Tensor:
    """Run a solver's plan as :func:`rheos.sample.driver.sequential` does, the last steps with a graph.

    Args:
        denoise: `(u, time field)` to the mean of u_0.
        moves: the plan, in the dtype and on the device of `u`.
        u: the clip at the first node; left as it is.
        draw: step number to the base noise of that step.
        visit: told of u at every node, the first included.
        last: how many steps gradients go through.

    Returns:
        The clip at the last node.
    """
    state, first = State(u), len(moves) - last
    if visit is not None:
        visit(u)
    for index, move in enumerate(moves):
        with torch.set_grad_enabled(index >= first):
            state = move.apply(state, denoise, partial(draw, index))
        if visit is not None:
            visit(state.u)
    return state.u
