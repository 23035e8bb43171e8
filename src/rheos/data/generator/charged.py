"""Charged particles: the energy of a pair is k q_i q_j / sqrt(r^2 + s^2), Coulomb's law softened at s.

Kipf et al. 2018, arXiv 1802.04687, section 5.1, charges +1 or -1; in three dimensions Satorras et al. 2021,
arXiv 2102.09844, section 5.1. There forces are cut off at close encounters, which feeds the system energy;
here they are softened, so that energy is kept.
"""

from typing import Literal

from rheos.core.keys import Key
from rheos.data.generator.particles import Real, Softened


class Charged(Softened):
    """Charged particles that attract and repel each other, of charge +1 or -1."""

    kind: Literal["charged"] = "charged"

    @property
    def constants(self) -> tuple[str, ...]:
        """The charge."""
        return ("charge",)

    def couplings(self, key: Key) -> tuple[Real, Real]:
        """-k q_i q_j, and the charges."""
        charge = 2.0 * key.integers(2, self.particles).numpy() - 1.0
        return self.pairs(-charge, charge), charge[:, None]
