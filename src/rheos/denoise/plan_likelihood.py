"""-log p(x_b | x_a) / n: how unlikely what came is by a light bridge's plan, from the start of its history.

Korotin, Gushchin, Burnaev 2024, arXiv 2310.01174, minimize mean log c(x_a) - mean log v(x_b): the same for
pairs, whose mean <x_a, x_b> counts as soon as starts are learned.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.core.method import Method
from rheos.denoise.bridge_denoiser import BridgeDenoiser


class PlanLikelihood(Method):
    """Negative log-likelihood of a light bridge's plan, a mean over entries, without noise or times."""

    kind: Literal["plan_likelihood"] = "plan_likelihood"

    def __call__(
        self, denoiser: BridgeDenoiser, x0: Float[Tensor, "b f c *space"], context: Context, key: Key
    ) -> Float[Tensor, " b"]:
        """Loss of each clip.

        Args:
            denoiser: what is trained.
            x0: clips; missing entries, by `context.mask`, may hold anything.
            context: of the clips.
            key: of the clips, of which nothing is drawn.
        """
        past = context.history_frames
        end = denoiser.canonical(x0, context)
        ahead = context.counts(end)[:, past:].flatten(1)
        found = denoiser.log_likelihood(denoiser.start(context, end), end[:, past:].flatten(1), ahead)
        return -found / ahead.sum(1).clamp(min=1.0)
