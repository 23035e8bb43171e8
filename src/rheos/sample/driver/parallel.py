"""x_(i+1) <- Phi_i(x_i) + (alpha_(i+1) / alpha_i) (new x_i - x_i), all steps Phi_i at once: Picard iteration.

In y = x / alpha it is y_(i+1) <- y_0 + sum_(j <= i) F_j(y_j), F_j the increment of a single-step solver:
Shih, Belkhale, Ermon, Sadigh, Anari 2023 (ParaDiGMS, arXiv 2305.16317), algorithm 1. After k sweeps the first
k nodes are what one step after the other gives; the window slides on past all nodes that no longer move.
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.method import Method
from rheos.sample.solver import Answer, State
from rheos.sample.windows import Window, Windows


class Parallel(Method):
    """Many steps in one denoiser call, repeated until they agree: less waiting for more work.

    Attributes:
        window: how many steps are made at once; 1 is one after the other.
        tolerance: root mean square change of every clip, in units of its noise level, below which a node is
            done; 0 goes on until nothing changes, which is what one step after the other gives.
    """

    kind: Literal["parallel"] = "parallel"
    window: int = Field(16, ge=1)
    tolerance: float = Field(0.01, ge=0)


def parallel(
    answers: Callable[[Window], Answer],
    windows: Windows,
    u: Tensor,
    draw: Callable[[int], Tensor],
    how: Parallel,
) -> list[Tensor]:
    """Run a single-step solver over windows of steps.

    Args:
        answers: a window to its denoiser, of as many copies of the batch, one after the other.
        windows: the plan of the steps.
        u: the clip at the first node `(b, f, *features)`; left as it is.
        draw: step number to the base noise of that step.
        how: window and tolerance.

    Returns:
        The clip at every node.
    """
    rows, steps, carries = len(u), windows.steps, windows.carries
    noises: dict[int, Tensor] = {}
    known, guesses = [u], [u]

    def ahead(first: int, starts: Tensor) -> Tensor:
        """Every step of a window by itself: one step of more rows, each at times of its own."""

        def noise() -> Tensor:
            for step in range(first, first + count):
                noises.setdefault(step, draw(step))
            return torch.cat([noises[step] for step in range(first, first + count)])

        window = windows.window(first, count)
        return window.move.apply(State(starts), answers(window), noise).u

    while (done := len(known) - 1) < steps:
        count = min(how.window, steps - done)
        for node in range(done + len(guesses), done + count + 1):
            guesses.append(guesses[-1] * carries[node - 1])
        ends = ahead(done, torch.cat(guesses[:count])).split(rows)
        new, settled = [known[-1]], 0
        for m in range(count):
            new.append(ends[m] + carries[done + m] * (new[m] - guesses[m]))
            limit = how.tolerance * windows.levels[done + m]
            moved = (new[-1] - guesses[m + 1]).square().mean(tuple(range(1, u.ndim)), True)
            # The first node of a window is exact: it starts from one that is.
            if settled == m and (m == 0 or bool((moved <= limit**2).all())):
                settled += 1
        known += new[1 : settled + 1]
        guesses = new[settled:]
    return known
