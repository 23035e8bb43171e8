"""alpha = r^2, sigma = spread (1 - r) sqrt(r), r = 1 - t: a bridge that starts with no noise at all.

The interpolant of Chen, Goldstein, Hua, Albergo, Boffi, Vanden-Eijnden 2024, arXiv 2403.13724, from the state
known, x_c, to the one to come: x_r = (1 - r) x_c + r^2 x_n + (1 - r) W_r, less its first term, which
:class:`~rheos.process.coordinates.bridge.Bridge` adds. Noise grows and falls again; noise over signal only
falls, so every solver goes with it.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule.base import Schedule

_HALVINGS = 60


class Follmer(Schedule):
    """Signal that grows from nothing under the noise of a Brownian bridge.

    Attributes:
        spread: of the Brownian motion, in standard deviations of the data; all spreads draw the same law.
    """

    kind: Literal["follmer"] = "follmer"
    spread: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)

    @property
    def t_min(self) -> float:
        """Noise of about 0.002."""
        return 2e-3

    @property
    def t_max(self) -> float:
        """Just after the start, where signal is 3e-5 of what noise there is."""
        return 0.999

    def alpha(self, t: Tensor) -> Tensor:
        """(1 - t)^2."""
        return (1.0 - t) ** 2

    def sigma(self, t: Tensor) -> Tensor:
        """Spread t sqrt(1 - t)."""
        return self.spread * t * torch.sqrt(1.0 - t)

    def d_alpha(self, t: Tensor) -> Tensor:
        """-2 (1 - t)."""
        return -2.0 * (1.0 - t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """Spread (1 - 3t/2) / sqrt(1 - t); -inf at t = 1."""
        return self.spread * (1.0 - 1.5 * t) / torch.sqrt(1.0 - t)

    def log_snr(self, t: Tensor) -> Tensor:
        """3 log(1 - t) - 2 log(spread t)."""
        return 3.0 * torch.log(1.0 - t) - 2.0 * torch.log(self.spread * t)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """The log-SNR has no inverse in closed form: [0, 1] is halved."""
        low, high = torch.zeros_like(log_snr), torch.ones_like(log_snr)
        wanted = log_snr + 2.0 * math.log(self.spread)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            early = 3.0 * torch.log1p(-middle) - 2.0 * torch.log(middle) > wanted
            low, high = torch.where(early, middle, low), torch.where(early, high, middle)
        return 0.5 * (low + high)
