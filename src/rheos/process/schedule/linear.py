"""alpha = exp(-q/2), sigma^2 = 1 - exp(-q), q(t) = integral of beta, beta = b0 + t (b1 - b0).

Ho et al. 2020, arXiv 2006.11239, in continuous time: Song et al. 2021, arXiv 2011.13456, eq. 33.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule.base import Schedule


class Linear(Schedule):
    """Variance preserving with noise rate beta growing linearly.

    Attributes:
        beta_start: b0, rate at t = 0.
        beta_end: b1, rate at t = 1.
    """

    kind: Literal["linear"] = "linear"
    beta_start: float = Field(default=0.1, gt=0.0)
    beta_end: float = Field(default=20.0, gt=0.0)

    @property
    def t_min(self) -> float:
        """Noise of about 0.003."""
        return 1e-4

    @property
    def t_max(self) -> float:
        """The published end, where alpha is 6.6e-3 with the default rates."""
        return 1.0

    def _rate(self, t: Tensor) -> Tensor:
        return self.beta_start + t * (self.beta_end - self.beta_start)

    def _integral(self, t: Tensor) -> Tensor:
        return self.beta_start * t + 0.5 * (self.beta_end - self.beta_start) * t**2

    def alpha(self, t: Tensor) -> Tensor:
        """exp(-q/2)."""
        return torch.exp(-0.5 * self._integral(t))

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - exp(-q))."""
        return torch.sqrt(-torch.expm1(-self._integral(t)))

    def d_alpha(self, t: Tensor) -> Tensor:
        """-beta alpha / 2."""
        return -0.5 * self._rate(t) * self.alpha(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """Beta alpha^2 / (2 sigma); +inf at t = 0."""
        return 0.5 * self._rate(t) * self.alpha(t) ** 2 / self.sigma(t)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """The root of q(t) = log(1 + exp(-log_snr)) in the form that does not cancel."""
        integral = torch.nn.functional.softplus(-log_snr, threshold=100.0)
        slope = self.beta_end - self.beta_start
        return 2.0 * integral / (self.beta_start + torch.sqrt(self.beta_start**2 + 2.0 * slope * integral))
