"""alpha = 1, sigma = sigma_max t^rho.

Karras et al. 2022, arXiv 2206.00364: a uniform grid in t is the grid of equation 5.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule.base import Schedule


class EDM(Schedule):
    """Variance exploding, noise growing as a power of t.

    Attributes:
        sigma_min: noise at t_min; the grid's last level before data.
        sigma_max: noise at t = 1; should exceed the largest distance between two clips.
        rho: the power.
    """

    kind: Literal["edm"] = "edm"
    sigma_min: float = Field(default=0.002, gt=0.0)
    sigma_max: float = Field(default=80.0, gt=0.0)
    rho: float = Field(default=7.0, ge=1.0)

    @property
    def t_min(self) -> float:
        """(sigma_min / sigma_max)^(1/rho)."""
        return math.pow(self.sigma_min / self.sigma_max, 1.0 / self.rho)

    @property
    def t_max(self) -> float:
        """1, where the noise is sigma_max."""
        return 1.0

    def alpha(self, t: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        """sigma_max t^rho."""
        return self.sigma_max * t**self.rho

    def d_alpha(self, t: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """Rho sigma_max t^(rho - 1)."""
        return self.rho * self.sigma_max * t ** (self.rho - 1.0)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """(sigma / sigma_max)^(1/rho) with sigma = exp(-log_snr / 2)."""
        return torch.exp(-(0.5 * log_snr + math.log(self.sigma_max)) / self.rho)
