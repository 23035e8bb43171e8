"""alpha = exp(-q/2), sigma^2 = 1 - exp(-q), q(t) = integral of beta, beta = b0 + t (b1 - b0).

Ho et al. 2020, arXiv 2006.11239, in continuous time: Song et al. 2021, arXiv 2011.13456, eq. 33.
"""

from typing import Literal

import torch
from torch import Tensor

from rheos.process.schedule.linear_rate import LinearRate


class Linear(LinearRate):
    """Variance preserving with noise rate beta growing linearly."""

    kind: Literal["linear"] = "linear"

    @property
    def t_min(self) -> float:
        """Noise of about 0.003."""
        return 1e-4

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - exp(-q))."""
        return torch.sqrt(-torch.expm1(-self.integral(t)))

    def d_sigma(self, t: Tensor) -> Tensor:
        """Beta alpha^2 / (2 sigma); +inf at t = 0."""
        return 0.5 * self.rate(t) * self.alpha(t) ** 2 / self.sigma(t)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """The root of q(t) = log(1 + exp(-log_snr))."""
        return self.time_of(torch.nn.functional.softplus(-log_snr, threshold=100.0))
