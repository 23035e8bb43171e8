"""E |E[z_v | state] - z_v|^2 = E (B_vv (K A)_v)^2 |E[x_0 | state] - x_0|^2: hybrid score matching.

Dockhorn, Vahdat, Kreis 2021 (arXiv 2112.07068): states are drawn given the clip alone, their first velocity
summed over, which leaves the minimizer as it is and the loss without a term that grows beyond bound.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.core.time_field import expand
from rheos.denoise.state_denoiser import StateDenoiser
from rheos.denoise.time_sampler.base import stratified


class HybridScore(Method):
    """Squared error of the last part's noise, at times uniform between t_min and t_max."""

    kind: Literal["hybrid_score"] = "hybrid_score"

    def data_weight(self, denoiser: StateDenoiser, t: Tensor) -> Tensor:
        """(B_vv (K A)_v)^2, the weight on the squared error of the clip; 0 where t = 0."""
        signal, _ = denoiser.process.pull(t)
        return (denoiser.process.operators(t).b[..., -1, -1] * signal[..., -1]) ** 2

    def __call__(
        self, denoiser: StateDenoiser, x0: Float[Tensor, "b f c *space"], context: Context, key: Key
    ) -> Float[Tensor, " b"]:
        """Loss of each clip at a random time with random noise, a mean over entries present and not clean.

        Args:
            denoiser: what is trained.
            x0: clips; missing entries, by `context.mask`, may hold anything.
            context: of the clips.
            key: of the clips (its step tells training steps apart).
        """
        process = denoiser.process
        present = torch.ones_like(x0) if context.mask is None else (context.mask > 0).to(x0)
        x0 = torch.where(present > 0, x0, 0.0)
        t = process.t_min + stratified(len(x0), key) * (process.t_max - process.t_min)
        t = process.field(t, x0.shape[1], context)
        z = key.at(Purpose.NOISE, key.step).normal(
            (x0.shape[1], process.parts * x0.shape[2], *x0.shape[3:]), x0.dtype, x0.device
        )
        # B z leaves a clean frame a velocity that says nothing; it rests, as in sampling.
        z = z * expand((t > 0).to(torch.float64), z)
        mean = denoiser(process.diffuse(x0, t, z), t, context).mean
        counted = expand((t > 0).to(torch.float64), x0) * context.counts(x0)
        error = expand(self.data_weight(denoiser, t).sqrt(), x0) * counted * (mean - x0)
        axes = tuple(range(1, x0.ndim))
        return error.square().sum(axes) / counted.sum(axes).clamp(min=1.0)
