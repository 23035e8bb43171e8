"""x_n = x - l v / M, v_n = v + l (x + G v / M + 2 G s_v) + sqrt(2 G l) z: Euler and Maruyama's method.

The plain way through the reverse diffusion of Dockhorn, Vahdat, Kreis 2021 (arXiv 2112.07068).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.critically_damped import CriticallyDamped
from rheos.sample.momentum.solver import DrawLike, MomentumMove, MomentumSolver, Pair, Push, lengths
from rheos.sample.solver import Answer


@dataclass(frozen=True, slots=True)
class EulerMaruyamaMove(MomentumMove):
    """Both parts from where the step starts.

    Attributes:
        push: what is added to the velocity.
        travel: factor of the velocity in the clip.
        noise: of the velocity.
    """

    push: Push
    travel: Tensor
    noise: Tensor

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return replace(
            self,
            push=self.push.to(like),
            travel=expand(self.travel, like),
            noise=expand(self.noise, like),
        )

    def apply(self, x: Tensor, v: Tensor, denoise: Answer, draw: DrawLike) -> Pair:
        """One denoiser call."""
        moved = (v + self.push(x, v, denoise)).addcmul_(draw(v), self.noise)
        return x + self.travel * v, moved


class EulerMaruyama(MomentumSolver):
    """First order, for comparison; unstable where steps are long for the friction."""

    kind: Literal["euler_maruyama"] = "euler_maruyama"

    @property
    def declared_order(self) -> int:
        """One, of the law."""
        return 1

    @property
    def stochastic(self) -> bool:
        """Always."""
        return True

    def plan(self, process: CriticallyDamped, fields: Tensor) -> tuple[EulerMaruyamaMove, ...]:
        """Three weights, a travel and a noise a step."""
        length, linear = lengths(process, fields), (1.0, process.damping / process.mass)
        push = Push.of(process, fields[:-1], length, linear, 2.0 * process.damping)
        travel, noise = -length / process.mass, math.sqrt(2.0 * process.damping) * length.sqrt()
        return tuple(EulerMaruyamaMove(push.at(i), travel[i], noise[i]) for i in range(len(length)))
