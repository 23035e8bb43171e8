"""log_snr ~ U(log_snr(t_max), log_snr(t_min)) (Kingma et al. 2021, arXiv 2107.00630)."""

from typing import Literal

import torch
from torch import Tensor

from rheos.denoise.time_sampler.base import TimeSampler
from rheos.process.schedule import Schedule


class LogSnrUniform(TimeSampler):
    """Every octave of noise equally often."""

    kind: Literal["log_snr_uniform"] = "log_snr_uniform"

    def quantile(self, schedule: Schedule, w: Tensor) -> Tensor:
        """From the largest log_snr, at t_min, to the smallest."""
        ends = schedule.log_snr(torch.tensor([schedule.t_min, schedule.t_max], dtype=torch.float64))
        return schedule.time_at(torch.lerp(ends[0], ends[1], w))
