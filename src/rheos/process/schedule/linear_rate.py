"""alpha = exp(-q/2), q(t) = integral of beta = b0 t + (b1 - b0) t^2 / 2: signal forgotten at a linear rate.

What variance preserving and sub-variance preserving diffusion share; they differ in their noise
(Song et al. 2021, arXiv 2011.13456, appendix B).
"""

from abc import ABC

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule.base import Schedule


class LinearRate(Schedule, ABC):
    """Signal whose rate of forgetting, beta, grows linearly.

    Attributes:
        beta_start: b0, rate at t = 0.
        beta_end: b1, rate at t = 1.
    """

    beta_start: float = Field(default=0.1, gt=0.0)
    beta_end: float = Field(default=20.0, gt=0.0)

    @property
    def t_max(self) -> float:
        """The published end, where alpha is 6.6e-3 with the default rates."""
        return 1.0

    def rate(self, t: Tensor) -> Tensor:
        """Beta = b0 + t (b1 - b0)."""
        return self.beta_start + t * (self.beta_end - self.beta_start)

    def integral(self, t: Tensor) -> Tensor:
        """Q, the integral of beta from 0 to t."""
        return self.beta_start * t + 0.5 * (self.beta_end - self.beta_start) * t**2

    def time_of(self, integral: Tensor) -> Tensor:
        """The root t of q(t) = integral, in the form that does not cancel."""
        slope = self.beta_end - self.beta_start
        return 2.0 * integral / (self.beta_start + torch.sqrt(self.beta_start**2 + 2.0 * slope * integral))

    def alpha(self, t: Tensor) -> Tensor:
        """exp(-q/2)."""
        return torch.exp(-0.5 * self.integral(t))

    def d_alpha(self, t: Tensor) -> Tensor:
        """-beta alpha / 2."""
        return -0.5 * self.rate(t) * self.alpha(t)
