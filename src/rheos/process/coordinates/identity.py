"""x_t = u_t: plain diffusion and flow matching.

Ho et al. 2020, arXiv 2006.11239; Lipman et al. 2022, arXiv 2210.02747.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.process.coordinates.base import Coordinates


class Identity(Coordinates):
    """The network sees the canonical clip itself."""

    kind: Literal["identity"] = "identity"

    def to_seen(self, u: Tensor, t: Tensor, context: Context) -> Tensor:
        """`u` itself."""
        return u

    def to_canonical(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """`x` itself."""
        return x

    def linear(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """`e` itself."""
        return e

    def log_det(self, t: Tensor, shape: Sequence[int], context: Context) -> Tensor:
        """0."""
        return torch.zeros(shape[0], dtype=torch.float64)

    @property
    def causal(self) -> bool:
        """Every frame stands for itself."""
        return True
