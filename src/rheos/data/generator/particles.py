"""Particles that pull on each other in pairs, moved by the leapfrog.

    m_i d^2 x_i / dt^2 = - sum_j c_ij f(r_ij^2) (x_i - x_j),    r_ij = |x_i - x_j|,  c_ij = c_ji

    v += dt/2 a(x),  x += dt v,  v += dt/2 a(x)

(Stoermer-Verlet; Hairer, Lubich and Wanner, Acta Numerica 12, 2003): symplectic, of second order, the same
backwards; momentum and angular momentum are kept exactly, energy to O(dt^2) for all times. Starts are those
of Kipf et al. 2018, arXiv 1802.04687, in three dimensions as in Satorras et al. 2021, arXiv 2102.09844.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.data.dataset import Dataset, Layout, Recording

Real = NDArray[np.float64]


def leapfrog(
    acceleration: Callable[[Real], Real], position: Real, velocity: Real, dt: float, steps: int
) -> tuple[Real, Real]:
    """Advance positions and velocities by `steps` kick-drift-kick steps of length `dt`."""
    pull = acceleration(position)
    for _ in range(steps):
        velocity = velocity + dt / 2 * pull
        position = position + dt * velocity
        pull = acceleration(position)
        velocity = velocity + dt / 2 * pull
    return position, velocity


class Particles(Method):
    """Base of the systems of particles; positions are recorded, the channels x, y and z.

    Attributes:
        particles: in each system.
        frames: of each system.
        systems: independent starts, one recording each.
        dimensions: of space.
        interval: time between frames.
        dt: longest time step.
        speed: of every particle at the start.
    """

    particles: int = Field(5, ge=2)
    frames: int = Field(30, ge=1)
    systems: int = Field(100, ge=1)
    dimensions: Literal[2, 3] = 3
    interval: float = Field(0.1, gt=0)
    dt: float = Field(0.001, gt=0)
    speed: float = Field(0.5, ge=0)

    @abstractmethod
    def force(self, square: Real) -> Real:
        """f of squared distances."""

    @abstractmethod
    def potential(self, square: Real) -> Real:
        """g of squared distances, with g' = f / 2: the energy of a pair is c_ij g."""

    @abstractmethod
    def couplings(self, key: Key) -> tuple[Real, Real]:
        """c `(systems, n, n)`, 0 on the diagonal, and constants of the particles `(systems, k, n)`."""

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the constants of a particle."""
        return ()

    def acceleration(self, position: Real, coupling: Real) -> Real:
        """Of particles `(..., n, dimensions)` of mass 1."""
        pull = coupling * self.force(_squares(position))
        return pull @ position - pull.sum(-1)[..., None] * position

    def energy(self, position: Real, velocity: Real, coupling: Real) -> Real:
        """Kinetic and potential energy of each system."""
        pairs = (coupling * self.potential(_squares(position))).sum((-2, -1)) / 2
        return (velocity**2).sum((-2, -1)) / 2 + pairs

    def start(self, key: Key) -> tuple[Real, Real]:
        """Positions and velocities `(systems, n, dimensions)`."""
        shape = (self.particles, self.dimensions)
        drawn = key.normal((2, *shape), dtype=torch.float64).numpy()
        position, direction = drawn[:, 0], drawn[:, 1]
        return position, self.speed * direction / np.linalg.norm(direction, axis=-1, keepdims=True)

    def generate(self, seed: int = 0) -> Dataset:
        """A trajectory data set, values float64 `(frames, dimensions, particles)` a recording."""
        key = Key.of(seed, self.systems, self.name()).at(Purpose.DATA)
        position, velocity = self.start(key)
        coupling, constants = self.couplings(key.at(Purpose.DATA, 1))
        inner = int(np.ceil(self.interval / self.dt))
        rows = [position]
        for _ in range(self.frames - 1):
            position, velocity = leapfrog(
                lambda x: self.acceleration(x, coupling), position, velocity, self.interval / inner, inner
            )
            rows.append(position)
        values = np.stack(rows, axis=1).swapaxes(-1, -2)
        names = [f"{self.name()}-{i}" for i in range(self.systems)] if self.systems > 1 else [""]
        recordings = tuple(
            Recording.of(v, name=n, static=c.ravel())
            for v, n, c in zip(values, names, constants, strict=True)
        )
        return Dataset(layout=self._layout(), recordings=recordings)

    def _layout(self) -> Layout:
        agents = np.array([str(i) for i in range(self.particles)])
        return Layout(
            kind="trajectory",
            dims=("channel", "agent"),
            channels=("x", "y", "z")[: self.dimensions],
            coords={"agent": agents},
            static=tuple(f"{constant}[{agent}]" for constant in self.constants for agent in agents),
            periodic=(False,),
            attributes={"title": self.summary().rstrip("."), "source": f"rheos.data.generator.{self.name()}"},
        )


def _squares(position: Real) -> Real:
    """Squared distances of all pairs `(..., n, n)`; 1 on the diagonal, where c is 0."""
    apart = position[..., :, None, :] - position[..., None, :, :]
    return np.asarray((apart**2).sum(-1) + np.eye(position.shape[-2]))


class Softened(Particles):
    """Base of the systems whose pairs have the energy c_ij / sqrt(r^2 + s^2), up to its sign.

    Attributes:
        strength: of the force.
        softening: s, the distance below which the force grows no more.
    """

    strength: float = Field(1.0, gt=0)
    softening: float = Field(0.1, ge=0)

    def force(self, square: Real) -> Real:
        """(r^2 + s^2)^(-3/2), attraction where c > 0."""
        return (square + self.softening**2) ** -1.5

    def potential(self, square: Real) -> Real:
        """-(r^2 + s^2)^(-1/2)."""
        return -((square + self.softening**2) ** -0.5)

    def pairs(self, first: Real, second: Real) -> Real:
        """Strength times the products `first_i second_j`, 0 for i = j: nothing pulls on itself."""
        return self.strength * first[..., :, None] * second[..., None, :] * (1 - np.eye(first.shape[-1]))
