"""alpha = 1 - w, sigma^2 = start^2 w^2 + latent^2 w (1 - w): from a known start to data, noise on the way.

The two-sided stochastic interpolant of Albergo, Boffi, Vanden-Eijnden 2023, arXiv 2303.08797, with
gamma^2 = latent^2 w (1 - w), given where it starts: between x_a = anchor + start w' and the data x_b it is

    (1 - w) x_b + w x_a + gamma z = anchor + (1 - w) (x_b - anchor) + sigma z',

because the noises w' and z add up to one of variance sigma^2. So about the anchor it is ordinary diffusion.
Their time is 1 - w; with w = sin^2(pi t / 2) noise has a finite slope at both ends. Where the start is
unknown to the network it is :class:`~rheos.process.two_sided.TwoSided`.
"""

import math
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from rheos.process.schedule.base import Schedule

_HALF = 0.5 * math.pi
_CLEAREST, _NOISIEST = 12.4, -18.4  # log_snr: noise 0.002 of the signal, signal 1e-4 of the noise


class Interpolant(Schedule):
    """Straight lines from a known start to the data, under noise that is there on the way only.

    Attributes:
        start: spread of the start about the anchor, in standard deviations of the data; 0 is a point.
        latent: of the noise on the way; 0 with start = 1 is conditional optimal transport. All draw the
            same law.
    """

    kind: Literal["interpolant"] = "interpolant"
    start: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    latent: float = Field(default=1.0, ge=0.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _something_is_random(self) -> Self:
        if self.start == 0.0 and self.latent == 0.0:
            raise ValueError(
                "start=0 and latent=0 leave no noise, and one point goes to one future without it; give one "
                "of them"
            )
        return self

    @property
    def t_min(self) -> float:
        """Noise that is 0.002 of the signal."""
        return float(self.time_at(torch.tensor(_CLEAREST, dtype=torch.float64)))

    @property
    def t_max(self) -> float:
        """Signal that is 1e-4 of the noise: starting there from noise alone drops no more."""
        return float(self.time_at(torch.tensor(_NOISIEST, dtype=torch.float64)))

    def alpha(self, t: Tensor) -> Tensor:
        """cos^2(pi t / 2)."""
        return torch.cos(_HALF * t) ** 2

    def _root(self, t: Tensor) -> Tensor:
        """sigma / sin(pi t / 2)."""
        return torch.hypot(self.start * torch.sin(_HALF * t), self.latent * torch.cos(_HALF * t))

    def sigma(self, t: Tensor) -> Tensor:
        """sin(pi t / 2) sqrt(start^2 sin^2(pi t / 2) + latent^2 cos^2(pi t / 2))."""
        return torch.sin(_HALF * t) * self._root(t)

    def d_alpha(self, t: Tensor) -> Tensor:
        """-pi / 2 sin(pi t)."""
        return -_HALF * torch.sin(2.0 * _HALF * t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """pi / 2 cos(pi t / 2) (root + (start^2 - latent^2) sin^2(pi t / 2) / root)."""
        if self.latent == 0.0:
            return _HALF * self.start * torch.sin(2.0 * _HALF * t)
        root, grown = self._root(t), (self.start**2 - self.latent**2) * torch.sin(_HALF * t) ** 2
        return _HALF * torch.cos(_HALF * t) / root * (root**2 + grown)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """With x = (1 - w) / w and R = alpha / sigma: x^2 = R^2 (start^2 + latent^2 x)."""
        # Finite, or nothing times it would be no number; at 600 the time is 0 to all digits that matter.
        ratio = torch.exp(0.5 * log_snr.clamp(max=600.0))
        curved = (self.latent * ratio) ** 2
        x = 0.5 * (curved + torch.hypot(curved, 2.0 * self.start * ratio))
        return torch.atan2(torch.ones_like(x), x.sqrt()) / _HALF
