"""x_t = (1 - t) x_b + t x_a + gamma(t) z: from clips of one law, at t = 1, to clips of another, at t = 0.

Two-sided stochastic interpolants: Albergo, Boffi, Vanden-Eijnden 2023, arXiv 2303.08797, in time 1 - t.
The pair (x_a, x_b) may be coupled in any way, and the network sees x_t alone. With the velocity
b = E[x_a - x_b + gamma' z | x_t] and the score s = -E[z | x_t] / gamma the marginals are those of

    dx = b dt                                        either way,
    dx = (b - e s) dt + sqrt(2 e) dw                 as t falls, for any e(t) >= 0,

and of its mirror image as t rises. Where the start is known to the network it is ordinary diffusion:
:class:`~rheos.process.schedule.interpolant.Interpolant`. In a recipe x_b is what came, as a deviation from
the anchor, and x_a an error that the anchor made elsewhere, drawn at random
(:class:`~rheos.process.resampled.Resampled`): as it is independent of the history, given any history the
flow leads from the law of all past errors to that of this forecast's.
"""

import math
from typing import Any, ClassVar, Literal, NoReturn

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.method import Method
from rheos.core.time_field import expand, with_clean_history


class TwoSided(Method):
    """A stochastic interpolant between two sets of clips, either of any law.

    Attributes:
        gamma: the noise on the way: "brownian" sqrt(t (1 - t)), "parabola" t (1 - t), "sine" sin^2(pi t).
        latent: its factor.
        cloud: in a recipe, whose clips start at past errors of the anchor, the deviation about each of them,
            in the anchor's own scale.
    """

    kind: Literal["two_sided"] = "two_sided"
    gamma: Literal["brownian", "parabola", "sine"] = "brownian"
    latent: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    cloud: float = Field(default=0.3, gt=0.0, allow_inf_nan=False)

    def level(self, t: Tensor) -> Tensor:
        """Gamma: how much noise there is, 0 at both ends."""
        match self.gamma:
            case "brownian":
                return self.latent * torch.sqrt(t * (1.0 - t))
            case "parabola":
                return self.latent * t * (1.0 - t)
            case "sine":
                return self.latent * torch.sin(math.pi * torch.minimum(t, 1.0 - t)) ** 2

    def d_level(self, t: Tensor) -> Tensor:
        """gamma'; infinite at the ends of a Brownian bridge."""
        match self.gamma:
            case "brownian":
                return self.latent * (0.5 - t) / torch.sqrt(t * (1.0 - t))
            case "parabola":
                return self.latent * (1.0 - 2.0 * t)
            case "sine":
                return self.latent * math.pi * torch.sin(2.0 * math.pi * t)

    def mixing(self, t: Tensor) -> Tensor:
        """An integral of 1 / gamma^2: how far noise is renewed by a constant e = 1; infinite at both ends."""
        match self.gamma:
            case "brownian":
                total = torch.log(t) - torch.log1p(-t)
            case "parabola":
                total = 1.0 / (1.0 - t) - 1.0 / t + 2.0 * (torch.log(t) - torch.log1p(-t))
            case "sine":
                cotangent = torch.cos(math.pi * t) / torch.sin(math.pi * torch.minimum(t, 1.0 - t))
                total = -(cotangent + cotangent**3 / 3.0) / math.pi
        return total / self.latent**2

    def join(
        self, start: Float[Tensor, "b f *features"], x0: Tensor, t: Tensor, z: Tensor
    ) -> Float[Tensor, "b f *features"]:
        """The clip x_t on the way from `start` to `x0`."""
        way = expand(1.0 - t, x0) * x0 + expand(t, x0) * start
        return way + expand(self.level(t), x0) * z

    def velocity(
        self, difference: Float[Tensor, "b f *features"], noise: Tensor, t: Tensor
    ) -> Float[Tensor, "b f *features"]:
        """The flow b from E[x_a - x_b | x_t] and E[z | x_t], 0 < t < 1."""
        return difference + expand(self.d_level(t), noise) * noise

    def score(self, noise: Float[Tensor, "b f *features"], t: Tensor) -> Float[Tensor, "b f *features"]:
        """Gradient of log p_t from E[z | x_t], 0 < t < 1."""
        return -noise / expand(self.level(t), noise)

    def field(self, t: Tensor, frames: int, context: Context) -> Tensor:
        """The time field of clips at `t`: history at 0."""
        return t if context.history_frames == 0 else with_clean_history(t, context.history_frames, frames)

    @property
    def schedule(self) -> NoReturn:
        """There is none: what is beside the data is another law than the noise's.

        Raises:
            IncompatibleError: always, and says why.
        """
        raise IncompatibleError(
            "process 'two_sided' goes between two laws of clips, so it has no alpha(t) and sigma(t) of data "
            "and noise, by which denoisers, solvers and guidance are written: use rheos.denoise.EndsDenoiser "
            "and rheos.sample.transport, or, where the start is an anchor, process=interpolant."
        )

    coordinates: ClassVar[Any] = schedule
    noise: ClassVar[Any] = schedule
