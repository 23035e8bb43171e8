"""Lorenz' chaotic systems, integrated by the classical fourth-order Runge-Kutta method.

    1963:  dx/dt = s (y - x),  dy/dt = x (r - z) - y,  dz/dt = x y - b z
    1996:  dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F, indices modulo n

Lorenz, "Deterministic nonperiodic flow", J. Atmos. Sci. 20, 1963, eqs. 25-27; Lorenz, "Predictability: a
problem partly solved", ECMWF Seminar 1996, eq. 1.
"""

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


def runge_kutta(rate: Callable[[Real], Real], state: Real, dt: float, steps: int) -> Real:
    """Advance `dx/dt = rate(x)` by `steps` classical fourth-order steps of length `dt`."""
    for _ in range(steps):
        k1 = rate(state)
        k2 = rate(state + dt / 2 * k1)
        k3 = rate(state + dt / 2 * k2)
        k4 = rate(state + dt * k3)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def _record(
    rate: Callable[[Real], Real], start: Real, frames: int, interval: float, dt: float, spin_up: float
) -> Real:
    """Frames `(trajectories, frames, n)` after the spin-up."""
    spin, inner = (int(np.ceil(length / dt)) for length in (spin_up, interval))
    state = runge_kutta(rate, start, spin_up / max(spin, 1), spin)
    rows = [state]
    for _ in range(frames - 1):
        state = runge_kutta(rate, state, interval / inner, inner)
        rows.append(state)
    return np.stack(rows, axis=1)


def _dataset(values: Real, channels: tuple[str, ...], title: str, name: str) -> Dataset:
    names = [f"{name}-{i}" for i in range(len(values))] if len(values) > 1 else [""]
    layout = Layout(
        channels=channels, attributes={"title": title, "source": f"rheos.data.generator.lorenz.{name}"}
    )
    return Dataset(
        layout=layout, recordings=tuple(Recording.of(v, name=n) for v, n in zip(values, names, strict=True))
    )


class Lorenz63(Method):
    """Three variables, two wings: Lorenz' convection model of 1963.

    dx/dt = s (y - x),  dy/dt = x (r - z) - y,  dz/dt = x y - b z.

    Attributes:
        frames: frames of each trajectory.
        trajectories: independent starts, one recording each.
        interval: time between frames; a wing is circled in about 0.75.
        dt: longest time step.
        spin_up: time integrated and thrown away before the first frame.
        prandtl: s.
        rayleigh: r.
        aspect: b.
    """

    kind: Literal["lorenz63"] = "lorenz63"
    frames: int = Field(1000, ge=1)
    trajectories: int = Field(1, ge=1)
    interval: float = Field(0.1, gt=0)
    dt: float = Field(0.01, gt=0)
    spin_up: float = Field(20.0, ge=0)
    prandtl: float = 10.0
    rayleigh: float = 28.0
    aspect: float = 8.0 / 3.0

    def rate(self, state: Real) -> Real:
        """dx/dt of states `(..., 3)`."""
        x, y, z = np.moveaxis(state, -1, 0)
        return np.stack(
            (self.prandtl * (y - x), x * (self.rayleigh - z) - y, x * y - self.aspect * z), axis=-1
        )

    def generate(self, seed: int = 0) -> Dataset:
        """A series data set with channels x, y, z, values float64 `(frames, 3)` a recording."""
        key = Key.of(seed, self.trajectories, self.kind).at(Purpose.DATA)
        start = key.normal((3,), dtype=torch.float64).numpy() + np.array([0.0, 0.0, 25.0])
        values = _record(self.rate, start, self.frames, self.interval, self.dt, self.spin_up)
        return _dataset(values, ("x", "y", "z"), "Lorenz 1963", self.kind)


class Lorenz96(Method):
    """A ring of sites with advection, damping and a constant force: Lorenz' model of 1996.

    dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F, indices modulo n.

    Attributes:
        sites: n, at least 4.
        frames: frames of each trajectory.
        trajectories: independent starts, one recording each.
        interval: time between frames; 0.05 is likened to six hours of weather.
        dt: longest time step.
        spin_up: time integrated and thrown away before the first frame.
        force: F, chaotic from about 4 on.
    """

    kind: Literal["lorenz96"] = "lorenz96"
    sites: int = Field(40, ge=4)
    frames: int = Field(1000, ge=1)
    trajectories: int = Field(1, ge=1)
    interval: float = Field(0.1, gt=0)
    dt: float = Field(0.02, gt=0)
    spin_up: float = Field(20.0, ge=0)
    force: float = 8.0

    def rate(self, state: Real) -> Real:
        """dx/dt of states `(..., sites)`."""
        ahead, behind, further = (np.roll(state, shift, -1) for shift in (-1, 1, 2))
        return (ahead - further) * behind - state + self.force

    def generate(self, seed: int = 0) -> Dataset:
        """A series data set with a channel a site, values float64 `(frames, sites)` a recording."""
        key = Key.of(seed, self.trajectories, self.kind).at(Purpose.DATA)
        start = self.force + key.normal((self.sites,), dtype=torch.float64).numpy()
        values = _record(self.rate, start, self.frames, self.interval, self.dt, self.spin_up)
        channels = tuple(f"x{i}" for i in range(self.sites))
        return _dataset(values, channels, "Lorenz 1996", self.kind)
