"""x_n = A x_s - alpha_n e m_0 + w (m_last - m_0), e = expm1(-h): second and third order within one step.

Lu et al. 2022 (DPM-Solver, arXiv 2206.00927; DPM-Solver++, 2211.01095), in data form, with inner nodes at the
shares r of h in lambda. 2S: r_1 = 1/2, w = -alpha_n e / (2 r_1). 3S: r_1 = 1/3, r_2 = 2/3,
w = (alpha_n / r_2) (e / h + 1), where u_2 itself uses m_1. No answer is kept from one step to the next, and
the answers of a step give an order less as well: an embedded pair, whose difference is the step's error.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import FAR, Path
from rheos.sample.solver.solver import Answer, Draw, Move, Solver, State

Weights = tuple[Tensor, ...]
"""Of u, of the first answer and, where there is one, of a later answer."""


@dataclass(frozen=True, slots=True)
class SingleStepMove(Move):
    """Inner nodes one after the other, then the step.

    Attributes:
        time: the field from which the step starts.
        inner: field, and weights of the clip there, of each inner node; none where Euler's step is exact.
        last: weights of the step.
        lower: weights of the step of one order less, of u, the first answer and the one at the first node.
    """

    time: Tensor
    inner: tuple[tuple[Tensor, Weights], ...]
    last: Weights
    lower: Weights

    @property
    def times(self) -> tuple[Tensor, ...]:
        """Where the step starts and its inner nodes."""
        return (self.time, *(time for time, _ in self.inner))

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""

        def cast(weights: Weights) -> Weights:
            return tuple(expand(weight, like) for weight in weights)

        inner = tuple((time, cast(weights)) for time, weights in self.inner)
        return replace(self, inner=inner, last=cast(self.last), lower=cast(self.lower))

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """As many denoiser calls as the order, one where there is no inner node."""
        return State(_combined(self.last, state.u, self._answers(state.u, denoise)))

    def pair(self, u: Tensor, denoise: Answer) -> tuple[Tensor, Tensor]:
        """The step, and the one of an order less, from the same answers."""
        answers = self._answers(u, denoise)
        return _combined(self.last, u, answers), _combined(self.lower, u, answers[:2])

    def _answers(self, u: Tensor, denoise: Answer) -> list[Tensor]:
        """At the start and at the inner nodes."""
        answers = [denoise(u, self.time)]
        for time, weights in self.inner:
            answers.append(denoise(_combined(weights, u, answers), time))
        return answers


def _combined(weights: Weights, u: Tensor, answers: list[Tensor]) -> Tensor:
    """Weights of u, of the first answer, and of the newest where there are three."""
    found = (u * weights[0]).addcmul_(answers[0], weights[1])
    return found if len(weights) == 2 else found.addcmul_(answers[-1], weights[2])


class SingleStep(Solver):
    """Second or third order by as many denoiser calls a step, none of them kept: can choose its steps.

    Attributes:
        order: 2 or 3.
    """

    kind: Literal["single_step"] = "single_step"
    order: int = Field(2, ge=2, le=3)

    @property
    def declared_order(self) -> int:
        """`order`."""
        return self.order

    @property
    def evaluations_per_step(self) -> int:
        """`order`, but one on the last."""
        return self.order

    @property
    def single_step(self) -> bool:
        """Always."""
        return True

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[SingleStepMove, ...]:
        """Weights of the inner nodes and of the step; Euler's where a step is infinite."""
        path = Path.of(schedule, fields)
        near = (path.length > 0) & (path.length <= FAR)
        h = torch.where(near, path.length, 1.0)
        gain = torch.where(path.still, 0.0, path.alpha[1:] - path.decay * path.alpha[:-1])
        first, second = (0.5, 1.0) if self.order == 2 else (1 / 3, 2 / 3)
        # A difference of answers weighs (alpha_n / r) (e / h + 1) in 3S, -alpha_n e / (2 r) in 2S.
        slope = torch.where(near, -path.alpha[1:] * torch.expm1(-h) / (2.0 * first), 0.0)
        inner, lower = [_inner(schedule, path, near, first)], torch.zeros_like(slope)
        if self.order == 3:
            inner.append(_inner(schedule, path, near, second, first))
            lower = slope
            slope = torch.where(near, path.alpha[1:] / second * (torch.expm1(-h) / h + 1.0), 0.0)
        euler, last = (path.decay, gain), (path.decay, gain - slope, slope)
        below = (path.decay, gain - lower, lower)
        return tuple(
            SingleStepMove(
                time=path.time[i],
                inner=tuple((time[i], _at(weights, i)) for time, weights in inner) if several else (),
                last=_at(last if several else euler, i),
                lower=_at(below if several else euler, i),
            )
            for i, several in enumerate(near.flatten(1).any(1).tolist() if near.ndim > 1 else near.tolist())
        )


def _at(weights: Weights, step: int) -> Weights:
    """The weights of one step."""
    return tuple(weight[step] for weight in weights)


def _inner(
    schedule: Schedule, path: Path, near: Tensor, share: float, earlier: float | None = None
) -> tuple[Tensor, Weights]:
    """Field and weights of the clip at a share of every step; where a step is infinite, at its start.

    Args:
        schedule: the noise schedule.
        path: where the steps start and end.
        near: which of them are neither still nor infinite.
        share: r.
        earlier: share of the inner node before it, whose answer it uses too.
    """
    h = torch.where(near, path.length, 1.0)
    wanted = torch.where(near, 2.0 * (path.log_ratio[:-1] + share * h), 0.0)
    time = torch.where(near, schedule.time_at(wanted), path.time[:-1])
    alpha = torch.where(near, schedule.alpha(time), 1.0)
    kept = torch.where(near, schedule.sigma(time) / path.sigma[:-1].clamp(min=1e-300), 1.0)
    gain = torch.where(near, alpha - kept * path.alpha[:-1], 0.0)
    if earlier is None:
        return time, (kept, gain)
    drift = share / earlier * alpha * (torch.expm1(-share * h) / (share * h) + 1.0)
    slope = torch.where(near, drift, 0.0)
    return time, (kept, gain - slope, slope)
