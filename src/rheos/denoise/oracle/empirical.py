"""The exact denoiser of data that are one of n known clips, under any base noise with a density.

    E[u_0 | u_t] = sum_i r_i y_i,   r = softmax_i log p_z((u_t - alpha y_i) / sigma).

For Student-t noise r_i ~ (|u - y_i|^2 + D sigma^2)^(-(N + D)/2), the field of PFGM++ (arXiv 2302.04265).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.process.process import Process


class EmpiricalOracle:
    """Exact posterior of a clip drawn from a list; implements the Denoise protocol.

    Attributes:
        points: the canonical clips `(n, f, *features)`.
        process: its schedule and noise.
    """

    def __init__(self, points: Float[Tensor, "n f *features"], process: Process) -> None:
        """State the clips, all equally likely."""
        self.points = points.detach()
        self.process = process

    def __call__(
        self, u: Float[Tensor, "b f *features"], t: Tensor, context: Context | None = None
    ) -> Posterior:
        """Mean of u_0 given u_t, at one time a clip.

        Raises:
            IncompatibleError: frames of a clip have times of their own, or the time is 0.
        """
        if t.ndim > 1 or bool((t == 0.0).any()):
            raise IncompatibleError(
                f"the empirical oracle weighs whole noisy clips: give one time above 0 a clip, not a field "
                f"of shape {tuple(t.shape)}; clean frames would have to be those of a known clip exactly."
            )
        schedule = self.process.schedule
        alpha, sigma = expand(schedule.alpha(t), u)[:, None], expand(schedule.sigma(t), u)[:, None]
        points = self.points.to(u)
        z = (u[:, None] - alpha * points) / sigma
        evidence = self.process.noise.log_prob(z.flatten(0, 1), context or Context())
        share = torch.softmax(evidence.reshape(len(u), len(points)), 1)
        return Posterior(mean=torch.einsum("bn,n...->b...", share, points))
