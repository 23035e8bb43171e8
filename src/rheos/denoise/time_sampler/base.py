"""Time samplers: the law of t at training, as a quantile function driven by stratified uniforms.

w_i = frac(w + i/B), one uniform w for a batch of B, has uniform marginals and a batch mean of variance
1/(12 B^2) instead of 1/(12 B) (Kingma et al. 2021, arXiv 2107.00630, appendix I.1).
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float64
from torch import Tensor

from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.process.schedule import Schedule


class TimeSampler(Method, ABC):
    """Draws the time of each clip of a training batch inside [t_min, t_max]."""

    @abstractmethod
    def quantile(self, schedule: Schedule, w: Float64[Tensor, " rows"]) -> Float64[Tensor, " rows"]:
        """The time below which a share `w` in (0, 1) of the law lies, or above which, the same for all w."""

    def __call__(self, schedule: Schedule, rows: int, key: Key) -> Float64[Tensor, " rows"]:
        """One time a row, float64.

        Args:
            schedule: its t_min and t_max bound the times.
            rows: size of the batch.
            key: the first row's TIME stream gives the one uniform number.
        """
        return self.quantile(schedule, stratified(rows, key)).clamp(schedule.t_min, schedule.t_max)


def stratified(rows: int, key: Key) -> Float64[Tensor, " rows"]:
    """One w_i in (0, 1) a row, from the one uniform number of the first row's TIME stream."""
    shift = key.at(Purpose.TIME, key.step).uniform(())[0]
    w = torch.frac(shift + torch.arange(rows, dtype=torch.float64) / rows)
    # An exact 0 or 1 would be an infinite quantile.
    tiny = 2.0**-40
    return w.clamp(tiny, 1.0 - tiny)
