"""u <- u + e s + sqrt(2 e) z, s = (alpha D - u) / sigma^2 the score at u's own time.

Song et al. 2021 (arXiv 2011.13456), algorithms 4 and 5, the corrector of predictor-corrector sampling:
e = 2 (snr |z| / |s|)^2, here of each clip by itself, so that rows stay independent; at most sigma^2 / 2,
beyond which unadjusted Langevin steps lose their hold. For pure noise |s| = |z| / sigma, so
e = 2 snr^2 sigma^2 is the same rule without its fluctuations, and affine in u.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.sample.correction.correction import Correction, Node
from rheos.sample.solver import Answer

_MOST = 0.5


class Langevin(Correction):
    """Langevin steps at a fixed time, which pull the clip back to that time's law.

    Attributes:
        snr: signal-to-noise ratio of a step; larger corrects more and adds a bias of order snr^2.
        sweeps: steps a node, one denoiser call each.
        rule: length of a step from the noise level alone (`level`), or from norms as published (`norm`).
    """

    kind: Literal["langevin"] = "langevin"
    snr: float = Field(0.16, gt=0)
    sweeps: int = Field(1, ge=1)
    rule: Literal["level", "norm"] = "level"

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
        """Where no norms are taken."""
        return self.rule == "level"

    def apply(
        self, u: Tensor, node: Node, denoise: Answer, draw: Callable[[], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """`sweeps` steps; entries at t = 0 stay."""
        for _ in range(self.sweeps):
            pull = (denoise(u, node.time) * node.signal).sub_(u)  # sigma^2 s
            z = draw()
            if self.rule == "level":
                step = min(2.0 * self.snr**2, _MOST)
                u = torch.addcmul(u, pull, node.moving, value=step)
                u.addcmul_(z, node.sigma, value=math.sqrt(2.0 * step))
            else:
                share = self._share(pull, z, node.sigma)
                u = u + pull * (node.moving * share) + z * (node.sigma * torch.sqrt(2.0 * share))
        return u, node.time

    def _share(self, pull: Tensor, z: Tensor, sigma: Tensor) -> Tensor:
        """e / sigma^2 by norms, broadcastable to the clip; |s| sigma is |pull / sigma|."""
        moving = sigma > 0
        score = torch.where(moving, pull / torch.where(moving, sigma, 1.0), 0.0)
        axes = tuple(range(1, z.ndim))
        ratio = torch.where(moving, z, 0.0).square().sum(axes, True) / score.square().sum(axes, True)
        return (2.0 * self.snr**2 * ratio).clamp(max=_MOST)
