"""log(sigma / alpha) ~ N(mean, std^2) (Karras et al. 2022, arXiv 2206.00364, table 1)."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.denoise.time_sampler.base import TimeSampler
from rheos.process.schedule import Schedule


class LogNormal(TimeSampler):
    """EDM's law of the noise-to-signal ratio, for any schedule.

    Attributes:
        mean: of log(sigma / alpha); the published -1.2 is for data of standard deviation 0.5.
        std: of log(sigma / alpha).
    """

    kind: Literal["log_normal"] = "log_normal"
    mean: float = -1.2
    std: float = Field(default=1.2, gt=0.0)

    def quantile(self, schedule: Schedule, w: Tensor) -> Tensor:
        """log_snr = -2 log(sigma / alpha)."""
        return schedule.time_at(-2.0 * (self.mean + self.std * torch.special.ndtri(w)))
