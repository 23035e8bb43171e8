"""z = L w, w ~ N(0, I), L L^T = K along frames, unit diagonal; the entries of a frame stay independent.

Gaussian process priors of forecasting (Kollovieh et al. 2025, TSFlow, arXiv 2410.03024). L is the Cholesky
factor, lower triangular: a frame of noise is made of its own and earlier numbers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.process.noise.base import Noise
from rheos.process.noise.moments import correlation_of, standard_log_prob


class AlongFrames(Noise, ABC):
    """Gaussian noise whose frames are correlated and each have unit variance."""

    @abstractmethod
    def correlation(self, frames: int) -> Tensor:
        """K, float64 `(frames, frames)`, positive definite with unit diagonal."""

    def factor(self, frames: int) -> Tensor:
        """L, the Cholesky factor of K; not to be written to."""
        return _factor(self, frames, 0)

    def draw(
        self,
        key: Key,
        shape: Sequence[int],
        context: Context,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """L times the key's standard normal numbers."""
        return apply(self.factor(shape[0]), key.normal(shape, dtype, device))

    def log_prob(self, z: Tensor, context: Context, known: int = 0) -> Tensor:
        """-(|L^-1 z|^2 + n log 2 pi) / 2 - log |det L|."""
        factor = _factor(self, known + z.shape[1], known)
        w = solve(factor, z)
        spread = math.prod(z.shape[2:]) * float(factor.diagonal().log().sum())
        return standard_log_prob(w) - spread

    @property
    def gaussian(self) -> bool:
        """It is."""
        return True


def apply(factor: Tensor, clip: Tensor) -> Tensor:
    """Factor times a clip `(b, f, *features)` along frames, in the clip's dtype even under autocast."""
    with torch.autocast(clip.device.type, enabled=False):
        return torch.matmul(factor.to(clip), clip.flatten(2)).reshape(clip.shape)


def solve(factor: Tensor, clip: Tensor) -> Tensor:
    """The inverse of :func:`apply` for a lower triangular factor."""
    with torch.autocast(clip.device.type, enabled=False):
        flat = torch.linalg.solve_triangular(factor.to(clip), clip.flatten(2), upper=False)
    return flat.reshape(clip.shape)


@lru_cache(maxsize=32)
def _factor(noise: AlongFrames, frames: int, known: int) -> Tensor:
    return torch.linalg.cholesky(noise.correlation(frames)[known:, known:])


def sample_correlation(clips: Tensor) -> Tensor:
    """The correlation along frames of clips, one for all entries of a frame, float64 `(f, f)`.

    Args:
        clips: `(n, f, *features)`, NaN missing; entries count with their mean, which is that of errors.
    """
    return correlation_of(clips.movedim(1, -1).flatten(0, -2))


def lags(frames: int) -> Tensor:
    """|i - j|, float64 `(frames, frames)`."""
    frame = torch.arange(frames, dtype=torch.float64)
    return (frame[:, None] - frame).abs()


def with_jitter(kernel: Tensor, jitter: float) -> Tensor:
    """(K + jitter I) / (1 + jitter): smooth kernels alone are numerically singular."""
    return (kernel + jitter * torch.eye(len(kernel), dtype=kernel.dtype)) / (1.0 + jitter)
