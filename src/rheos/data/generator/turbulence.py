"""Two-dimensional turbulence: the Navier-Stokes equation of vorticity w on the square [0, 2 pi)^2.

    dw/dt + u dw/dx + v dw/dy = nu Lap(w) - mu w - A k cos(k y),    u = d psi/dy, v = -d psi/dx, Lap(psi) = -w

Pseudo-spectral: derivatives exact in Fourier space, products on the grid with the 2/3 rule against
aliasing (Orszag, J. Atmos. Sci. 28, 1971), classical fourth-order Runge-Kutta in which viscosity nu and
drag mu are integrated exactly (integrating factor; Canuto et al., Spectral Methods, 2006, 3.3). The
large-scale force is Kolmogorov's (k waves along y), under which the flow is chaotic and statistically
steady (Chandler and Kerswell, J. Fluid Mech. 722, 2013).
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import fft

from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.data.dataset import Dataset, Layout, Recording

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

_START_POINTS = 16  # the random start lives on the waves that this grid resolves


@dataclass(frozen=True, slots=True)
class VorticityFlow:
    """The equation of motion on a grid; fields are real Fourier transforms `(..., n, n // 2 + 1)`, y first.

    Attributes:
        points: n, grid points along each side, even.
        viscosity: nu.
        drag: mu.
        amplitude: A, force per mass of the Kolmogorov force.
        waves: k, its periods along y.
    """

    points: int
    viscosity: float = 0.0
    drag: float = 0.0
    amplitude: float = 0.0
    waves: int = 4

    @property
    def wavenumbers(self) -> tuple[Real, Real]:
        """Wave numbers along y `(n, 1)` and along x `(1, n // 2 + 1)`."""
        n = self.points
        along_x = np.arange(n // 2 + 1, dtype=np.float64)
        along_y = np.where(np.arange(n) < n // 2, np.arange(n), np.arange(n) - n).astype(np.float64)
        return along_y[:, None], along_x[None]

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """The waves that the 2/3 rule keeps, `(n, n // 2 + 1)`."""
        ky, kx = self.wavenumbers
        return (np.abs(ky) < self.points / 3) & (kx < self.points / 3)

    def to_grid(self, spectrum: Complex) -> Real:
        """Values on the grid `(..., n, n)`."""
        return fft.irfft2(spectrum, s=(self.points, self.points))

    def to_spectrum(self, values: Real) -> Complex:
        """The resolved waves of a field on the grid."""
        return fft.rfft2(values) * self.resolved

    def velocity(self, vorticity: Complex) -> tuple[Complex, Complex]:
        """Velocity (u along x, v along y) that has this vorticity and no divergence."""
        ky, kx = self.wavenumbers
        square = kx**2 + ky**2
        square[0, 0] = 1.0
        stream = vorticity / square
        return 1j * ky * stream, -1j * kx * stream

    @property
    def force(self) -> Complex:
        """The curl of the Kolmogorov force A sin(k y) along x."""
        y = np.arange(self.points) * (2 * np.pi / self.points)
        curl = -self.amplitude * self.waves * np.cos(self.waves * y)
        return self.to_spectrum(np.repeat(curl[:, None], self.points, 1))

    def integrate(self, vorticity: Complex, dt: float, steps: int) -> Complex:
        """Advance the flow by `steps` steps of length `dt`; any leading axes run side by side."""
        ky, kx = self.wavenumbers
        half = np.exp(-(self.viscosity * (kx**2 + ky**2) + self.drag) * (dt / 2))
        full = half**2
        resolved, force = self.resolved, self.force
        gradient_y, gradient_x = 1j * ky, 1j * kx

        def rate(w: Complex) -> Complex:
            u, v = self.velocity(w)
            # Four fields in one call: the transform is most of the work.
            grid = self.to_grid(np.stack((u, v, gradient_x * w, gradient_y * w)))
            advection = grid[0] * grid[2] + grid[1] * grid[3]
            return force - fft.rfft2(advection) * resolved

        w = vorticity
        for _ in range(steps):
            # The change of variables w exp(-L t) takes L out of the stages (Canuto et al., 3.3).
            k1 = rate(w)
            k2 = rate(half * (w + dt / 2 * k1))
            k3 = rate(half * w + dt / 2 * k2)
            k4 = rate(full * w + dt * half * k3)
            w = full * (w + dt / 6 * k1) + dt / 3 * half * (k2 + k3) + dt / 6 * k4
        return w


def coarsen(spectrum: Complex, points: int) -> Complex:
    """Keep the waves that a grid of `points` a side can hold, rescaled for its transform.

    Args:
        spectrum: `(..., n, n // 2 + 1)`, n even.
        points: m <= n, even; waves of m / 2 and more periods are dropped.

    Returns:
        The spectrum `(..., m, m // 2 + 1)`.
    """
    n, half = spectrum.shape[-2], points // 2
    if points == n:
        return spectrum
    kept = np.zeros((*spectrum.shape[:-2], points, half + 1), spectrum.dtype)
    kept[..., :half, :half] = spectrum[..., :half, :half]
    kept[..., -half + 1 :, :half] = spectrum[..., n - half + 1 :, :half]
    return kept * (points / n) ** 2


class Turbulence(Method):
    """Chaotic two-dimensional flow under a steady large-scale force; one channel, vorticity in 1/s.

    Attributes:
        frames: frames of each trajectory.
        size: grid points along each side of the frames, even.
        trajectories: independent flows, one recording each.
        interval: time between frames; the default flow forgets itself in some 10 frames.
        viscosity: nu; the default is resolved by 64 points a side.
        drag: mu.
        amplitude: A.
        waves: k.
        spin_up: time integrated and thrown away before the first frame.
        dt: longest time step.
    """

    kind: Literal["turbulence"] = "turbulence"
    frames: int = Field(200, ge=1)
    size: int = Field(32, ge=8, le=512, multiple_of=2)
    trajectories: int = Field(8, ge=1)
    interval: float = Field(0.2, gt=0)
    viscosity: float = Field(5e-3, ge=0)
    drag: float = Field(0.1, ge=0)
    amplitude: float = 1.0
    waves: int = Field(4, ge=1)
    spin_up: float = Field(20.0, ge=0)
    dt: float = Field(0.025, gt=0)

    @model_validator(mode="after")
    def _waves_fit(self) -> Self:
        if self.waves >= self.size // 2:
            raise ValueError(f"waves={self.waves} do not fit on size={self.size}; give fewer than size / 2.")
        return self

    @property
    def flow(self) -> VorticityFlow:
        """The equation integrated, on at least 64 points a side whatever the size of the frames."""
        return VorticityFlow(max(self.size, 64), self.viscosity, self.drag, self.amplitude, self.waves)

    def _start(self, seed: int) -> Complex:
        """A random smooth vorticity of unit root-mean-square velocity, the same at any resolution."""
        flow = self.flow
        key = Key.of(seed, self.trajectories, "turbulence").at(Purpose.DATA)
        points, half = _START_POINTS, _START_POINTS // 2
        noise = VorticityFlow(points).to_spectrum(key.normal((points, points), dtype=torch.float64).numpy())
        noise[:, 0, 0] = 0.0
        spectrum = np.zeros((self.trajectories, flow.points, flow.points // 2 + 1), np.complex128)
        spectrum[:, :half, :half] = noise[:, :half, :half]
        spectrum[:, -half + 1 :, :half] = noise[:, -half + 1 :, :half]
        u, v = (flow.to_grid(part) for part in flow.velocity(spectrum))
        speed = np.sqrt((u**2 + v**2).mean((1, 2), keepdims=True))
        return spectrum / speed

    def generate(self, seed: int = 0) -> Dataset:
        """Integrate the flows; a trajectory depends on the seed and its number, not on how many there are.

        Returns:
            A field data set, one recording a trajectory, values float32 `(frames, 1, size, size)`.
        """
        flow = self.flow
        w = self._start(seed)
        spin = int(np.ceil(self.spin_up / self.dt))
        w = flow.integrate(w, self.spin_up / max(spin, 1), spin)
        inner = int(np.ceil(self.interval / self.dt))
        grid = VorticityFlow(self.size)
        values = np.empty((self.trajectories, self.frames, 1, self.size, self.size), np.float32)
        for frame in range(self.frames):
            if frame:
                w = flow.integrate(w, self.interval / inner, inner)
            values[:, frame, 0] = grid.to_grid(coarsen(w, self.size))
        names = [f"flow-{i}" for i in range(self.trajectories)] if self.trajectories > 1 else [""]
        recordings = tuple(Recording.of(v, name=n) for v, n in zip(values, names, strict=True))
        return Dataset(layout=self._layout(), recordings=recordings)

    def _layout(self) -> Layout:
        axis = np.arange(self.size) * (2 * np.pi / self.size)
        return Layout(
            kind="field",
            dims=("channel", "y", "x"),
            channels=("vorticity",),
            units=("1/s",),
            coords={"y": axis, "x": axis.copy()},
            periodic=(True, True),
            attributes={"title": "Two-dimensional turbulence", "source": "rheos.data.generator.turbulence"},
        )


def turbulence(frames: int = 200, size: int = 32, trajectories: int = 8, seed: int = 0) -> Dataset:
    """Chaotic two-dimensional flow: `Turbulence(...).generate(seed)` with the physics left at its defaults.

    Args:
        frames: frames of each trajectory.
        size: grid points along each side, even.
        trajectories: independent flows.
        seed: any integer.

    Returns:
        A periodic field data set of vorticity (1/s), values `(frames, 1, size, size)` a recording.
    """
    return Turbulence(frames=frames, size=size, trajectories=trajectories).generate(seed)
