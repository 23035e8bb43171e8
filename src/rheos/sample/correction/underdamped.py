"""v <- v + (e/2) s(u), u <- u + e v, v <- v + (e/2) s(u), v <- c v + sqrt(1 - c^2) z, c = exp(-q e).

Underdamped Langevin dynamics split as OBABO (Bussi, Parrinello 2007, Phys. Rev. E 75, 056707) with the score
s = (alpha D - u) / sigma^2 at u's own time. The momentum, of mass 1, is drawn anew at every node, so its two
half refreshments O between sweeps are one, and those before the first sweep and after the last change no law:
a single sweep is a Langevin step of length e^2 / 2, the corrector of Song et al. 2021 (arXiv 2011.13456).
Here e is a share of sigma, and v is sigma times the momentum.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.sample.correction.correction import Correction, Node
from rheos.sample.solver import Answer


class Underdamped(Correction):
    """Langevin steps with momentum, which cross the law of a time in fewer of them.

    Attributes:
        step: e / sigma, length of a step; the variance V of a mode comes to rest at V / (1 - e^2 / (4 V)).
        friction: q sigma, how soon the momentum is forgotten; 0 never within a node.
        sweeps: steps a node, one denoiser call each; the momentum serves from the second on.
    """

    kind: Literal["underdamped"] = "underdamped"
    step: float = Field(0.5, gt=0, le=1)
    friction: float = Field(1.0, ge=0)
    sweeps: int = Field(2, ge=1)

    @property
    def evaluations(self) -> int:
        """One a sweep."""
        return self.sweeps

    @property
    def stochastic(self) -> bool:
        """Always."""
        return True

    @property
    def linear(self) -> bool:
        """Always: no norms are taken."""
        return True

    def apply(
        self, u: Tensor, node: Node, denoise: Answer, draw: Callable[[], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """`sweeps` steps from a fresh momentum; entries at t = 0 stay."""
        kept, half = math.exp(-self.friction * self.step), 0.5 * self.step
        v = draw() * node.sigma
        for sweep in range(self.sweeps):
            # (e / 2) s in units of v, the kick that ends a sweep and begins the next.
            pull = (denoise(u, node.time) * node.signal).sub_(u)
            if sweep > 0:
                v = torch.addcmul(v, pull, node.moving, value=half).mul_(kept)
                v.addcmul_(draw(), node.sigma, value=math.sqrt(1.0 - kept**2))
            v = torch.addcmul(v, pull, node.moving, value=half)
            u = torch.add(u, v, alpha=self.step)
        return u, node.time
