"""Denoising loss: E w_x(t) |K_t (E[u_0 | u_t] - u_0)|^2, K_t the metric of the coordinates (frame mixing)."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.noising import Noising
from rheos.denoise.solver_error import SolverError


class Objective(Noising):
    """Mean squared error of the denoiser in the coordinates the network sees.

    Attributes:
        solver_error: a penalty on what few-step solvers cannot follow; none unless it has a weight.
    """

    kind: Literal["denoising"] = "denoising"
    solver_error: SolverError = SolverError()

    def __call__(
        self,
        denoiser: Denoiser,
        x0: Float[Tensor, "b f *features"],
        context: Context,
        key: Key,
        noise: Float[Tensor, "b f *features"] | None = None,
    ) -> Float[Tensor, " b"]:
        """Loss of each clip at a random time with random noise.

        Args:
            denoiser: what is trained.
            x0: coded clips; missing entries may hold anything.
            context: of the clips.
            key: of the clips (its step tells training steps apart).
            noise: what belongs to each clip, where they are pairs (see `rheos.sample.pairs`); else it is
                drawn from the key.

        Raises:
            IncompatibleError: the process' coordinates need what the context does not have.
        """
        shown = self.noised(denoiser, x0, context, key, noise)
        mean = denoiser(shown.u, shown.at, shown.context).mean
        loss = self.cost(denoiser, shown, mean - shown.clean)
        if (strength := self.solver_error.strength(key.step)) == 0.0:
            return loss
        penalty = self.solver_error(denoiser, shown.u, mean, shown.at, shown.observed, shown.context)
        return loss + strength * penalty
