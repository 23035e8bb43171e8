"""w(t_c) |D_c - (2 D_b - D_a)|^2: what a second-order solver does not foresee, as a part of the loss.

D_a, D_b, D_c are the denoiser's answers where a solver stands, h apart in log(alpha / sigma):

    u_b = A u_a + B D_a,    u_c = A u_b + B (3 D_b - D_a) / 2,
    A = sigma_n / sigma_s,  B = alpha_n - A alpha_s

(DPM-Solver++ 2M, arXiv 2211.01095; its first step is DDIM's). The gap to the line through the last two
answers is what order 3 would add to order 2. Regularizing a neural differential equation by its solver's own
local error is Pal, Ma, Shah, Rackauckas 2021, arXiv 2105.03918, section 3; as there, steps are taken for
constants, gradients go through the solver's steps, and the weight decays: the exact denoiser has gaps too.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.method import Method
from rheos.core.time_field import expand
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.euler import euler
from rheos.denoise.prediction import input_scale
from rheos.process.schedule import Schedule


class SolverError(Method):
    """Penalty on answers that bend in log-SNR, which few-step solvers cannot follow.

    Attributes:
        weight: of the penalty at the first training step; 0 leaves the plain loss as it is.
        halving: training steps after which the weight has halved; None keeps it.
        step: h; the default is a step of the `fast` preset.
        every: one clip in so many pays, the two further denoiser calls being made for it alone.
    """

    kind: Literal["solver_error"] = "solver_error"
    weight: float = Field(default=0.0, ge=0.0)
    halving: float | None = Field(default=None, gt=0.0)
    step: float = Field(default=0.85, gt=0.0)
    every: int = Field(default=4, ge=1)

    def strength(self, step: int) -> float:
        """The weight at a training step, counted from 0."""
        return self.weight * (1.0 if self.halving is None else math.exp2(-step / self.halving))

    def __call__(
        self, denoiser: Denoiser, u: Tensor, answer: Tensor, t: Tensor, observed: Tensor, context: Context
    ) -> Tensor:
        """Penalty of each clip `(b,)`: 0 for those that do not pay, more for the others to make up for it.

        w(t) = alpha^2 / (alpha^2 s^2 + sigma^2), s the data's standard deviation: the share of an error at t
        that is left in the finished clip, squared, in units of s. Steps that would end below t_min are
        left out.

        Args:
            denoiser: what is trained.
            u: canonical clips u_a `(b, f, *features)`.
            answer: the denoiser's mean there, D_a.
            t: their time field, `(b)` or finer, float64 on the CPU.
            observed: 1 where an entry counts, of the clips' shape.
            context: of the clips.
        """
        schedule, some = denoiser.process.schedule, slice(None, None, self.every)
        here, known, first = u[some], context.rows(some), answer[some]
        times = [t[some], self._later(schedule, t[some], 1), self._later(schedule, t[some], 2)]
        middle = euler(schedule, times[0], times[1], here, first)
        second = denoiser(middle, times[1], known).mean
        end = euler(schedule, times[1], times[2], middle, 1.5 * second - 0.5 * first)
        gap = denoiser(end, times[2], known).mean - (2.0 * second - first)
        lands = self._after(schedule, times[0], 2) <= schedule.log_snr(times[2].new_tensor(schedule.t_min))
        left = schedule.alpha(times[2]) * input_scale(schedule, times[2], denoiser.sigma_data)
        counted = observed[some] * expand(lands.to(torch.float64), gap)
        axes = tuple(range(1, u.ndim))
        penalty = (expand(left, gap) * counted * gap).square().sum(axes)
        whole = penalty.new_zeros(len(u))
        whole[some] = penalty / observed[some].sum(axes).clamp(min=1.0) * (len(u) / len(here))
        return whole

    def _after(self, schedule: Schedule, t: Tensor, steps: int) -> Tensor:
        """The log-SNR some steps nearer to the data."""
        return schedule.log_snr(t) + 2.0 * steps * self.step

    def _later(self, schedule: Schedule, t: Tensor, steps: int) -> Tensor:
        """The time there, not below t_min; clean entries stay clean."""
        there = schedule.time_at(self._after(schedule, t, steps)).clamp(min=schedule.t_min)
        return torch.where(t > 0.0, there, 0.0)
