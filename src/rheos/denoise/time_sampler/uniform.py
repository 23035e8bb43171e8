"""t ~ U(t_min, t_max).

Song et al. 2021, arXiv 2011.13456, equation 7.
"""

from typing import Literal

from torch import Tensor

from rheos.denoise.time_sampler.base import TimeSampler
from rheos.process.schedule import Schedule


class Uniform(TimeSampler):
    """Uniform in model time: the schedule itself is the law of the noise level."""

    kind: Literal["uniform"] = "uniform"

    def quantile(self, schedule: Schedule, w: Tensor) -> Tensor:
        """t_min + w (t_max - t_min)."""
        return schedule.t_min + w * (schedule.t_max - schedule.t_min)
