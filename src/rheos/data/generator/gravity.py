"""Bodies of mass 1 under gravity: the energy of a pair is -G / sqrt(r^2 + s^2), softened at s (Plummer).

Ten bodies that start about their common center of mass, as in Brandstetter et al. 2022, arXiv 2110.02905,
section 5.1.
"""

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from rheos.core.keys import Key
from rheos.data.generator.particles import Real, Softened


class Gravity(Softened):
    """Bodies under their own gravity.

    Attributes:
        speed: standard deviation of each component of the first velocities.
    """

    kind: Literal["gravity"] = "gravity"
    particles: int = Field(10, ge=2)
    softening: float = Field(0.2, ge=0)
    speed: float = Field(1.0, ge=0)

    def start(self, key: Key) -> tuple[Real, Real]:
        """Normal positions and velocities, the center of mass at rest."""
        drawn = key.normal((2, self.particles, self.dimensions), dtype=torch.float64).numpy()
        velocity = self.speed * drawn[:, 1]
        return drawn[:, 0], velocity - velocity.mean(1, keepdims=True)

    def couplings(self, key: Key) -> tuple[Real, Real]:
        """G for every pair, and no constants."""
        masses = np.ones((self.systems, self.particles))
        return self.pairs(masses, masses), np.zeros((self.systems, 0, self.particles))
