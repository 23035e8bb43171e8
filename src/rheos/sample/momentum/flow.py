"""dx = -(v / M) dl, dv = (x + G v / M + G s_v) dl by Heun's rule: the flow with the diffusion's marginals.

Dockhorn, Vahdat, Kreis 2021 (arXiv 2112.07068); no noise is drawn on the way.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.critically_damped import CriticallyDamped
from rheos.sample.momentum.solver import DrawLike, MomentumMove, MomentumSolver, Pair, Push, lengths
from rheos.sample.solver import Answer


@dataclass(frozen=True, slots=True)
class FlowMove(MomentumMove):
    """The slope where the step starts, then the mean of it and that where it leads.

    Attributes:
        before: the velocity's change by the first slope.
        after: by the second.
        travel: factor of the velocity in the clip.
    """

    before: Push
    after: Push
    travel: Tensor

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return replace(
            self,
            before=self.before.to(like),
            after=self.after.to(like),
            travel=expand(self.travel, like),
        )

    def apply(self, x: Tensor, v: Tensor, denoise: Answer, draw: DrawLike) -> Pair:
        """Two denoiser calls."""
        first = self.before(x, v, denoise)
        led = v + first
        second = self.after(x + self.travel * v, led, denoise)
        return x + 0.5 * self.travel * (v + led), v + 0.5 * (first + second)


class Flow(MomentumSolver):
    """Second order without noise, by two denoiser calls a step."""

    kind: Literal["flow"] = "flow"

    @property
    def declared_order(self) -> int:
        """Two."""
        return 2

    @property
    def evaluations_per_step(self) -> int:
        """Two."""
        return 2

    @property
    def stochastic(self) -> bool:
        """Never."""
        return False

    def plan(self, process: CriticallyDamped, fields: Tensor) -> tuple[FlowMove, ...]:
        """Six weights and a travel a step."""
        length, linear = lengths(process, fields), (1.0, process.damping / process.mass)
        before = Push.of(process, fields[:-1], length, linear, process.damping)
        after = Push.of(process, fields[1:], length, linear, process.damping)
        travel = -length / process.mass
        return tuple(FlowMove(before.at(i), after.at(i), travel[i]) for i in range(len(length)))
