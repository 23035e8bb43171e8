"""Base noises: where generation starts."""

from rheos.process.noise.base import Noise
from rheos.process.noise.white import White

NOISES: tuple[type[Noise], ...] = (White,)

__all__ = ["NOISES", "Noise", "White"]
