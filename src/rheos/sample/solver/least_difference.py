"""x_n = E + (B / 2) ((1 - c) G_1 + c G_2), G_1 = (m_0 - m_1) / r, G_2 = D(E + B G_1 / 2) - m_0.

E = A x + B m_0. A form of EVODiff (Li, Chen, Zeng 2025, arXiv 2509.26096) whose coefficients are consistent:
c in [0, 1] is the mix of least norm, <G_1, G_1 - G_2> / |G_1 - G_2|^2, so that the differences' variance is
least and the order stays two; c = 0 is DPM-Solver++ 2M, c = 1 a corrector alone. One denoiser call a step.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import Path, usable_nodes
from rheos.sample.solver.solver import Answer, Draw, Move, Solver, State

Mixed = Literal["clip", "frame"]


def dot(a: Tensor, b: Tensor, over: Mixed) -> Tensor:
    """<a, b> of each clip or each frame, broadcastable to the clip."""
    return (a * b).sum(dim=tuple(range(1 if over == "clip" else 2, a.ndim)), keepdim=True)


def share(a: Tensor, b: Tensor, over: Mixed) -> Tensor:
    """<a, b> / <b, b>, 0 where b is."""
    length = dot(b, b, over)
    return dot(a, b, over) / torch.where(length > 0, length, 1.0)


@dataclass(frozen=True, slots=True)
class LeastDifferenceMove(Move):
    """Correct the clip that the last step led to, then take the next.

    Attributes:
        time: the field at which the denoiser is asked.
        scale: A of the step from here.
        weight: B of it.
        slope: B / (2 r) of it; None where there is one answer only.
        half: B / 2 of the step that led here; None where it is not corrected.
        inverse: 1 / r of that step.
        over: of what c is one number.
    """

    time: Tensor
    scale: Tensor
    weight: Tensor
    slope: Tensor | None
    half: Tensor | None
    inverse: Tensor
    over: Mixed

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return replace(
            self,
            scale=expand(self.scale, like),
            weight=expand(self.weight, like),
            slope=None if self.slope is None else expand(self.slope, like),
            half=None if self.half is None else expand(self.half, like),
            inverse=expand(self.inverse, like),
        )

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """One denoiser call; c is found from what the last three calls answered."""
        u, answer = state.u, denoise(state.u, self.time)
        if self.half is not None:
            first = (state.history[0] - state.history[1]) * self.inverse
            gap = first - (answer - state.history[0])
            mix = share(first, gap, self.over).clamp(0.0, 1.0)
            u = torch.addcmul(u, gap, mix * self.half, value=-1.0)
        u = (u * self.scale).addcmul_(answer, self.weight)
        if self.slope is not None:
            u.addcmul_(answer - state.history[0], self.slope)
        return State(u, (answer, *state.history)[:2])


class LeastDifference(Solver):
    """Predictor and corrector mixed so that differences vary least (EVODiff, consistent form).

    Attributes:
        over: whether the mix is found for each clip or for each frame.
    """

    kind: Literal["least_difference"] = "least_difference"
    over: Mixed = "clip"

    @property
    def declared_order(self) -> int:
        """Two."""
        return 2

    @property
    def linear(self) -> bool:
        """The mix is a ratio of inner products of answers."""
        return False

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LeastDifferenceMove, ...]:
        """A, B and r of every step, and those of the step before it."""
        path = Path.of(schedule, fields)
        nodes, count = usable_nodes(path, 2)
        weight = torch.where(path.still, 0.0, path.alpha[1:] - path.decay * path.alpha[:-1])
        inverse = torch.where(count == 2, -1.0 / torch.where(count == 2, nodes[1], -1.0), 0.0)
        half = torch.where(count == 2, 0.5 * weight, 0.0)
        slope = half * inverse
        return tuple(
            LeastDifferenceMove(
                time=path.time[i],
                scale=path.decay[i],
                weight=weight[i],
                slope=slope[i] if bool(slope[i].any()) else None,
                half=half[i - 1] if i > 1 and bool(half[i - 1].any()) else None,
                inverse=inverse[max(i - 1, 0)],
                over=self.over,
            )
            for i in range(path.steps)
        )
