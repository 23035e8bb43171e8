"""From t to s < t a hidden token is told with probability (alpha_s - alpha_t) / (1 - alpha_t), on a grid.

Sahoo et al. 2024, arXiv 2406.07524. A token hidden at time h is told by the step with s <= h < t; all of a
step are drawn independently, which is exact only as steps shrink. Steps that tell nothing cost nothing.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.masked import Masked
from rheos.sample.unmasking.sampler import Unmasking


class Ancestral(Unmasking):
    """Steps even in time, as masked diffusion was published.

    Attributes:
        steps: of the grid.
    """

    kind: Literal["ancestral"] = "ancestral"
    steps: int = Field(default=128, ge=1)

    def rounds(self, process: Masked, w: Tensor, hidden: Tensor) -> Tensor:
        """The step from 1 - i / steps to 1 - (i + 1) / steps that holds the token's time."""
        step = self.steps - 1 - torch.floor(process.hidden_at(w) * self.steps).long().clamp(0, self.steps - 1)
        return torch.where(hidden, step, -1)

    def calls(self, tokens: int) -> int:
        """One for every step that tells something."""
        return min(self.steps, tokens)
