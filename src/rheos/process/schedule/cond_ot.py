"""alpha = 1 - t, sigma = t.

Lipman et al. 2022, arXiv 2210.02747; rectified flow, Liu et al. 2022, arXiv 2209.03003.
"""

from typing import Literal

import torch
from torch import Tensor

from rheos.process.schedule.base import Schedule


class CondOT(Schedule):
    """Straight lines from data to noise (conditional optimal transport, rectified flow)."""

    kind: Literal["cond_ot"] = "cond_ot"

    @property
    def t_min(self) -> float:
        """Noise of 0.001."""
        return 1e-3

    @property
    def t_max(self) -> float:
        """Just short of 1, so that log_snr is finite; starting there from noise alone drops 1e-4 u_0."""
        return 0.9999

    def alpha(self, t: Tensor) -> Tensor:
        """1 - t."""
        return 1.0 - t

    def sigma(self, t: Tensor) -> Tensor:
        """T itself."""
        return t.clone()

    def d_alpha(self, t: Tensor) -> Tensor:
        """-1."""
        return -torch.ones_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(t)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """sigmoid(-log_snr / 2)."""
        return torch.sigmoid(-0.5 * log_snr)
