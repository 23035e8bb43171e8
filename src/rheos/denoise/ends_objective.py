"""E |d - (x_a - x_b)|^2 + |n - z|^2 at x_t = (1 - t) x_b + t x_a + gamma z, of a two-sided interpolant.

Albergo, Boffi, Vanden-Eijnden 2023 (arXiv 2303.08797) have E |b|^2 / 2 - b . dx_t/dt and E |n|^2 / 2 - z . n,
whose minimizers are b = d + gamma' n and the same n.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.core.time_field import expand
from rheos.denoise.ends_denoiser import EndsDenoiser
from rheos.denoise.time_sampler.base import stratified


class EndsObjective(Method):
    """Squared error of both answers, at times uniform between 0 and 1."""

    kind: Literal["ends"] = "ends"

    def __call__(
        self,
        denoiser: EndsDenoiser,
        x0: Float[Tensor, "b f c *space"],
        context: Context,
        key: Key,
        start: Float[Tensor, "b f c *space"] | None = None,
    ) -> Float[Tensor, " b"]:
        """Loss of each pair at a random time, a mean over entries present and not clean.

        Args:
            denoiser: what is trained.
            x0: clips x_b; missing entries, by `context.mask`, may hold anything.
            context: of the clips.
            key: of the clips (its step tells training steps apart).
            start: clips x_a, in the denoiser's coordinates; their coupling to `x0` is the caller's, and
                history frames are not looked at. None: drawn from the denoiser's own law of starts.

        Raises:
            IncompatibleError: there are no starts, nor a law of them.
        """
        process = denoiser.process
        present = torch.ones_like(x0) if context.mask is None else (context.mask > 0).to(x0)
        start = denoiser.start(key, context, x0) if start is None else start
        start, end = torch.where(present > 0, start, 0.0), denoiser.canonical(x0, context)
        t = process.field(stratified(len(end), key), end.shape[1], context)
        z = key.at(Purpose.NOISE, key.step).normal(end.shape[1:], end.dtype, end.device)
        found = denoiser(process.join(start, end, t, z), t, context)
        error = (found.difference - (start - end)).square() + (found.noise - z).square()
        counted = expand((t > 0).to(torch.float64), end) * context.counts(end)
        axes = tuple(range(1, end.ndim))
        return (counted * error).sum(axes) / counted.sum(axes).clamp(min=1.0)
