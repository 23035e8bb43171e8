"""Denoising loss: E w_x(t) |K_t (E[u_0 | u_t] - u_0)|^2, K_t the metric of the coordinates (frame mixing).

Denoising score matching as in Ho et al. 2020, arXiv 2006.11239, and Karras et al. 2022, arXiv 2206.00364.
"""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.noising import Noising
from rheos.denoise.solver_error import SolverError
from rheos.process.process import Process


class Objective(Noising):
    """Mean squared error of the denoiser in the coordinates the network sees.

    Attributes:
        solver_error: a penalty on what few-step solvers cannot follow; none unless it has a weight.
        unconditional: probability that a clip is trained without being told its history, which is noisy like
            the rest of it: the law of whole clips, for guidance to lean on (1: TSDiff, arXiv 2307.11494, and
            GPD, arXiv 2406.02212; between: arXiv 2207.12598). Needs `process.history=diffused` and
            `anchor=none`; at 1 also `times=per_frame`, since a forecast then holds the history at t = 0.
    """

    kind: Literal["denoising"] = "denoising"
    solver_error: SolverError = SolverError()
    unconditional: float = Field(default=0.0, ge=0.0, le=1.0)

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
            IncompatibleError: the process' coordinates need what the context does not have, or clips are to
                be trained without a history that is clean.
        """
        if self.unconditional > 0.0:
            context = self._unconditioned(denoiser.process, context, key)
        shown = self.noised(denoiser, x0, context, key, noise)
        mean = denoiser(shown.u, shown.at, shown.context).mean
        loss = self.cost(denoiser, shown, mean - shown.clean)
        if (strength := self.solver_error.strength(key.step)) == 0.0:
            return loss
        penalty = self.solver_error(denoiser, shown.u, mean, shown.at, shown.observed, shown.context)
        return loss + strength * penalty

    def _unconditioned(self, process: Process, context: Context, key: Key) -> Context:
        """The context with the history of some clips hidden.

        Raises:
            IncompatibleError: the clips show it.
        """
        if process.history == "clean" and context.history_frames > 0:
            raise IncompatibleError(
                f"unconditional={self.unconditional:g} hides the history of clips, but with history='clean' "
                "they show it at t = 0; use history='diffused'."
            )
        return context.hidden(key.at(Purpose.AUGMENT, key.step).uniform(()) < self.unconditional)
