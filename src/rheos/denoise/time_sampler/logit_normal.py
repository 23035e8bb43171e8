"""t = sigmoid(mean + std n), n ~ N(0, 1), then shifted: t <- a t / (1 + (a - 1) t).

Esser et al. 2024, arXiv 2403.03206, sections 3.1 and 5.3.2.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.denoise.time_sampler.base import TimeSampler
from rheos.process.schedule import Schedule


class LogitNormal(TimeSampler):
    """Middle times more often than the ends.

    Attributes:
        mean: of logit t.
        std: of logit t.
        shift: a; above 1 moves weight to larger times, for long clips and large grids.
    """

    kind: Literal["logit_normal"] = "logit_normal"
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0.0)
    shift: float = Field(default=1.0, gt=0.0)

    def quantile(self, schedule: Schedule, w: Tensor) -> Tensor:
        """Of the shifted logit-normal law."""
        t = torch.sigmoid(self.mean + self.std * torch.special.ndtri(w))
        return self.shift * t / (1.0 + (self.shift - 1.0) * t)
