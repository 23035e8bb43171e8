"""V_n = (1 - b) V_(n-1) + b eps_n, y_(n+1) = y_n + (S_(n+1) - S_n) sum_j c_j (nabla^j V)_n / b.

y = x / alpha, S = sigma / alpha, eps = (x - alpha D) / sigma, nabla the backward difference, V_0 = eps_0.
Wizadwongsa, Chinchuthakun, Khungurn, Raj, Suwajanakorn 2023 (arXiv 2307.11118): averaging the slope enlarges
the stability region of Adams-Bashforth. With g_j its own coefficients (1, 1/2, 5/12, 3/8, 251/720),
c_j = b g_j + (1 - b) g_(j-1) makes up for the average (generalized heavy ball, GHVB: keeps the order on
grids uniform in S); c_j = b g_j does not (heavy ball, HB: first order, the larger region).
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.schedule import Schedule
from rheos.sample.solver.direction import DirectionMove
from rheos.sample.solver.kernel import FAR, Path
from rheos.sample.solver.solver import Solver

_ADAMS = (1.0, 1 / 2, 5 / 12, 3 / 8, 251 / 720)


class HeavyBall(Solver):
    """Adams-Bashforth on an averaged noise direction: stable at fewer steps or stronger guidance.

    Attributes:
        order: k, how many averaged directions a step looks at, 1 to 5.
        damping: b, the newest direction's share in the average; 1 is Adams-Bashforth itself (PLMS).
        compensated: make up for the average, which keeps the order (GHVB); else plain heavy ball (HB).
    """

    kind: Literal["heavy_ball"] = "heavy_ball"
    order: int = Field(2, ge=1, le=5)
    damping: float = Field(0.8, gt=0, le=1)
    compensated: bool = True

    @property
    def declared_order(self) -> int:
        """On any smooth grid: two at most; on grids uniform in sigma / alpha `order` if compensated."""
        return min(self.order, 2) if self.compensated or self.damping == 1 else 1

    @property
    def stability_bound(self) -> float:
        """The z < 0 down to which y' = (z / step) y stays bounded, -2 (2 - b) / sum_j c_j 2^j."""
        return -2.0 * (2.0 - self.damping) / sum(c * 2**j for j, c in enumerate(self._series()))

    def _series(self) -> tuple[float, ...]:
        """c_j, j < k."""
        b, extra = self.damping, (1.0 - self.damping) * self.compensated
        return tuple(b * _ADAMS[j] + (extra * _ADAMS[j - 1] if j else 0.0) for j in range(self.order))

    def combination(self, count: int) -> Tensor:
        """Weights of the `count` newest V, float64 `(order,)`: sum_(j < count) c_j nabla^j / b."""
        weights = torch.zeros(self.order, dtype=torch.float64)
        difference = torch.zeros_like(weights)
        difference[0] = 1.0
        for c in self._series()[:count]:
            weights += c / self.damping * difference
            difference = difference - difference.roll(1)
        return weights

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[DirectionMove, ...]:
        """The average's share and the weights at each step; entries that end go to the answer itself."""
        path = Path.of(schedule, fields)
        length, ratio = path.length, torch.exp(-path.log_ratio)
        near = (length > 0) & (length <= FAR)
        count = torch.zeros_like(length)
        for i in range(path.steps):
            before = count[i - 1] if i else torch.zeros_like(length[0])
            count[i] = torch.where(near[i], (before + 1).clamp(max=self.order), 0.0)
        table = torch.stack([self.combination(k) for k in range(self.order + 1)])
        weights = table[count.long()].movedim(-1, 0)
        weights = weights * torch.where(near, path.alpha[1:] * (ratio[1:] - ratio[:-1]), 0.0)
        alpha, sigma = torch.where(near, path.alpha[:-1], 1.0), torch.where(near, path.sigma[:-1], 1.0)
        scale = torch.where(near, path.alpha[1:] / alpha, path.decay)
        direct = torch.where(near | path.still, 0.0, path.alpha[1:] - path.decay * path.alpha[:-1])
        blend = torch.ones_like(length)
        blend[1:].masked_fill_(near[1:] & near[:-1], self.damping)
        return tuple(
            DirectionMove(
                time=path.time[i],
                scale=scale[i],
                direct=direct[i] if bool(direct[i].any()) else None,
                slope=(torch.where(near, 1.0 / sigma, 0.0)[i], torch.where(near, -alpha / sigma, 0.0)[i]),
                weights=tuple(weights[: int(count[i].max()), i]),
                keep=self.order,
                blend=blend[i] if self.damping < 1 else None,
            )
            for i in range(path.steps)
        )
