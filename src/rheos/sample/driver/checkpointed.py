"""One step after the other, remembering only where each began; gradients run each step once more.

The gradient is that of the sampler as it ran (Chen et al. 2016, arXiv 1604.06174), for the memory of one
step and of u at every node. Noise is named by its key, so a step run again draws the same.
"""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rheos.sample.solver import Answer, Move, State


def checkpointed(
    denoise: Answer,
    moves: Sequence[Move],
    u: Tensor,
    draw: Callable[[int], Tensor],
    visit: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Run a solver's plan as :func:`rheos.sample.driver.sequential` does, for gradients in little memory.

    Args:
        denoise: `(u, time field)` to the mean of u_0; called again with the same when gradients are taken.
        moves: the plan, in the dtype and on the device of `u`.
        u: the clip at the first node; left as it is.
        draw: step number to the base noise of that step, the same whenever it is asked.
        visit: told of u at every node, the first included.

    Returns:
        The clip at the last node.
    """

    def step(index: int, u: Tensor, *history: Tensor) -> tuple[Tensor, ...]:
        state = moves[index].apply(State(u, history), denoise, partial(draw, index))
        return state.u, *state.history

    known: tuple[Tensor, ...] = (u,)
    if visit is not None:
        visit(u)
    for index in range(len(moves)):
        known = checkpoint(step, index, *known, use_reentrant=False, preserve_rng_state=False)
        if visit is not None:
            visit(known[0])
    return known[0]
