"""z ~ N(0, I): independent standard normal entries.

Ho et al. 2020, arXiv 2006.11239.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.process.noise.base import Noise
from rheos.process.noise.moments import standard_log_prob


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
        return standard_log_prob(z)

    @property
    def gaussian(self) -> bool:
        """It is."""
        return True
