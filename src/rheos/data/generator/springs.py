"""Particles on springs of length 0: the energy of a pair is k e_ij r^2 / 2, e_ij = 1 where a spring joins it.

Kipf et al. 2018, arXiv 1802.04687, section 5.1, without walls. The motion is linear, with the normal modes of
the graph's Laplacian: an exact solution.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from rheos.core.keys import Key
from rheos.data.generator.particles import Particles, Real


class Springs(Particles):
    """Particles of which some pairs are joined by springs.

    Attributes:
        strength: k.
        chance: that a pair is joined.
    """

    kind: Literal["springs"] = "springs"
    strength: float = Field(0.1, gt=0)
    chance: float = Field(0.5, ge=0, le=1)

    def force(self, square: Real) -> Real:
        """1."""
        return np.ones_like(square)

    def potential(self, square: Real) -> Real:
        """r^2 / 2."""
        return square / 2

    def couplings(self, key: Key) -> tuple[Real, Real]:
        """K e, and no constants."""
        n = self.particles
        joined = key.uniform((n, n)).numpy() < self.chance
        upper = np.triu(self.strength * joined, 1)
        return upper + upper.swapaxes(-1, -2), np.zeros((self.systems, 0, n))
