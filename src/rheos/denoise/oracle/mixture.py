"""The exact denoiser of a Gaussian mixture u_0 ~ sum_j w_j N(m_j, C_j), for any time field.

With S_j the covariance of u_t under component j, r_j = softmax_j(log w_j + log N(u; A m_j, S_j)) and D_j
the component's own posterior mean,

    E[u_0 | u_t] = sum_j r_j D_j,   Cov = sum_j r_j (C_j|u + D_j D_j^T) - E E^T.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.protocols import Posterior
from rheos.denoise.oracle.gaussian import GaussianOracle
from rheos.process.process import Process


class MixtureOracle:
    """Exact posterior of canonical data from a Gaussian mixture; implements the Denoise protocol.

    Attributes:
        log_weights: `(k,)`, float64, normalized.
        components: one exact Gaussian posterior each.
        process: the schedule's owner.
    """

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor, process: Process) -> None:
        """State the law of the canonical clip u_0.

        Args:
            weights: `(k,)`, positive, of any sum.
            means: `(k, f, *features)` or `(k, n)`.
            covariances: `(k, n, n)`, or `(k,)` variances of isotropic components.
            process: gives alpha and sigma.

        Raises:
            InputError: the numbers of components disagree.
        """
        if not len(weights) == len(means) == len(covariances):
            raise InputError(
                f"a mixture needs as many weights as means and covariances, but there are "
                f"{len(weights)}, {len(means)} and {len(covariances)}."
            )
        n = means[0].numel()
        if covariances.ndim == 1:
            covariances = covariances[:, None, None] * torch.eye(n, dtype=covariances.dtype)
        self.log_weights = torch.log_softmax(weights.to("cpu", torch.float64).log(), 0)
        self.components = [GaussianOracle(m, c, process) for m, c in zip(means, covariances, strict=True)]
        self.process = process

    def responsibilities(self, u: Float[Tensor, "b f *features"], t: Tensor) -> Float[Tensor, "b k"]:
        """The probability of each component given u_t, float64."""
        return torch.softmax(self._joint(u, t), 1)

    def log_prob(self, u: Float[Tensor, "b f *features"], t: Tensor) -> Float[Tensor, " b"]:
        """Log density of u_t, float64."""
        return torch.logsumexp(self._joint(u, t), 1)

    def __call__(
        self, u: Float[Tensor, "b f *features"], t: Tensor, context: Context | None = None
    ) -> Posterior:
        """Mean `(b, f, *features)` and covariance `(b, n, n)` of u_0 given u_t."""
        share = self.responsibilities(u, t).to(u)
        parts = [component(u, t) for component in self.components]
        each = torch.stack([part.mean.flatten(1) for part in parts], 1)
        mean = (share[:, :, None] * each).sum(1)
        spread = each - mean[:, None]
        covariance = torch.einsum("bk,bki,bkj->bij", share, spread, spread)
        for j, part in enumerate(parts):
            if part.covariance is not None:
                covariance = covariance + share[:, j, None, None] * part.covariance
        return Posterior(mean=mean.reshape(u.shape), covariance=covariance)

    def _joint(self, u: Tensor, t: Tensor) -> Tensor:
        evidence = torch.stack([component.log_prob(u, t) for component in self.components], 1)
        return self.log_weights.to(evidence.device) + evidence
