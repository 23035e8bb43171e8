"""log S_i uniform, S = sigma / alpha (Lu et al. 2022, DPM-Solver, arXiv 2206.00927, section 3.2)."""

import math
from typing import Literal

import torch
from pydantic import Field

from rheos.process.schedule import Schedule
from rheos.sample.grid.grid import Grid, TimeGrid, by_ratio, ratio_range


class LogSNR(Grid):
    """Times uniform in the log of signal over noise: the same care for every scale of variance.

    Attributes:
        highest: sigma / alpha from which the times are spread; above it the answer is the data's mean.
        lowest: sigma / alpha of the last time; what is finer is left to the last denoiser call.
    """

    kind: Literal["log_snr"] = "log_snr"
    highest: float = Field(80.0, gt=0)
    lowest: float = Field(0.002, gt=0)

    def times(self, schedule: Schedule, steps: int) -> TimeGrid:
        """Times from t_max to where sigma / alpha reaches `lowest`, or t_min."""
        top, bottom = ratio_range(schedule, self.highest, self.lowest)
        exponents = torch.linspace(math.log(top), math.log(bottom), steps, dtype=torch.float64)
        return by_ratio(schedule, torch.exp(exponents))
