"""What every solver of critically damped diffusion promises: coefficients once, then short steps.

Between times s > n a length l = L(s) - L(n) of the dynamics is undone. The reverse process is

    dx = -(v / M) dl,   dv = (x + G v / M + 2 G s_v) dl + sqrt(2 G) dw,

and its flow of the same marginals has G s_v in place of 2 G s_v, and no noise (Dockhorn, Vahdat, Kreis 2021,
arXiv 2112.07068).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from rheos.core.method import Method
from rheos.core.time_field import expand
from rheos.process.critically_damped import CriticallyDamped
from rheos.sample.solver import Answer

Pair = tuple[Tensor, Tensor]
"""The clip and its velocity."""
DrawLike = Callable[[Tensor], Tensor]
"""Fresh standard normal numbers of a tensor's shape, other ones at every call."""


class MomentumMove(ABC):
    """One step with its coefficients: first `to` a clip's dtype and device, then `apply`."""

    @abstractmethod
    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""

    @abstractmethod
    def apply(self, x: Tensor, v: Tensor, denoise: Answer, draw: DrawLike) -> Pair:
        """Go one node further; `x` and `v` are left as they are."""


class MomentumSolver(Method, ABC):
    """A rule for the steps of critically damped diffusion from noise to data."""

    @property
    @abstractmethod
    def declared_order(self) -> int:
        """Power of the step length with which the error falls (of the law, where stochastic)."""

    @property
    def evaluations_per_step(self) -> int:
        """Denoiser calls a step."""
        return 1

    @property
    @abstractmethod
    def stochastic(self) -> bool:
        """Whether steps draw noise."""

    @abstractmethod
    def plan(self, process: CriticallyDamped, fields: Tensor) -> tuple[MomentumMove, ...]:
        """The coefficients of every step, float64 on the CPU.

        Args:
            process: its dynamics.
            fields: time fields at the nodes, float64 `(steps + 1, *field)`, falling; where two rows are equal
                (clean frames) the step is the identity.
        """


@dataclass(frozen=True, slots=True)
class Push:
    """What one call of the denoiser adds to the velocity: x X + v V + E[x_0 | state] Y.

    Attributes:
        time: the field at which the denoiser is asked.
        x: X.
        v: V.
        mean: Y.
    """

    time: Tensor
    x: Tensor
    v: Tensor
    mean: Tensor

    @classmethod
    def of(
        cls,
        process: CriticallyDamped,
        time: Tensor,
        length: Tensor,
        linear: tuple[float, float],
        score: float,
    ) -> "Push":
        """Length times (a x + c v + score s_v), `linear` being a and c; nothing where the length is 0.

        All steps at once: `time` and `length` are `(steps, *field)`, and :meth:`at` is one of them.
        """
        signal, precision = process.pull(time)
        a, c = linear
        return cls(
            time=time,
            x=length * (a - score * precision[..., 1, 0]),
            v=length * (c - score * precision[..., 1, 1]),
            mean=length * score * signal[..., 1],
        )

    def at(self, step: int) -> "Push":
        """The coefficients of a step."""
        return Push(self.time[step], self.x[step], self.v[step], self.mean[step])

    def to(self, like: Tensor) -> "Push":
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return replace(self, x=expand(self.x, like), v=expand(self.v, like), mean=expand(self.mean, like))

    def __call__(self, x: Tensor, v: Tensor, denoise: Answer) -> Tensor:
        """One denoiser call."""
        answer = denoise(torch.cat((x, v), 2), self.time)
        return (x * self.x).addcmul_(v, self.v).addcmul_(answer, self.mean)


def lengths(process: CriticallyDamped, fields: Tensor) -> Tensor:
    """How much of the dynamics each step undoes, `(steps, *field)`."""
    return process.rate * (fields[:-1] - fields[1:])
