"""x_n = A e^(-eta h) x_s + alpha_n sum_j w_j D_j + sigma_n sqrt(1 - e^(-2 eta h)) z, Adams-Bashforth w_j.

Zhang, Chen 2022 (DEIS, arXiv 2204.13902); Lu et al. 2022 (DPM-Solver, arXiv 2206.00927); for eta > 0
Xue et al. 2023 (SA-Solver, arXiv 2309.05019). The weights come from :mod:`rheos.sample.solver.kernel`.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import Path, adams_bashforth, noise_level
from rheos.sample.solver.multistep import Multistep
from rheos.sample.solver.solver import LinearMove, linear_moves


class Exponential(Multistep):
    """The linear part exactly, the denoiser's answers interpolated in log-SNR.

    Attributes:
        order: how many answers the interpolant goes through, 1 to 4; 1 without noise is DDIM.
        eta: noise level, 0 for the ordinary differential equation, 1 for the usual reverse diffusion.
    """

    kind: Literal["exponential"] = "exponential"
    order: int = Field(2, ge=1, le=4)

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LinearMove, ...]:
        """Weights of the last `order` answers at each step."""
        path = Path.of(schedule, fields)
        kept, added = noise_level(path, self.eta)
        weights = adams_bashforth(path, self.order, self.eta)
        return linear_moves(path.time, path.decay * kept, torch.where(path.still, 0.0, weights), added)
