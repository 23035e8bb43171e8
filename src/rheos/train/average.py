r"""Power-function average of weights.

    theta_avg(t) = (g + 1) / t^(g+1) * int_0^t tau^g theta(tau) dtau,    beta_t = (1 - 1/t)^(g + 1)

Karras, Aittala, Lehtinen, Hellsten, Aila, Laine, "Analyzing and improving the training dynamics of
diffusion models", CVPR 2024, arXiv 2312.02696, section 3.1. The width is relative to the length of
training, so one setting serves runs of any length.
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


def exponent(width: float) -> float:
    """The g whose profile has this relative width: the largest root of the paper's cubic.

    Args:
        width: standard deviation of the profile over the training time, in (0, 0.2886).

    Raises:
        ValueError: no profile is that wide.
    """
    inverse = width**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse])
    g = max(float(root.real) for root in roots if abs(root.imag) < 1e-9)
    if g < 0:
        raise ValueError(f"a relative width of {width} is too wide; the widest profile has 0.2886")
    return g


class PowerAverage:
    """The running average of a set of tensors, kept in their own dtype.

    Args:
        tensors: the values at the start, in a fixed order.
        width: relative width of the profile.
    """

    def __init__(self, tensors: Iterable[Tensor], width: float) -> None:
        self.values = [tensor.detach().clone() for tensor in tensors]
        self._exponent = exponent(width)

    @torch.no_grad()
    def update(self, tensors: Iterable[Tensor], step: int) -> None:
        """Take in the values after step number `step` = 1, 2, ..."""
        beta = (1.0 - 1.0 / step) ** (self._exponent + 1.0)
        for value, tensor in zip(self.values, tensors, strict=True):
            value.lerp_(tensor.detach(), 1.0 - beta)

    @torch.no_grad()
    def copy_to(self, tensors: Iterable[Tensor]) -> None:
        """Write the average into `tensors`."""
        for value, tensor in zip(self.values, tensors, strict=True):
            tensor.copy_(value)
