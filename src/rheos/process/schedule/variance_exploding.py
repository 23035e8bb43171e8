"""alpha = 1, sigma^2 = s0^2 ((s1/s0)^(2t) - 1), s0 = sigma_min, s1 = sigma_max.

dx = s0 (s1/s0)^t sqrt(2 log(s1/s0)) dw from clean data: Song et al. 2021, arXiv 2011.13456, equations 9
and 29. Their marginal leaves the -1 out, which would put noise s0 on data at t = 0.
"""

import math
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from rheos.process.schedule.base import Schedule


class VarianceExploding(Schedule):
    """Variance exploding, noise growing geometrically.

    Attributes:
        sigma_min: s0, below which noise grows like sqrt(t) instead.
        sigma_max: s1, noise at t = 1; should exceed the largest distance between two clips (published: 50
            for images in [0, 1]).
    """

    kind: Literal["variance_exploding"] = "variance_exploding"
    sigma_min: float = Field(default=0.01, gt=0.0)
    sigma_max: float = Field(default=80.0, gt=0.0)

    @model_validator(mode="after")
    def _noise_grows(self) -> Self:
        if not self.sigma_max > self.sigma_min:
            raise ValueError(f"sigma_max={self.sigma_max:g} must be above sigma_min={self.sigma_min:g}")
        return self

    @property
    def _growth(self) -> float:
        return math.log(self.sigma_max / self.sigma_min)

    @property
    def t_min(self) -> float:
        """Where noise is a fifth of sigma_min, by default 0.002 as with EDM."""
        return math.log1p(0.04) / (2.0 * self._growth)

    @property
    def t_max(self) -> float:
        """1, where the noise is sigma_max."""
        return 1.0

    def alpha(self, t: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        """s0 sqrt((s1/s0)^(2t) - 1)."""
        return self.sigma_min * torch.sqrt(torch.expm1(2.0 * self._growth * t))

    def d_alpha(self, t: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """s0^2 (s1/s0)^(2t) log(s1/s0) / sigma; +inf at t = 0."""
        return self.sigma_min**2 * self._growth * torch.exp(2.0 * self._growth * t) / self.sigma(t)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """log(1 + sigma^2 / s0^2) / (2 log(s1/s0)) with sigma^2 = exp(-log_snr)."""
        excess = -log_snr - 2.0 * math.log(self.sigma_min)
        return torch.nn.functional.softplus(excess, threshold=100.0) / (2.0 * self._growth)
