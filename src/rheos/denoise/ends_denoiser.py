"""E[x_a - x_b | x_t] and E[z | x_t] of a two-sided interpolant, x_t = (1 - t) x_b + t x_a + gamma z.

Albergo, Boffi, Vanden-Eijnden 2023 (arXiv 2303.08797) train for velocity and noise; here the velocity is
without its part gamma' E[z | x_t], which has no bound at the ends. x_b is x_t - t (x_a - x_b) - gamma z.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.time_field import clip_level, per_frame
from rheos.process.two_sided import TwoSided


@dataclass(frozen=True, slots=True)
class Ends:
    """What is believed of both ends given x_t, each `(b, f, channel, *space)`.

    Attributes:
        difference: E[x_a - x_b | x_t], start less data.
        noise: E[z | x_t].
    """

    difference: Tensor
    noise: Tensor


@runtime_checkable
class AnswerEnds(Protocol):
    """Answers for both ends: a trained denoiser or an exact one."""

    def __call__(self, x: Tensor, t: Tensor, context: Context) -> Ends:
        """The ends of `x` at model time `t` (a time field)."""
        ...


class EndsDenoiser(nn.Module):
    """Both ends from any module called as `module(twice, level, context)` on clips of twice the channels.

    The network sees the clip twice, stacked along channels, and log((1 - t)^2 / t^2) of each frame; the first
    half of what it gives back is the difference, the second the noise.
    """

    def __init__(self, network: nn.Module, process: TwoSided) -> None:
        """Wrap a network.

        Raises:
            IncompatibleError: the process is not between two laws.
        """
        super().__init__()
        if not isinstance(process, TwoSided):
            raise IncompatibleError(
                f"process {type(process).__name__} goes from noise to clips, so there is one end to answer "
                "for: use rheos.Denoiser."
            )
        self.network = network
        self.process = process

    def forward(self, x: Float[Tensor, "b f c *space"], t: Tensor, context: Context | None = None) -> Ends:
        """What is believed of both ends.

        Args:
            x: clip x_t.
            t: time field `()`, `(b)` or `(b, f)`, float64 on the CPU.
            context: what else is known.
        """
        own = per_frame(t, *x.shape[:2])
        level = clip_level(2.0 * (torch.log1p(-own) - torch.log(own)))
        seen = torch.cat((x, x), 2)
        difference, noise = self.network(seen, level.to(x), Context() if context is None else context).chunk(
            2, 2
        )
        return Ends(difference=difference, noise=noise)
