"""t_i = t_max + i / (n - 1) (t_min - t_max): uniform in model time (Song et al. 2021, arXiv 2011.13456)."""

from typing import Literal

import torch

from rheos.process.schedule import Schedule
from rheos.sample.grid.grid import Grid, TimeGrid


class Uniform(Grid):
    """Times uniform in model time: what the schedule itself calls even."""

    kind: Literal["uniform"] = "uniform"

    def times(self, schedule: Schedule, steps: int) -> TimeGrid:
        """Times from t_max to t_min."""
        return TimeGrid(torch.linspace(schedule.t_max, schedule.t_min, steps, dtype=torch.float64))
