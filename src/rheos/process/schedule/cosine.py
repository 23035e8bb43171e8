"""alpha = cos b(t) / cos a, b(t) = (t + s)/(1 + s) pi/2, a = b(0), alpha^2 + sigma^2 = 1.

Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 17: alpha^2 = f(t)/f(0), f = cos^2 b.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule.base import Schedule


class CosineAngle(Schedule):
    """What schedules made of the angle b(t) share.

    Attributes:
        offset: s, keeps the noise from growing too slowly near t = 0.
    """

    offset: float = Field(default=0.008, ge=0.0, le=0.5)

    @property
    def _rate(self) -> float:
        return math.pi / 2 / (1.0 + self.offset)

    @property
    def _first(self) -> float:
        return self.offset * self._rate


class Cosine(CosineAngle):
    """Variance preserving, squared signal falling as a squared cosine.

    Attributes:
        offset: s, keeps the noise from growing too slowly near t = 0.
    """

    kind: Literal["cosine"] = "cosine"

    @property
    def t_min(self) -> float:
        """Noise of about 0.002, as small as EDM's."""
        return 1e-4

    @property
    def t_max(self) -> float:
        """Stops where alpha >= 1e-3, so that dividing by alpha stays harmless."""
        return 0.999

    def alpha(self, t: Tensor) -> Tensor:
        """cos b / cos a."""
        return torch.cos(self._first + self._rate * t) / math.cos(self._first)

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(sin(b - a) sin(b + a)) / cos a, which is sqrt(1 - alpha^2) without cancellation."""
        turned = self._rate * t
        product = torch.sin(turned) * torch.sin(turned + 2.0 * self._first)
        return torch.sqrt(product) / math.cos(self._first)

    def d_alpha(self, t: Tensor) -> Tensor:
        """-b' sin b / cos a."""
        return -self._rate * torch.sin(self._first + self._rate * t) / math.cos(self._first)

    def d_sigma(self, t: Tensor) -> Tensor:
        """b' sin b cos b / (cos^2 a sigma); at t = 0 +inf, or b' where the offset is 0."""
        if self.offset == 0.0:
            return self._rate * torch.cos(self._rate * t)
        return -self.alpha(t) * self.d_alpha(t) / self.sigma(t)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Cos^2 b = cos^2 a sigmoid(log_snr), and sin^2 b = 1 - cos^2 b as a sum of positive terms."""
        squared = math.cos(self._first) ** 2
        sine = torch.sqrt(math.sin(self._first) ** 2 + squared * torch.sigmoid(-log_snr))
        cosine = torch.sqrt(squared * torch.sigmoid(log_snr))
        return ((torch.atan2(sine, cosine) - self._first) / self._rate).clamp(0.0, 1.0)
