"""z ~ N(0, I): independent standard normal entries.

Ho et al. 2020, arXiv 2006.11239.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.process.noise.base import Noise


class White(Noise):
    """Independent standard normal entries."""

    kind: Literal["white"] = "white"

    def draw(
        self,
        key: Key,
        shape: Sequence[int],
        context: Context,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """The key's standard normal numbers."""
        return key.normal(shape, dtype, device)

    def log_prob(self, z: Tensor, context: Context, known: int = 0) -> Tensor:
        """-(|z|^2 + n log 2 pi) / 2."""
        flat = z.flatten(1)
        return -0.5 * (flat.square().sum(1) + flat.shape[1] * math.log(2.0 * math.pi))

    @property
    def gaussian(self) -> bool:
        """It is."""
        return True
