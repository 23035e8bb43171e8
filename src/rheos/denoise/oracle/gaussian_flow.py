"""u_s = alpha_s m + S_s^(1/2) S_t^(-1/2) (u_t - alpha_t m), S_t = alpha_t^2 C + sigma_t^2: an exact flow map.

Of Gaussian data u_0 ~ N(m, C) under white noise, at one time a clip: all S_t have the eigenvectors of C, and
along each the flow keeps the number of standard deviations. Clean history is conditioned on first.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.time_field import expand
from rheos.denoise.oracle.gaussian import GaussianOracle
from rheos.process.noise import White
from rheos.process.process import Process


class GaussianFlow(GaussianOracle):
    """The oracle of Gaussian data that also knows its flow; implements the Carries protocol."""

    def __init__(self, mean: Tensor, covariance: Tensor, process: Process) -> None:
        """As for the oracle.

        Raises:
            IncompatibleError: noise is not white.
        """
        super().__init__(mean, covariance, process)
        if not isinstance(process.noise, White):
            raise IncompatibleError(
                f"the flow of Gaussian data has a closed form under white noise, not under "
                f"{process.noise.name()!r} noise: use process.noise=white."
            )

    def carry(
        self, u: Float[Tensor, "b f *features"], t: Tensor, s: Tensor, context: Context | None = None
    ) -> Float[Tensor, "b f *features"]:
        """The clip u_s that the flow through u_t passes at `s`.

        Args:
            u: canonical clip u_t.
            t: its time field; entries at t = 0 are known and stay.
            s: time field where to go, 0 on the same entries or everywhere.
            context: nothing is read of it.

        Raises:
            IncompatibleError: entries that are not known have several times.
        """
        like = torch.empty(u.shape, dtype=torch.float64)
        first, last = (expand(time, like).expand_as(like).flatten(1) for time in (t, s))
        free = first[0] > 0.0
        for times in (first, last):
            if bool((times[:, free] != times[:, free][:, :1]).any()) or bool((times[:, ~free] > 0.0).any()):
                raise IncompatibleError(
                    "the flow of Gaussian data has a closed form where all that is not known of a clip is at "
                    "one time: give a time field of one number a clip, 0 on clean history."
                )
        flat = u.to("cpu", torch.float64).flatten(1)
        mean, values, vectors = self._given(flat, free)
        start, end = (self._levels(times[:, free][:, :1], values) for times in (first, last))
        away = (flat[:, free] - start[0] * mean) @ vectors
        moved = end[0] * mean + (away * (end[1] / start[1])) @ vectors.mT
        out = flat.clone()
        out[:, free] = moved
        return out.reshape(u.shape).to(u)

    def _given(self, flat: Tensor, free: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means of what is free given what is known, and eigenvalues and vectors of its covariance."""
        known = ~free
        across = self.covariance[free][:, known] @ torch.linalg.pinv(self.covariance[known][:, known])
        mean = self.mean[free] + (flat[:, known] - self.mean[known]) @ across.mT
        left = self.covariance[free][:, free] - across @ self.covariance[known][:, free]
        values, vectors = torch.linalg.eigh(0.5 * (left + left.mT))
        return mean, values.clamp(min=0.0), vectors

    def _levels(self, time: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """alpha `(b, 1)`, and the standard deviation of u_t along each eigenvector `(b, n)`."""
        schedule = self.process.schedule
        alpha, sigma = schedule.alpha(time), schedule.sigma(time)
        return alpha, torch.sqrt(alpha**2 * values + sigma**2)
