"""z = w sqrt(D / q), w ~ N(0, I), q ~ chi^2_D, one q a clip: multivariate Student-t, D degrees of freedom.

The base noise of PFGM++ (Xu, Liu, Tian, Tong, Tegmark, Jaakkola 2023, arXiv 2302.04265): their kernel
p_r(x | x_0) ~ (|x - x_0|^2 + r^2)^(-(N + D)/2) is x_0 + sigma z with r = sigma sqrt(D). D = 1 is PFGM, D to
infinity is Gaussian diffusion.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.process.noise.base import Noise


class StudentT(Noise):
    """Heavy-tailed noise: all entries of a clip share one random scale.

    Attributes:
        degrees: D, extra dimensions of the electric field; published 128 and 2048, the more the lighter the
            tails. Variance is D / (D - 2), without end for D up to 2.
    """

    kind: Literal["student_t"] = "student_t"
    degrees: float = Field(default=128.0, gt=0.0, allow_inf_nan=False)

    def draw(
        self,
        key: Key,
        shape: Sequence[int],
        context: Context,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """The key's standard normal numbers, each clip times its own sqrt(D / q)."""
        from scipy.special import gammaincinv

        share = key.at(Purpose.RADIUS, key.step).uniform(())
        q = 2.0 * torch.from_numpy(gammaincinv(0.5 * self.degrees, share.numpy()))
        scale = torch.sqrt(self.degrees / q).to(dtype=dtype, device=device)
        return key.normal(shape, dtype, device) * scale.reshape(-1, *(1,) * len(shape))

    def log_prob(self, z: Tensor, context: Context, known: int = 0) -> Tensor:
        """-(D + n)/2 log(1 + |z|^2 / D), normalized; some frames alone follow the same law."""
        flat, d = z.flatten(1), self.degrees
        n = flat.shape[1]
        constant = math.lgamma(0.5 * (d + n)) - math.lgamma(0.5 * d) - 0.5 * n * math.log(math.pi * d)
        return constant - 0.5 * (d + n) * torch.log1p(flat.square().sum(1) / d)

    @property
    def gaussian(self) -> bool:
        """It is not."""
        return False
