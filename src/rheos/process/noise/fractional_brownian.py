"""K_ij = (i^2H + j^2H - |i - j|^2H) / (2 i^H j^H), i, j = 1, 2, ...: fractional Brownian motion.

Mandelbrot and Van Ness 1968, doi:10.1137/1010093, each frame scaled to unit variance; as a driver of latent
dynamics, Daems et al. 2024, arXiv 2310.12975. H = 1/2 is Brownian motion.
"""

from typing import Literal

import torch
from torch import Tensor

from rheos.process.noise.along_frames import lags
from rheos.process.noise.fractional import Fractional


class FractionalBrownian(Fractional):
    """Fractional Brownian motion from just before the oldest frame, each frame scaled to unit variance.

    H above 1/2 is smoother than Brownian motion, below it rougher.
    """

    kind: Literal["fractional_brownian"] = "fractional_brownian"

    def correlation(self, frames: int) -> Tensor:
        """The exact covariance over its diagonal."""
        power = torch.arange(1, frames + 1, dtype=torch.float64) ** (2.0 * self.index)
        covariance = 0.5 * (power[:, None] + power - lags(frames) ** (2.0 * self.index))
        return covariance * torch.rsqrt(power[:, None] * power)
