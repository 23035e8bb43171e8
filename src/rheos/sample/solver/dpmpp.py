"""x_n = A x_s + alpha_n (J_0 m_0 + phi_1 D_1 + phi_2 D_2), the m_j the newest answers, D_q differences.

Lu et al. 2022 (DPM-Solver++, arXiv 2211.01095). 2M takes phi_1 = J_0 / 2 (midpoint), r_0 = h_prev / h,
D_1 = (m_0 - m_1) / r_0. 3M takes phi_1 = J_1, phi_2 = -(factor / 2) J_2 with the minus in front of D_2's
own sign; released codes have factor 1, which is second order, and the right factor is 2.
J_m are the moments of :mod:`rheos.sample.solver.kernel`, J_0 = 1 - e^(-h), J_1 = (e^(-h) - 1) / h + 1.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import FAR, Path, moments, noise_level, usable_nodes
from rheos.sample.solver.solver import LinearMove, Solver, linear_moves


def _finite(length: Tensor) -> Tensor:
    """The step length where it is of use, 1 where it is zero or infinite."""
    return torch.where((length > 0) & (length <= FAR), length, 1.0)


class DPMpp2M(Solver):
    """Second order from two answers, DPM-Solver++'s midpoint weights.

    x_n = A x_s + alpha_n J_0 (m_0 + (h / (2 h_prev)) (m_0 - m_1)), J_0 = 1 - e^(-h).

    Attributes:
        eta: noise level as in k-diffusion's SDE form, 0 for none.
    """

    kind: Literal["dpmpp_2m"] = "dpmpp_2m"
    eta: float = Field(0.0, ge=0)

    @property
    def declared_order(self) -> int:
        """Two."""
        return 2

    @property
    def stochastic(self) -> bool:
        """Where eta > 0."""
        return self.eta > 0

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LinearMove, ...]:
        """Two weights a step; one on the first, the last and after an infinite step."""
        path = Path.of(schedule, fields)
        kept, added = noise_level(path, self.eta)
        gain = -torch.expm1(-(1.0 + self.eta) * path.length) * path.alpha[1:]
        nodes, count = usable_nodes(path, 2)
        slope = torch.where(count == 2, -0.5 / torch.where(count == 2, nodes[1], 1.0), 0.0)
        weights = torch.stack([gain * (1.0 + slope), -gain * slope])
        return linear_moves(path.time, path.decay * kept, torch.where(path.still, 0.0, weights), added)


class DPMpp3M(Solver):
    """Third order from three answers.

    Attributes:
        legacy: the factor 1 of released codes, for comparison with their results; second order.
    """

    kind: Literal["dpmpp_3m"] = "dpmpp_3m"
    legacy: bool = False

    @property
    def declared_order(self) -> int:
        """Three; two as released."""
        return 2 if self.legacy else 3

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[LinearMove, ...]:
        """Three weights a step, fewer where fewer answers are of use."""
        path = Path.of(schedule, fields)
        nodes, count = usable_nodes(path, 3)
        first, second, third = moments(_finite(path.length), 3)
        first = -torch.expm1(-path.length)
        r0 = torch.where(count >= 2, -nodes[1], 1.0)
        r1 = torch.where(count == 3, nodes[1] - nodes[2], 1.0)
        bend = torch.where(count == 3, (0.5 if self.legacy else 1.0) * third, 0.0)
        slope = torch.where(count >= 2, second, 0.0)
        turn = torch.where(count == 3, r0 / (r0 + r1), 0.0)
        newer = slope * (1.0 + turn) + bend / (r0 + r1)
        older = -slope * turn - bend / (r0 + r1)
        weights = torch.stack([first + newer / r0, older / r1 - newer / r0, -older / r1])
        weights = torch.where(path.still, 0.0, weights * path.alpha[1:])
        return linear_moves(path.time, path.decay, weights, torch.zeros_like(path.length))
