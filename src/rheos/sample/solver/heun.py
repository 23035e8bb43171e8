"""y_n = y_s + (S_n - S_s) (eps_s + eps_n) / 2 with y = x / alpha, S = sigma / alpha, eps_n at Euler's y_n.

Karras, Aittala, Aila, Laine 2022 (EDM, arXiv 2206.00364), algorithms 1 and 2. Since Euler's step keeps
eps, eps_n - eps_s = -(alpha_n / sigma_n) (D_n - D_s), so x_n = x_euler + (alpha_n / 2) (e^h - 1) (D_n - D_s).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import FAR, Path
from rheos.sample.solver.solver import Answer, Draw, Move, Solver, State

_MOST_CHURN = math.sqrt(2.0) - 1.0


@dataclass(frozen=True, slots=True)
class HeunMove(Move):
    """Raise the noise, step by Euler, correct by the answer found there.

    Attributes:
        time: the field from which the step starts, after churn.
        after: the field it leads to.
        scale: of u in Euler's step.
        weight: of the answer in Euler's step.
        correction: of the difference of answers; None where only Euler's step is possible.
        raised: scale of u before the step where noise is raised, else None.
        noise: of the noise that raises it.
    """

    time: Tensor
    after: Tensor
    scale: Tensor
    weight: Tensor
    correction: Tensor | None
    raised: Tensor | None
    noise: Tensor | None

    @property
    def times(self) -> tuple[Tensor, ...]:
        """Where the step starts and, where it is corrected, where it ends."""
        return (self.time,) if self.correction is None else (self.time, self.after)

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        names = ("scale", "weight", "correction", "raised", "noise")
        cast = {name: expand(getattr(self, name), like) for name in names if getattr(self, name) is not None}
        return replace(self, **cast)

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """Two denoiser calls, one where there is no correction."""
        u = state.u
        if self.raised is not None and self.noise is not None:
            u = (u * self.raised).addcmul_(draw(), self.noise)
        before = denoise(u, self.time)
        u = (u * self.scale).addcmul_(before, self.weight)
        if self.correction is not None:
            u = torch.addcmul(u, denoise(u, self.after) - before, self.correction)
        return State(u)


class Heun(Solver):
    """Second order by two denoiser calls a step, with EDM's optional churn.

    Attributes:
        churn: S_churn, how much noise is put back over the whole grid; 0 is deterministic.
        churn_from: S_tmin, the least sigma / alpha at which noise is put back.
        churn_to: S_tmax, the largest.
        churn_noise: S_noise, factor on the noise put back.
    """

    kind: Literal["heun"] = "heun"
    churn: float = Field(0.0, ge=0)
    churn_from: float = Field(0.0, ge=0)
    churn_to: float = Field(math.inf, gt=0)
    churn_noise: float = Field(1.0, gt=0)

    @property
    def declared_order(self) -> int:
        """Two."""
        return 2

    @property
    def evaluations_per_step(self) -> int:
        """Two, but one on the last."""
        return 2

    @property
    def stochastic(self) -> bool:
        """Where there is churn."""
        return self.churn > 0

    @property
    def single_step(self) -> bool:
        """Without churn, which is spread over the whole grid."""
        return self.churn == 0

    def _raise(self, schedule: Schedule, path: Path) -> tuple[Path, Tensor, Tensor]:
        """The start of each step after churn, its scale of u and its noise."""
        start = Path(path.time[:-1], path.alpha[:-1], path.sigma[:-1], path.log_ratio[:-1])
        ratio = torch.exp(-start.log_ratio)
        inside = (ratio >= self.churn_from) & (ratio <= self.churn_to) & torch.isfinite(start.log_ratio)
        gain = min(self.churn / path.steps, _MOST_CHURN)
        wanted = 2.0 * (start.log_ratio - math.log1p(gain))
        clean = start.time == 0
        reached = schedule.time_at(torch.where(inside & ~clean, wanted, 0.0)).clamp(max=schedule.t_max)
        time = torch.where(inside & ~clean, torch.maximum(reached, start.time), start.time)
        raised = Path.of(schedule, time[None])
        scale = torch.where(time > start.time, raised.alpha[0] / start.alpha, 1.0)
        added = raised.sigma[0] ** 2 - (scale * start.sigma) ** 2
        noise = torch.where(time > start.time, self.churn_noise * torch.sqrt(added.clamp(min=0.0)), 0.0)
        return Path(time, raised.alpha[0], raised.sigma[0], raised.log_ratio[0]), scale, noise

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[HeunMove, ...]:
        """Euler's two weights, the correction's and the churn's at each step."""
        path = Path.of(schedule, fields)
        still = path.still
        if self.churn > 0:
            start, raised, noise = self._raise(schedule, path)
        else:
            start = Path(path.time[:-1], path.alpha[:-1], path.sigma[:-1], path.log_ratio[:-1])
            raised, noise = torch.ones_like(start.time), torch.zeros_like(start.time)
        raised, noise = torch.where(still, 1.0, raised), torch.where(still, 0.0, noise)
        scale = torch.where(still, 1.0, path.sigma[1:] / start.sigma)
        weight = torch.where(still, 0.0, path.alpha[1:] - scale * start.alpha)
        length = torch.where(still, 0.0, path.log_ratio[1:] - start.log_ratio)
        near = length <= FAR
        correction = torch.where(
            near, 0.5 * path.alpha[1:] * torch.expm1(torch.where(near, length, 0.0)), 0.0
        )
        return tuple(
            HeunMove(
                time=torch.where(still[i], path.time[i], start.time[i]),
                after=path.time[i + 1],
                scale=scale[i],
                weight=weight[i],
                correction=correction[i] if bool(correction[i].any()) else None,
                raised=raised[i] if bool(noise[i].any()) else None,
                noise=noise[i] if bool(noise[i].any()) else None,
            )
            for i in range(path.steps)
        )
