"""alpha = exp(-T(t)), alpha^2 + sigma^2 = 1, T(t) = -log(end) I(t) / I(1), I(t) = int_0^t 1 - f/f(0).

f = cos^2((t + s)/(1 + s) pi/2): the reversion rate of IR-SDE (Luo, Gustafsson, Zhao, Sjolund, Schon 2023,
arXiv 2301.11699, section 5.1), dx = theta (mu - x) dt + sqrt(2 theta) dw with theta = T', in continuous time.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule.cosine import CosineAngle

_HALVINGS = 60


class CosineRate(CosineAngle):
    """Variance preserving, forgetting slowly at first, to a stated end.

    Attributes:
        end: alpha at t = 1, the share of the data's deviation from the anchor that generation leaves out.
        offset: s of the cosine.
    """

    kind: Literal["cosine_rate"] = "cosine_rate"
    end: float = Field(default=0.005, gt=0.0, le=0.1)

    @property
    def t_min(self) -> float:
        """Noise of about 0.001 with the default end and offset."""
        return 2e-3

    @property
    def t_max(self) -> float:
        """1, where alpha is `end`."""
        return 1.0

    def _integral(self, t: Tensor) -> Tensor:
        """I(t) cos^2 a, a = b(0): cos 2a (x - sin x) / 4r + sin 2a sin^2(x/2) / 2r with x = 2 r t."""
        x = 2.0 * self._rate * t
        series = x**3 / 6 * (1 - x**2 / 20 * (1 - x**2 / 42 * (1 - x**2 / 72 * (1 - x**2 / 110))))
        lag = torch.where(x < 0.2, series, x - torch.sin(x))
        straight = math.cos(2.0 * self._first) * lag / 4.0
        curved = math.sin(2.0 * self._first) * torch.sin(0.5 * x) ** 2 / 2.0
        return (straight + curved) / self._rate

    @property
    def _scale(self) -> float:
        """-log(end) / (I(1) cos^2 a)."""
        return -math.log(self.end) / float(self._integral(torch.ones((), dtype=torch.float64)))

    def _reversion(self, t: Tensor) -> Tensor:
        """Theta, the derivative of T."""
        turned = self._rate * t
        return self._scale * torch.sin(turned) * torch.sin(turned + 2.0 * self._first)

    def alpha(self, t: Tensor) -> Tensor:
        """exp(-T)."""
        return torch.exp(-self._scale * self._integral(t))

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - exp(-2T))."""
        return torch.sqrt(-torch.expm1(-2.0 * self._scale * self._integral(t)))

    def d_alpha(self, t: Tensor) -> Tensor:
        """-theta alpha."""
        return -self._reversion(t) * self.alpha(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """Theta alpha^2 / sigma; its limit at t = 0 is finite."""
        first = math.sqrt(self._scale * self._rate * math.sin(2.0 * self._first))
        sigma = self.sigma(t)
        inner = self._reversion(t) * self.alpha(t) ** 2 / sigma
        return torch.where(sigma == 0.0, first, inner)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """T = log(1 + exp(-log_snr)) / 2, solved for t by halving [0, 1]."""
        wanted = 0.5 * torch.nn.functional.softplus(-log_snr, threshold=100.0) / self._scale
        low, high = torch.zeros_like(wanted), torch.ones_like(wanted)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            above = self._integral(middle) > wanted
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return torch.where(wanted == 0.0, 0.0, 0.5 * (low + high))
