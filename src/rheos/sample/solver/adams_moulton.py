"""x_n = A e^(-eta h) x_s + sum_j b_j D_j + sigma_n sqrt(1 - e^(-2 eta h)) z, D_0 asked at a predicted x_n.

The exponential Adams-Moulton corrector, Adams-Bashforth the predictor, one denoiser call a step: Xue et
al. 2023 (SA-Solver, arXiv 2309.05019), algorithm 1; for eta = 0 Zhao et al. 2023 (UniPC, arXiv 2302.04867)
and Zhang, Chen 2022 (DEIS, arXiv 2204.13902). Both weights come from :mod:`rheos.sample.solver.kernel`.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import Path, adams_bashforth, adams_moulton, corrected, noise_level
from rheos.sample.solver.multistep import Multistep
from rheos.sample.solver.solver import LinearMove, linear_moves


class AdamsMoulton(Multistep):
    """Each answer also corrects the step that led to it: one order more for the same calls.

    Attributes:
        order: how many answers the corrector interpolates, 2 to 5; the predictor takes one fewer.
        eta: noise level, 0 for the ordinary differential equation, 1 for the usual reverse diffusion.
    """

    kind: Literal["adams_moulton"] = "adams_moulton"
    order: int = Field(3, ge=2, le=5)

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LinearMove, ...]:
        """Weights of the last `order` answers at each step, correction included."""
        path = Path.of(schedule, fields)
        kept, added = noise_level(path, self.eta)
        scale = path.decay * kept
        predictor = torch.where(path.still, 0.0, adams_bashforth(path, self.order - 1, self.eta))
        corrector = torch.where(path.still, 0.0, adams_moulton(path, self.order, self.eta))
        return linear_moves(path.time, scale, corrected(predictor, corrector, scale), added)
