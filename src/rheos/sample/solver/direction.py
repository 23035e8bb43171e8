"""u_n = scale u_s + direct D + sum_j weights_j V_j + noise z, V the noise direction or its running average.

The step of solvers that remember eps = (u - alpha D) / sigma in place of D, each at the time it was found.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from rheos.core.time_field import expand
from rheos.sample.solver.solver import Answer, Draw, Move, State


@dataclass(frozen=True, slots=True)
class DirectionMove(Move):
    """One step by noise directions; where an entry starts from pure noise or ends here, by D itself.

    Attributes:
        time: the field at which D is asked.
        scale: of u.
        direct: of D, None where it is of no use to any entry.
        slope: of u and of D in the noise direction.
        weights: of V, newest first; empty where D serves every entry.
        keep: how many V later steps may look back at.
        blend: the newest direction's share in V; None where V is that direction.
        noise: None where nothing is drawn.
    """

    time: Tensor
    scale: Tensor
    direct: Tensor | None
    slope: tuple[Tensor, Tensor]
    weights: tuple[Tensor, ...]
    keep: int
    blend: Tensor | None = None
    noise: Tensor | None = None

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return replace(
            self,
            scale=expand(self.scale, like),
            direct=None if self.direct is None else expand(self.direct, like),
            slope=(expand(self.slope[0], like), expand(self.slope[1], like)),
            weights=tuple(expand(weight, like) for weight in self.weights),
            blend=None if self.blend is None else expand(self.blend, like),
            noise=None if self.noise is None else expand(self.noise, like),
        )

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """One denoiser call; two operations for the direction, one for its average, one a weight."""
        answer = denoise(state.u, self.time)
        u = state.u * self.scale
        if self.direct is not None:
            u.addcmul_(answer, self.direct)
        if self.noise is not None:
            u.addcmul_(draw(), self.noise)
        if not self.weights:
            return State(u)
        direction = (state.u * self.slope[0]).addcmul_(answer, self.slope[1])
        if state.history and self.blend is not None:
            direction = torch.lerp(state.history[0], direction, self.blend)
        history = (direction, *state.history)
        for weight, past in zip(self.weights, history, strict=False):
            u.addcmul_(past, weight)
        return State(u, history[: self.keep])
