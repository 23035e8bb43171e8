"""alpha = exp(-q/2), sigma = 1 - exp(-q), q(t) = integral of beta, beta = b0 + t (b1 - b0).

dx = -beta/2 x dt + sqrt(beta (1 - exp(-2q))) dw: Song et al. 2021, arXiv 2011.13456, equation 12. Its
variance never exceeds that of the variance preserving process, which helps the likelihood.
"""

from typing import Literal

import torch
from torch import Tensor

from rheos.process.schedule.linear_rate import LinearRate


class SubVP(LinearRate):
    """Sub-variance preserving: the signal of `linear` under less noise."""

    kind: Literal["sub_vp"] = "sub_vp"

    @property
    def t_min(self) -> float:
        """Noise of about 0.002 with the default rates."""
        return 1e-2

    def sigma(self, t: Tensor) -> Tensor:
        """1 - exp(-q)."""
        return -torch.expm1(-self.integral(t))

    def d_sigma(self, t: Tensor) -> Tensor:
        """Beta alpha^2."""
        return self.rate(t) * self.alpha(t) ** 2

    def time_at(self, log_snr: Tensor) -> Tensor:
        """sigma / alpha = 2 sinh(q/2), so q = 2 asinh(exp(-log_snr/2) / 2)."""
        return self.time_of(2.0 * torch.asinh(0.5 * torch.exp(-0.5 * log_snr)))
