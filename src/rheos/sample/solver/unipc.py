"""x_n = A x_s - alpha_n E m_0 - alpha_n B(h) sum_j rho_j (m_j - m_0) / r_j, E = e^(-h) - 1.

Zhao, Bai, Rao, Zhou, Lu 2023 (UniPC, arXiv 2302.04867), equations 3, 8 and algorithms 1 and 2, in data
prediction. The rho_j solve the same conditions as the weights of :mod:`rheos.sample.solver.kernel`, so B(h)
cancels but for the two that the paper sets to 1/2: the predictor through two answers and the corrector
through the new one alone.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import FAR, Path, adams_bashforth, adams_moulton, corrected, usable_nodes
from rheos.sample.solver.solver import LinearMove, Solver, linear_moves


class UniPC(Solver):
    """A multistep predictor and a corrector that costs no further denoiser call.

    Attributes:
        order: of the predictor, 1 to 3.
        corrector: whether each answer corrects the step that led to it, which gains an order.
        variant: B(h), h (`bh1`) or 1 - e^(-h) (`bh2`), up to sign.
    """

    kind: Literal["unipc"] = "unipc"
    order: int = Field(2, ge=1, le=3)
    corrector: bool = True
    variant: Literal["bh1", "bh2"] = "bh2"

    @property
    def declared_order(self) -> int:
        """`order`, and one more with the corrector."""
        return self.order + self.corrector

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LinearMove, ...]:
        """Weights of the last answers at each step, correction included."""
        path = Path.of(schedule, fields)
        length = path.length
        near = (length > 0) & (length <= FAR)
        nodes, count = usable_nodes(path, max(self.order, 2))
        gain = -torch.expm1(-length) * path.alpha[1:]
        half = 0.5 * (torch.where(near, length, 0.0) * path.alpha[1:] if self.variant == "bh1" else gain)
        predictor = adams_bashforth(path, self.order)
        if self.order > 1:
            slope = half / torch.where(count == 2, -nodes[1], 1.0)
            predictor[0] = torch.where(count == 2, gain + slope, predictor[0])
            predictor[1] = torch.where(count == 2, -slope, predictor[1])
        predictor = torch.where(path.still, 0.0, predictor)
        if not self.corrector:
            return linear_moves(path.time, path.decay, predictor, torch.zeros_like(length))
        alone = near & ((count == 1) | (self.order == 1))
        corrector = adams_moulton(path, self.order + 1)
        corrector[0] = torch.where(alone, half, corrector[0])
        corrector[1] = torch.where(alone, gain - half, corrector[1])
        corrector = torch.where(path.still, 0.0, corrector)
        weights = corrected(predictor, corrector, path.decay)
        return linear_moves(path.time, path.decay, weights, torch.zeros_like(length))
