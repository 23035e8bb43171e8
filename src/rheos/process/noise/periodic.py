"""K_ij = exp(-2 sin^2(pi (i - j) / period) / length^2), plus a little white noise.

The periodic prior of TSFlow (Kollovieh et al. 2025, arXiv 2410.03024, section 3.2).
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.noise.along_frames import AlongFrames, lags, with_jitter


class Periodic(AlongFrames):
    """Noise that nearly repeats itself every period.

    Attributes:
        period: in frames.
        length: smoothness within a period; the smaller the rougher.
        jitter: variance of the white noise added to it, before both are scaled to 1.
    """

    kind: Literal["periodic"] = "periodic"
    period: float = Field(default=24.0, gt=1.0)
    length: float = Field(default=1.0, gt=0.0)
    jitter: float = Field(default=1e-4, ge=1e-6, le=1.0)

    def correlation(self, frames: int) -> Tensor:
        """exp(-2 sin^2(pi lag / period) / length^2) with its jitter."""
        sine = torch.sin(math.pi * lags(frames) / self.period)
        return with_jitter(torch.exp(-2.0 * (sine / self.length) ** 2), self.jitter)
