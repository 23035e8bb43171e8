"""x_n = alpha_n D + sqrt(sigma_n^2 - s^2) eps + s z, s = eta sigma_n sqrt(1 - e^(-2h)).

Song, Meng, Ermon 2020 (DDIM, arXiv 2010.02502), equations 12 and 16; eta = 1 is the posterior of Ho,
Jain, Abbeel 2020 (DDPM, arXiv 2006.11239), equation 7. With eta = 0 it is Euler's method, for
dy/dS = eps with y = x / alpha, S = sigma / alpha as for the linear path's velocity.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import Path
from rheos.sample.solver.solver import LinearMove, Solver, linear_moves


def ddim_moves(path: Path, eta: float) -> tuple[LinearMove, ...]:
    """DDIM's steps, written so that alpha_s = 0 and sigma_n = 0 need no case of their own."""
    added = path.sigma[1:] * (eta * torch.sqrt(-torch.expm1(-2.0 * path.length)))
    # sqrt(sigma_n^2 - s^2) / sigma_s, with s / sigma_n kept apart: sigma_n may be 0.
    scale = path.decay * torch.sqrt(1.0 + eta**2 * torch.expm1(-2.0 * path.length))
    weight = torch.where(path.still, 0.0, path.alpha[1:] - scale * path.alpha[:-1])
    return linear_moves(path.time, scale, weight[None], added)


class DDIM(Solver):
    """First order in log-SNR: keep the direction of the noise, replace part of it by fresh noise.

    Attributes:
        eta: 0 deterministic (Euler), 1 as much noise as DDPM's posterior.
    """

    kind: Literal["ddim"] = "ddim"
    eta: float = Field(0.0, ge=0, le=1)

    @property
    def declared_order(self) -> int:
        """First order."""
        return 1

    @property
    def stochastic(self) -> bool:
        """Where eta > 0."""
        return self.eta > 0

    @property
    def single_step(self) -> bool:
        """Always."""
        return True

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LinearMove, ...]:
        """One scale, one weight and, for eta > 0, one noise level a step."""
        return ddim_moves(Path.of(schedule, fields), self.eta)


class Ancestral(Solver):
    """DDPM's sampler: each step draws from the posterior of u_n given u_s and the answer for u_0.

    u_n ~ q(u_n | u_s, u_0 = D): the step of `ddim` with eta = 1.
    """

    kind: Literal["ancestral"] = "ancestral"

    @property
    def declared_order(self) -> int:
        """First order."""
        return 1

    @property
    def stochastic(self) -> bool:
        """Always."""
        return True

    @property
    def single_step(self) -> bool:
        """Always."""
        return True

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LinearMove, ...]:
        """The posterior's two weights and standard deviation at each step."""
        return ddim_moves(Path.of(schedule, fields), 1.0)
