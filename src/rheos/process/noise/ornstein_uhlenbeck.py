"""K_ij = exp(-|i - j| / length): z_k = r z_{k-1} + sqrt(1 - r^2) w_k, r = exp(-1/length).

The Ornstein-Uhlenbeck prior of TSFlow (Kollovieh et al. 2025, arXiv 2410.03024, section 3.2).
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.noise.along_frames import AlongFrames, lags


class OrnsteinUhlenbeck(AlongFrames):
    """Noise that forgets: a first-order autoregression along frames.

    Attributes:
        length: frames after which the correlation has fallen to 1/e.
    """

    kind: Literal["ornstein_uhlenbeck"] = "ornstein_uhlenbeck"
    length: float = Field(default=4.0, gt=0.0, le=1e4)

    def correlation(self, frames: int) -> Tensor:
        """exp(-|i - j| / length)."""
        return torch.exp(-lags(frames) / self.length)
