"""y_n = y_s + (S_n - S_s) eps(y_m, S_m), y_m = y_s + (S_m - S_s) eps(y_s, S_s), S_m = (S_s + S_n) / 2.

The midpoint rule for dy/dS = eps with y = x / alpha, S = sigma / alpha, as in Pan, Liew, Tan, Feng, Yan 2023
(AdjointDPM, arXiv 2307.10711), section 3.2: no linear part is left in that form, so nothing is stiff.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import FAR, Path
from rheos.sample.solver.solver import Answer, Draw, Move, Solver, State


@dataclass(frozen=True, slots=True)
class MidpointMove(Move):
    """Half a step by Euler, then a whole one by the direction found there.

    Attributes:
        time: the field from which the step starts.
        middle: the field half-way in S.
        first: weights of u and of the first answer in the half step; in the whole one where it is the last.
        second: weights of u, of the half-way u and of its answer; None where Euler's step is all.
    """

    time: Tensor
    middle: Tensor
    first: tuple[Tensor, Tensor]
    second: tuple[Tensor, Tensor, Tensor] | None

    @property
    def times(self) -> tuple[Tensor, ...]:
        """Where the step starts and its middle."""
        return (self.time,) if self.second is None else (self.time, self.middle)

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        first = (expand(self.first[0], like), expand(self.first[1], like))
        if self.second is None:
            return replace(self, first=first)
        a, b, c = (expand(weight, like) for weight in self.second)
        return replace(self, first=first, second=(a, b, c))

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """Two denoiser calls, one on the last step."""
        half = (state.u * self.first[0]).addcmul_(denoise(state.u, self.time), self.first[1])
        if self.second is None:
            return State(half)
        u = (state.u * self.second[0]).addcmul_(half, self.second[1])
        return State(u.addcmul_(denoise(half, self.middle), self.second[2]))


def halfway(schedule: Schedule, path: Path) -> Path:
    """The nodes half-way in S of every step, `(steps, *field)`; where a step ends clean, its start."""
    ratio = torch.exp(-path.log_ratio)
    near = (path.length > 0) & (path.length <= FAR)
    # In log-SNR, where ratio is 0 or infinite the step is not near and its start is taken.
    wanted = torch.where(near, -2.0 * torch.log(0.5 * (ratio[1:] + ratio[:-1])), 0.0)
    time = torch.where(near, schedule.time_at(wanted), path.time[:-1])
    clean = time == 0
    return Path(
        time,
        torch.where(clean, 1.0, schedule.alpha(time)),
        torch.where(clean, 0.0, schedule.sigma(time)),
        torch.where(clean, torch.inf, 0.5 * schedule.log_snr(time)),
    )


class Midpoint(Solver):
    """Second order by two denoiser calls a step, none of them kept: the adjoint's own solver."""

    kind: Literal["midpoint"] = "midpoint"

    @property
    def declared_order(self) -> int:
        """Two."""
        return 2

    @property
    def evaluations_per_step(self) -> int:
        """Two, but one on the last."""
        return 2

    @property
    def single_step(self) -> bool:
        """Always."""
        return True

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[MidpointMove, ...]:
        """Euler's weights to the middle or, where a step ends clean, to its end."""
        path = Path.of(schedule, fields)
        middle, ratio = halfway(schedule, path), torch.exp(-path.log_ratio)
        near = (path.length > 0) & (path.length <= FAR)
        whole = (path.decay, torch.where(path.still, 0.0, path.alpha[1:] - path.decay * path.alpha[:-1]))
        part = middle.sigma / torch.where(near, path.sigma[:-1], 1.0)
        u, answer = (
            torch.where(near, part, whole[0]),
            torch.where(near, middle.alpha - part * path.alpha[:-1], whole[1]),
        )
        # x_n = (alpha_n / alpha_s) x_s + alpha_n (S_n - S_s) (x_m - alpha_m D_m) / sigma_m
        push = path.alpha[1:] * (ratio[1:] - ratio[:-1]) / torch.where(near, middle.sigma, 1.0)
        zero = torch.zeros_like(push)
        second = (
            torch.where(near, path.alpha[1:] / torch.where(near, path.alpha[:-1], 1.0), zero),
            torch.where(near, push, 1.0),
            torch.where(near, -push * middle.alpha, zero),
        )
        return tuple(
            MidpointMove(
                time=path.time[i],
                middle=middle.time[i],
                first=(u[i], answer[i]),
                second=(second[0][i], second[1][i], second[2][i]) if bool(near[i].any()) else None,
            )
            for i in range(path.steps)
        )
