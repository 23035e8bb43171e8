"""x_n = (alpha_n / alpha_s) x_s - (1 + eta) sigma_n sum_j w_j eps_j + sqrt(eta) sigma_n sqrt(e^(2h) - 1) z.

eps = (x - alpha D) / sigma; the linear part is exact and the noise direction interpolated in log-SNR. Zhang,
Chen 2022 (DEIS, arXiv 2204.13902); Lu et al. 2022 (DPM-Solver, arXiv 2206.00927); with eta = 1 Li et al. 2025
(MR Sampler, arXiv 2502.07856). Weights are those of :mod:`rheos.sample.solver.kernel`; a step from pure noise
or to clean data, where eps has no such form, takes the answer D itself.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.direction import DirectionMove
from rheos.sample.solver.kernel import FAR, Path, adams_bashforth_noise, noise_level
from rheos.sample.solver.multistep import Multistep


class ExponentialNoise(Multistep):
    """The linear part exactly, the direction of the noise interpolated in log-SNR.

    Attributes:
        order: how many directions the interpolant goes through, 1 to 4; 1 without noise is DDIM.
        eta: noise level, 0 for the ordinary differential equation, 1 for the usual reverse diffusion.
    """

    kind: Literal["exponential_noise"] = "exponential_noise"
    order: int = Field(2, ge=1, le=4)

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[DirectionMove, ...]:
        """Weights of the last `order` directions at each step, or of the answer at an infinite one."""
        path = Path.of(schedule, fields)
        length = path.length
        near = (length > 0) & (length <= FAR)
        weights = (1.0 + self.eta) * adams_bashforth_noise(path, self.order)
        alpha, sigma = torch.where(near, path.alpha[:-1], 1.0), torch.where(near, path.sigma[:-1], 1.0)
        kept, added = noise_level(path, self.eta)
        scale = torch.where(near, path.alpha[1:] / alpha, path.decay * kept)
        direct = path.alpha[1:] * -torch.expm1(-(1.0 + self.eta) * length)
        direct = torch.where(near, 0.0, direct)
        grown = torch.sqrt(torch.expm1(2.0 * torch.where(near, length, 0.0)))
        noise = torch.where(near, math.sqrt(self.eta) * path.sigma[1:] * grown, added)
        depth = (weights.flatten(2) if weights.ndim > 2 else weights[..., None]).ne(0).any(-1).sum(0).tolist()
        return tuple(
            DirectionMove(
                time=path.time[i],
                scale=scale[i],
                direct=direct[i] if bool(direct[i].any()) else None,
                slope=(torch.where(near, 1.0 / sigma, 0.0)[i], torch.where(near, -alpha / sigma, 0.0)[i]),
                weights=tuple(weights[: depth[i], i]),
                keep=self.order - 1,
                noise=noise[i] if bool(noise[i].any()) else None,
            )
            for i in range(path.steps)
        )
