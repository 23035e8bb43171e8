"""The exact denoiser of Gaussian data u_0 ~ N(m, C), for any time field.

With A = diag(alpha), B = diag(sigma) over the clip's entries, K the noise's correlation along frames (the
identity if white), u_t ~ N(A m, S), S = A C A + B K B, and

    E[u_0 | u_t] = m + C A S^-1 (u_t - A m),   Cov[u_0 | u_t] = C - C A S^-1 A C.

Entries at t = 0 are conditioned on: clean history needs no other formula.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.process.process import Process

_KEPT = 16


@dataclass(frozen=True, slots=True)
class _Law:
    """Of u_t at one time field; leading axis 1 or b, n entries flattened."""

    alpha: Tensor
    precision: Tensor
    log_det: Tensor
    gain: Tensor
    covariance: Tensor


class GaussianOracle:
    """Exact posterior of Gaussian canonical data; implements the Denoise protocol.

    Attributes:
        mean: m, flattened `(n,)`, float64.
        covariance: C, `(n, n)`, float64; may be singular.
        process: the schedule's owner.
    """

    def __init__(self, mean: Tensor, covariance: Tensor, process: Process) -> None:
        """State the law of the canonical clip u_0.

        Args:
            mean: `(f, *features)` or flattened.
            covariance: of the flattened clip, `(n, n)`.
            process: gives alpha and sigma.

        Raises:
            InputError: the sizes disagree.
            IncompatibleError: the process' noise is not Gaussian.
        """
        if not process.noise.gaussian:
            raise IncompatibleError(
                f"Gaussian data under {process.noise.name()!r} noise have no Gaussian posterior: use a "
                "process with Gaussian noise."
            )
        self.mean = mean.detach().to("cpu", torch.float64).flatten()
        self.covariance = covariance.detach().to("cpu", torch.float64)
        self.process = process
        n = len(self.mean)
        if self.covariance.shape != (n, n):
            raise InputError(
                f"the mean has {n} entries, so the covariance must be ({n}, {n}), "
                f"not {tuple(self.covariance.shape)}."
            )
        self._laws: OrderedDict[tuple[object, ...], _Law] = OrderedDict()

    def __call__(
        self, u: Float[Tensor, "b f *features"], t: Tensor, context: Context | None = None
    ) -> Posterior:
        """Mean `(b, f, *features)` and covariance `(1 or b, n, n)` of u_0 given u_t."""
        law = self._law(t, u)
        gain = law.gain.to(u)
        mean = self.mean.to(u)
        deviation = (u.flatten(1) - law.alpha.to(u) * mean)[..., None]
        posterior = mean + torch.matmul(gain, deviation)[..., 0]
        return Posterior(mean=posterior.reshape(u.shape), covariance=law.covariance.to(u))

    def log_prob(self, u: Float[Tensor, "b f *features"], t: Tensor) -> Float[Tensor, " b"]:
        """Log density of u_t (without the constant of directions of variance 0), float64."""
        law = self._law(t, u)
        deviation = u.to("cpu", torch.float64).flatten(1) - law.alpha * self.mean
        distance = (deviation * torch.matmul(law.precision, deviation[..., None])[..., 0]).sum(1)
        return -0.5 * (distance + law.log_det)

    def score(self, u: Float[Tensor, "b f *features"], t: Tensor) -> Float[Tensor, "b f *features"]:
        """Gradient of :meth:`log_prob` in u, in u's dtype."""
        law = self._law(t, u)
        deviation = u.to("cpu", torch.float64).flatten(1) - law.alpha * self.mean
        return -torch.matmul(law.precision, deviation[..., None])[..., 0].reshape(u.shape).to(u)

    def _law(self, t: Tensor, u: Tensor) -> _Law:
        name = (tuple(t.shape), t.detach().to(torch.float64).numpy().tobytes(), tuple(u.shape))
        if name in self._laws:
            self._laws.move_to_end(name)
            return self._laws[name]
        self._laws[name] = law = self._compute(t, u)
        if len(self._laws) > _KEPT:
            self._laws.popitem(last=False)
        return law

    def _compute(self, t: Tensor, u: Tensor) -> _Law:
        n = len(self.mean)
        if u[0].numel() != n:
            raise InputError(f"the oracle knows clips of {n} entries, not of shape {tuple(u.shape[1:])}.")
        expand(t, u)  # refuses a field that does not lead the clip
        rows = t.shape[0] if t.ndim else 1
        like = torch.empty((rows, *u.shape[1:]), dtype=torch.float64)
        alpha = expand(self.process.schedule.alpha(t), like).expand_as(like).flatten(1)
        sigma = expand(self.process.schedule.sigma(t), like).expand_as(like).flatten(1)
        signal = alpha[:, :, None] * self.covariance * alpha[:, None, :]
        frames, entries = u.shape[1], n // u.shape[1]
        along, across = self.process.noise.correlation(frames), self.process.noise.across(entries)
        if along is None and across is None:
            law = signal + torch.diag_embed(sigma**2)
        else:
            whole = torch.kron(
                torch.eye(frames, dtype=torch.float64) if along is None else along,
                torch.eye(entries, dtype=torch.float64) if across is None else across,
            )
            law = signal + sigma[:, :, None] * whole * sigma[:, None, :]
        precision, log_det = _invert(law)
        gain = (self.covariance * alpha[:, None, :]) @ precision
        return _Law(
            alpha=alpha,
            precision=precision,
            log_det=log_det,
            gain=gain,
            covariance=self.covariance - gain @ (alpha[:, :, None] * self.covariance),
        )


def _invert(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Pseudo-inverse, and log det(2 pi covariance) over the directions that vary; `(..., n, n)`."""
    # Unit diagonal first, or entries at t = 0 would drown beside sigma = 80; a pseudo-inverse, because
    # data that never varies may be clean.
    scale = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    inverse = torch.where(scale > 0.0, 1.0 / scale, 0.0)
    values, vectors = torch.linalg.eigh(inverse[..., :, None] * covariance * inverse[..., None, :])
    smallest = values.shape[-1] * torch.finfo(values.dtype).eps * values.amax(-1, keepdim=True)
    kept = values > smallest
    root = inverse[..., :, None] * vectors * torch.where(kept, values, torch.inf).rsqrt()[..., None, :]
    log_det = torch.where(kept, values, 1.0).log().sum(-1)
    log_det = log_det + 2.0 * torch.where(scale > 0.0, scale, 1.0).log().sum(-1)
    return root @ root.mT, log_det + kept.to(values).sum(-1) * math.log(2.0 * math.pi)
