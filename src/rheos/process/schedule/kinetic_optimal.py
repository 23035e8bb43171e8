"""alpha = R cos(eta), sigma = s R sin(eta): the Gaussian path of least kinetic energy for given data.

Shaul, Chen, Nickel, Le, Lipman 2023, "On kinetic optimal probability paths", arXiv 2306.06626. With data of
standard deviation s, angle eta = atan(sigma / (s alpha)) and g^2 = 1 - mmse / linear mmse, the energy is
int R'^2 + R^2 g^2 eta'^2 dt, the length of a curve in the plane with polar angle psi = int_0^eta g. So the
optimum is a straight chord at unit speed: with Psi = psi(pi/2),

    R cos(psi) = 1 - t + t cos(Psi),   R sin(psi) = t sin(Psi).

Their Euler-Lagrange equation has this solution. g = 1 (scattered points) is conditional optimal transport;
g = 0 (Gaussian data) leaves psi nothing to turn, and any variance preserving path is as good as another.
"""

import math
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from rheos.core.keys import Key
from rheos.process.schedule.base import Schedule

LEAST = 1e-2
"""g is not taken smaller: psi must rise with eta."""


class KineticOptimal(Schedule):
    """The least-energy path of the data it was estimated from; without data, straight lines.

    Attributes:
        gain: g at equally spaced angles from 0 (data) to pi/2 (noise); empty means 1 everywhere.
        deviation: s, the data's standard deviation.
    """

    kind: Literal["kinetic_optimal"] = "kinetic_optimal"
    gain: tuple[Annotated[float, Field(ge=LEAST, le=1.0)], ...] = ()
    deviation: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)

    @classmethod
    def of(cls, clips: Float[Tensor, "n ..."], key: Key, angles: int = 33) -> "KineticOptimal":
        """The path for data given as clips.

        The exact posterior mean over the clips themselves is used, as published: few clips of many entries
        are scattered points, for which g is 1.

        Args:
            clips: canonical clips, a few hundred; a common mean is taken off.
            key: one row; noise is drawn from it.
            angles: how many values of g to measure.
        """
        points = clips.detach().to("cpu", torch.float64).flatten(1)
        points = points - points.mean(0)
        deviation = float(points.square().mean().sqrt())
        points = points / deviation
        z = key.normal(points.shape, torch.float64)[0]
        # Every point meets its noise and its mirror image: odd errors of the estimate cancel.
        truth, noise = torch.cat((points, points)), torch.cat((z, -z))
        eta = torch.linspace(0.0, math.pi / 2, angles, dtype=torch.float64)
        gain = [1.0]
        for angle in eta[1:]:
            signal, level = float(angle.cos()), float(angle.sin())
            seen = signal * truth + level * noise
            distance = torch.cdist(seen, signal * points).square()
            mean = torch.softmax(-distance / (2.0 * level**2), 1) @ points
            # Linear estimates of unit-variance data from such noise err by level^2.
            error = float((truth - mean).square().mean()) / level**2
            gain.append(min(1.0, math.sqrt(max(LEAST**2, 1.0 - error))))
        return cls(gain=tuple(gain), deviation=deviation)

    @property
    def t_min(self) -> float:
        """Noise of about 0.001."""
        return 1e-3

    @property
    def t_max(self) -> float:
        """Just short of 1, where the signal is 0."""
        return 0.9999

    def _table(self) -> tuple[Tensor, Tensor, Tensor]:
        """Angles eta, g there, and psi there: g linear in between, psi its integral."""
        g = torch.tensor(self.gain if len(self.gain) > 1 else (1.0, 1.0), dtype=torch.float64)
        eta = torch.linspace(0.0, math.pi / 2, len(g), dtype=torch.float64)
        psi = torch.cat((torch.zeros(1, dtype=torch.float64), torch.cumulative_trapezoid(g, eta)))
        return eta, g, psi

    @property
    def turn(self) -> float:
        """Psi, the angle between the ends of the chord; the energy is 2 - 2 cos(Psi)."""
        return float(self._table()[2][-1])

    def _chord(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """R and psi on the chord."""
        x, y = 1.0 - t + t * math.cos(self.turn), t * math.sin(self.turn)
        return torch.sqrt(x**2 + y**2), torch.atan2(y, x)

    def _angle(self, psi: Tensor) -> tuple[Tensor, Tensor]:
        """Eta at psi, and g there."""
        eta, g, knots = self._table()
        cell = (torch.searchsorted(knots, psi.detach().contiguous(), right=True) - 1).clamp(0, len(g) - 2)
        slope = (g[1:] - g[:-1])[cell] / (eta[1] - eta[0])
        away = psi - knots[cell]
        here = torch.sqrt(g[cell] ** 2 + 2.0 * slope * away)
        return eta[cell] + 2.0 * away / (g[cell] + here), here

    def alpha(self, t: Tensor) -> Tensor:
        """R cos(eta)."""
        radius, psi = self._chord(t)
        return radius * torch.cos(self._angle(psi)[0])

    def sigma(self, t: Tensor) -> Tensor:
        """s R sin(eta)."""
        radius, psi = self._chord(t)
        return self.deviation * radius * torch.sin(self._angle(psi)[0])

    def _motion(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """R, dR/dt, eta and R d(eta)/dt."""
        radius, psi = self._chord(t)
        eta, g = self._angle(psi)
        along = (2.0 * t - 1.0) * (1.0 - math.cos(self.turn)) / radius
        return radius, along, eta, math.sin(self.turn) / (radius * g)

    def d_alpha(self, t: Tensor) -> Tensor:
        """R' cos(eta) - R eta' sin(eta)."""
        _, along, eta, around = self._motion(t)
        return along * torch.cos(eta) - around * torch.sin(eta)

    def d_sigma(self, t: Tensor) -> Tensor:
        """s (R' sin(eta) + R eta' cos(eta))."""
        _, along, eta, around = self._motion(t)
        return self.deviation * (along * torch.sin(eta) + around * torch.cos(eta))

    def time_at(self, log_snr: Tensor) -> Tensor:
        """t = sin(psi) / (sin(psi) + sin(Psi - psi)) at psi(eta), eta = atan(exp(-log_snr/2) / s)."""
        angle = torch.atan(torch.exp(-0.5 * log_snr) / self.deviation)
        eta, g, knots = self._table()
        cell = (torch.searchsorted(eta, angle.contiguous(), right=True) - 1).clamp(0, len(g) - 2)
        away = angle - eta[cell]
        slope = (g[1:] - g[:-1])[cell] / (eta[1] - eta[0])
        psi = knots[cell] + away * (g[cell] + 0.5 * slope * away)
        first, rest = torch.sin(psi), torch.sin((self.turn - psi).clamp(min=0.0))
        return first / (first + rest)
