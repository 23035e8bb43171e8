"""E[x_a - x_b | x_t] and E[z | x_t] of a two-sided interpolant, x_t = (1 - t) x_b + t x_a + gamma z.

Albergo, Boffi, Vanden-Eijnden 2023 (arXiv 2303.08797) train for velocity and noise; here the velocity is
without its part gamma' E[z | x_t], which has no bound at the ends. x_b is x_t - t (x_a - x_b) - gamma z.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.core.time_field import clip_level, per_frame
from rheos.denoise.in_coordinates import InCoordinates
from rheos.process.coordinates import Coordinates, Identity
from rheos.process.resampled import Resampled
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


class EndsDenoiser(InCoordinates):
    """Both ends from any module called as `module(twice, level, context)` on clips of twice the channels.

    The network sees the clip twice, stacked along channels, as it does what the context knows of it, and
    log((1 - t)^2 / t^2) of each frame; the first half of what it gives back is the difference, the second the
    noise.
    """

    def __init__(
        self,
        network: nn.Module,
        process: TwoSided,
        coordinates: Coordinates | None = None,
        starts: Resampled | None = None,
    ) -> None:
        """Wrap a network.

        Args:
            network: the module.
            process: what is between the two laws.
            coordinates: in which they are joined, entry by entry; None: the clips' own.
            starts: the law of x_a, where it is always the same; None: the caller brings clips.

        Raises:
            IncompatibleError: the process is not between two laws.
        """
        super().__init__(Identity() if coordinates is None else coordinates)
        if not isinstance(process, TwoSided):
            raise IncompatibleError(
                f"process {type(process).__name__} goes from noise to clips, so there is one end to answer "
                "for: use rheos.Denoiser."
            )
        self.network = network
        self.process = process
        self.starts = starts

    def start(self, key: Key, context: Context, like: Tensor) -> Float[Tensor, "b f c *space"]:
        """Clips x_a of the law that is always the same, in its coordinates.

        Args:
            key: one row a clip.
            context: of the clips.
            like: says dtype and device.

        Raises:
            IncompatibleError: there is no such law.
        """
        if self.starts is None:
            raise IncompatibleError(
                "nothing says where clips start: give start=, or a denoiser that knows their law (starts=)."
            )
        return self.starts.draw(key, context, like.dtype, like.device)

    def forward(self, x: Float[Tensor, "b f c *space"], t: Tensor, context: Context | None = None) -> Ends:
        """What is believed of both ends.

        Args:
            x: clip x_t, in the denoiser's coordinates.
            t: time field `()`, `(b)` or `(b, f)`, float64 on the CPU.
            context: what else is known.
        """
        own = per_frame(t, *x.shape[:2])
        level = clip_level(2.0 * (torch.log1p(-own) - torch.log(own)))
        context = Context() if context is None else context
        seen = self.coordinates.to_seen(x, t, context)
        answer = self.network(torch.cat((seen, seen), 2), level.to(x), twice(context))
        difference, noise = answer.chunk(2, 2)
        return Ends(difference=difference, noise=noise)


def twice(context: Context) -> Context:
    """The context of clips of twice the channels: what it knows of each, it knows of both halves."""
    changed: dict[str, Any] = {}
    for name, axis in (("history", 2), ("mask", 2), ("anchor", 2), ("anchor_scale", 2), ("lagged", 3)):
        value = getattr(context, name)
        # A scale may be one for all channels.
        if value is not None and (name != "anchor_scale" or value.shape[axis] > 1):
            changed[name] = torch.cat((value, value), axis)
    return replace(context, **changed, observation=None, observation_mask=None, groups=())
