"""S_i = (S_max^(1/rho) + i / (n - 1) (S_min^(1/rho) - S_max^(1/rho)))^rho, S = sigma / alpha.

Karras, Aittala, Aila, Laine 2022 (EDM, arXiv 2206.00364), equation 5.
"""

from typing import Literal

import torch
from pydantic import Field

from rheos.process.schedule import Schedule
from rheos.sample.grid.grid import Grid, TimeGrid, by_ratio, ratio_range


class Karras(Grid):
    """Times uniform in a root of noise over signal: finer towards the data the larger rho is.

    Attributes:
        rho: the root; infinity would be uniform in log S.
        highest: sigma / alpha from which the times are spread; above it the answer is the data's mean.
        lowest: sigma / alpha of the last time; what is finer is left to the last denoiser call.
    """

    kind: Literal["karras"] = "karras"
    rho: float = Field(7.0, ge=1)
    highest: float = Field(80.0, gt=0)
    lowest: float = Field(0.002, gt=0)

    def times(self, schedule: Schedule, steps: int) -> TimeGrid:
        """Times from t_max to where sigma / alpha reaches `lowest`, or t_min."""
        top, bottom = ratio_range(schedule, self.highest, self.lowest)
        roots = torch.linspace(top ** (1 / self.rho), bottom ** (1 / self.rho), steps, dtype=torch.float64)
        return by_ratio(schedule, roots**self.rho)
