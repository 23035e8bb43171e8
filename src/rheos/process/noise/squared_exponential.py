"""K_ij = exp(-(i - j)^2 / (2 length^2)), plus a little white noise.

The squared exponential prior of TSFlow (Kollovieh et al. 2025, arXiv 2410.03024, section 3.2).
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.noise.along_frames import AlongFrames, lags, with_jitter


class SquaredExponential(AlongFrames):
    """Smooth noise along frames.

    Attributes:
        length: frames over which it stays alike.
        jitter: variance of the white noise added to it, before both are scaled to 1.
    """

    kind: Literal["squared_exponential"] = "squared_exponential"
    length: float = Field(default=4.0, gt=0.0, le=1e4)
    jitter: float = Field(default=1e-4, ge=1e-6, le=1.0)

    def correlation(self, frames: int) -> Tensor:
        """exp(-lag^2 / (2 length^2)) with its jitter."""
        return with_jitter(torch.exp(-0.5 * (lags(frames) / self.length) ** 2), self.jitter)
