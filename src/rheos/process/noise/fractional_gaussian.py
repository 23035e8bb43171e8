"""K_ij = (|k + 1|^2H - 2 |k|^2H + |k - 1|^2H) / 2, k = i - j: increments of fractional Brownian motion.

Mandelbrot and Van Ness 1968, doi:10.1137/1010093; as the noise of a diffusion model, Nobis et al. 2024,
arXiv 2310.17638. H = 1/2 is white, more persists, less reverts.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from rheos.process.noise.along_frames import lags
from rheos.process.noise.fractional import Fractional


class FractionalGaussian(Fractional):
    """Fractional Gaussian noise: memory that falls like a power of the lag; H above 1/2 persists."""

    kind: Literal["fractional_gaussian"] = "fractional_gaussian"
    hurst: Annotated[float, Field(gt=0.0, lt=0.99)] | Literal["measured"] = 0.7

    def correlation(self, frames: int) -> Tensor:
        """The exact covariance of unit increments."""
        lag, power = lags(frames), 2.0 * self.index
        return 0.5 * ((lag + 1.0) ** power - 2.0 * lag**power + (lag - 1.0).abs() ** power)
