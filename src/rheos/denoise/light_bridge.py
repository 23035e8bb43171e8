"""The light Schroedinger bridge: entropic transport between two sets of clips by a Gaussian mixture.

Korotin, Gushchin, Burnaev 2024, arXiv 2310.01174. With cost |x_a - x_b|^2 / 2 and entropy eps, the potential
is v(x_b) = sum_k a_k N(x_b; r_k, eps S_k), and the plan

    x_b | x_a ~ sum_k w_k N(r_k + S_k x_a, eps S_k),   w_k ~ a_k exp((x_a' S_k x_a + 2 r_k' x_a) / (2 eps)).

c(x_a) being the sum of those weights, it is fitted by the least mean log c(x_a) - mean log v(x_b). The way
from a start to its end is a Brownian bridge, x_t = (1 - t) x_b + t x_a + sqrt(eps t (1 - t)) z, and what is
believed of the end depends on x_t alone, with precisions Lam_k = (S_k^-1 + (1/t - 1) I) / eps:

    E[x_b | x_t] = sum_k w_k Lam_k^-1 h_k,   h_k = (S_k^-1 r_k + x_t / t) / eps,
    log w_k = log a_k - log|S_k Lam_k| / 2 + h_k' Lam_k^-1 h_k / 2 - r_k' S_k^-1 r_k / (2 eps) + const.

So it is a denoiser of the interpolant from the anchor x_a, and every solver draws from the plan with it.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.process.coordinates import Anchored
from rheos.process.process import Process
from rheos.process.schedule import Interpolant

_ROUNDS, _SHARE = 20, 0.1  # of L-BFGS, each of 50 steps; first variance of a component over the data's
_LEAST = 1e-8  # of a spread: ends that are one point have no likeliest
_TOO_FAR = 1e10  # the loss where numbers overflow


@dataclass(frozen=True, slots=True)
class LightBridge:
    """A fitted plan between two laws of clips, and the exact denoiser of its way; implements Denoise.

    Attributes:
        epsilon: entropy, the variance of the Brownian motion that is bent.
        log_weights: log a_k, `(k,)`, float64.
        centers: r_k, `(k, n)`.
        spreads: diagonals of S_k, `(k, n)`; with `axes` its eigenvalues.
        axes: eigenvectors of S_k by column, `(k, n, n)`; None where S_k is diagonal.
    """

    epsilon: float
    log_weights: Tensor
    centers: Tensor
    spreads: Tensor
    axes: Tensor | None = None

    @classmethod
    def fit(
        cls,
        start: Float[Tensor, "a f *features"],
        end: Float[Tensor, "b f *features"],
        *,
        key: Key,
        epsilon: float = 0.1,
        components: int = 10,
        covariance: Literal["diagonal", "full"] = "diagonal",
    ) -> "LightBridge":
        """The plan of greatest likelihood between two sets of clips, neither paired nor of one size.

        Args:
            start: clips x_a.
            end: clips x_b.
            key: one row; the components start at clips it draws.
            epsilon: entropy; small ones come near optimal transport and need more components.
            components: of the mixture.
            covariance: of each S_k; full ones have n^2 numbers each, and know how entries go together.

        Raises:
            InputError: a number is not positive or finite, or the sets' clips differ in shape.
        """
        a, b = (clips.detach().to("cpu", torch.float64).flatten(1) for clips in (start, end))
        _check(start, end, epsilon, components)
        first = b[key.at(Purpose.DATA).integers(len(b), components)[0]]
        spread = (_SHARE * b.var(0, correction=0) / epsilon).clamp(min=1e-3)
        # A component starts at r + S x_a for the mean start, which puts it among the ends.
        centers = first - spread * a.mean(0)
        full = covariance == "full"
        begun = spread.sqrt().diag() if full else spread.log()
        parameters = [
            torch.full((components,), -math.log(components), dtype=torch.float64).requires_grad_(),
            centers.clone().requires_grad_(),
            begun.expand(components, *begun.shape).clone().requires_grad_(),
        ]
        loss_of = _full_loss if full else _diagonal_loss
        optimizer = torch.optim.LBFGS(
            parameters, max_iter=50, history_size=20, tolerance_grad=1e-12, tolerance_change=1e-15,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def loss() -> Tensor:
            optimizer.zero_grad()
            weights, middles, sizes = parameters
            value = loss_of(epsilon, weights, middles, sizes, a, b)
            value.backward()
            found = (value, *(one.grad for one in parameters if one.grad is not None))
            if all(bool(one.isfinite().all()) for one in found):
                return value.detach()
            # A line search may step beyond what numbers hold: it must learn that this was too far.
            optimizer.zero_grad(set_to_none=False)
            return torch.full_like(value, _TOO_FAR).detach()

        with torch.enable_grad():
            last = math.inf
            for _ in range(_ROUNDS):
                value = float(optimizer.step(loss))
                if not last - value > 1e-10:
                    break
                last = value
        weights, middles, sizes = (one.detach() for one in parameters)
        weights = torch.log_softmax(weights, 0)
        if not full:
            return cls(epsilon, weights, middles, _LEAST + sizes.exp())
        axes, roots, _ = torch.linalg.svd(sizes)
        return cls(epsilon, weights, middles, _LEAST + roots**2, axes)

    def loss(self, start: Float[Tensor, "a n"], end: Float[Tensor, "b n"]) -> Tensor:
        """Mean log c(x_a) - mean log v(x_b): the plan's negative log likelihood but for a constant."""
        away = self._along(end[:, None] - self.centers)
        squares = (away**2 / self.spreads).sum(2) / self.epsilon
        volume = (2.0 * math.pi * self.epsilon * self.spreads).log().sum(1)
        potential = torch.logsumexp(self.log_weights - 0.5 * (squares + volume), 1)
        return torch.logsumexp(self._log_shares(start), 1).mean() - potential.mean()

    def _log_shares(self, start: Tensor) -> Tensor:
        """log of each weight of the plan before they are made to add up to 1, `(b, k)`."""
        if self.axes is None:
            squares = start**2 @ self.spreads.mT
        else:
            squares = (self._along(start[:, None]) ** 2 * self.spreads).sum(2)
        return self.log_weights + (squares + 2.0 * start @ self.centers.mT) / (2.0 * self.epsilon)

    def _along(self, values: Float[Tensor, "b #k n"]) -> Float[Tensor, "b k n"]:
        """Numbers of entries as numbers along the axes of each S_k."""
        return values if self.axes is None else torch.einsum("bkn,knm->bkm", self._each(values), self.axes)

    def _back(self, values: Float[Tensor, "b k n"]) -> Float[Tensor, "b k n"]:
        """The inverse."""
        return values if self.axes is None else torch.einsum("bkm,knm->bkn", values, self.axes)

    def _each(self, values: Tensor) -> Tensor:
        return values.expand(-1, len(self.log_weights), -1)

    def plan(
        self, start: Float[Tensor, "b f *features"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k n"], Float[Tensor, "k n"]]:
        """Weights, means and variances (along the axes) of the mixture that x_b is of, given x_a; float64."""
        flat = start.to("cpu", torch.float64).flatten(1)
        means = self.centers + self._back(self.spreads * self._along(flat[:, None]))
        return torch.softmax(self._log_shares(flat), 1), means, self.epsilon * self.spreads

    def draw(self, start: Float[Tensor, "b f *features"], key: Key) -> Float[Tensor, "b f *features"]:
        """Ends x_b of starts x_a, drawn from the plan itself: no step is needed.

        Args:
            start: clips x_a.
            key: one row a clip.
        """
        weights, means, variances = self.plan(start)
        chosen = (
            (weights.cumsum(1) < key.at(Purpose.DATA).uniform((1,))).sum(1).clamp(max=weights.shape[1] - 1)
        )
        z = key.at(Purpose.START).normal((means.shape[2],), torch.float64)
        drawn = (means + self._back(variances.sqrt() * z[:, None]))[torch.arange(len(means)), chosen]
        return drawn.reshape(start.shape).to(start)

    @property
    def process(self) -> Process:
        """The Brownian bridge from the context's anchor, x_a; its scale must be 1."""
        return Process(Interpolant(latent=math.sqrt(self.epsilon)), Anchored())

    def __call__(self, u: Float[Tensor, "b f *features"], t: Tensor, context: Context) -> Posterior:
        """The posterior mean of u_0 = x_b - x_a.

        Raises:
            IncompatibleError: frames have times of their own, or the anchor a scale.
        """
        if t.ndim > 1 or context.history_frames > 0 or context.anchor_scale is not None:
            raise IncompatibleError(
                "a light bridge knows whole clips at one time, in their own units: give no history, no "
                "anchor scale, and one time a clip."
            )
        process = self.process
        x = process.coordinates.to_seen(u, t, context).to("cpu", torch.float64).flatten(1)
        share = (1.0 - process.schedule.alpha(t)).reshape(-1, 1)
        mean = torch.where(share > 0.0, self.believed(x, share), x).reshape(u.shape).to(u)
        return Posterior(process.coordinates.to_canonical(mean, t, context))

    def believed(self, x: Float[Tensor, "b n"], t: Float[Tensor, "b 1"]) -> Float[Tensor, "b n"]:
        """E[x_b | x_t] where t of the way back to the start is left; float64.

        Written with q = eps Lam S = 1 + (1/t - 1) S, so that nothing is divided by a small spread.
        """
        left = t.clamp(min=1e-100)[:, None]
        centers, here = self._along(self.centers[None]), self._along(x[:, None])
        rate = 1.0 + (1.0 / left - 1.0) * self.spreads
        means = self._back((centers + self.spreads * here / left) / rate)
        # h' Lam^-1 h - r' S^-1 r / eps, the two brought together: each alone is huge where S is small.
        both = 2.0 * centers * here / left + self.spreads * (here / left) ** 2
        both = both - (1.0 / left - 1.0) * centers**2
        evidence = self.log_weights - 0.5 * rate.log().sum(2) + 0.5 * (both / rate).sum(2) / self.epsilon
        return (torch.softmax(evidence, 1)[..., None] * means).sum(1)


def _diagonal_loss(
    epsilon: float, log_weights: Tensor, centers: Tensor, logs: Tensor, start: Tensor, end: Tensor
) -> Tensor:
    return LightBridge(epsilon, log_weights, centers, _LEAST + logs.exp()).loss(start, end)


def _full_loss(
    epsilon: float, log_weights: Tensor, centers: Tensor, roots: Tensor, start: Tensor, end: Tensor
) -> Tensor:
    """The loss of S_k = R_k R_k' + a little: its axes would have no gradient where two of them are alike."""
    count = end.shape[1]
    matrix = roots @ roots.mT + _LEAST * torch.eye(count, dtype=roots.dtype)
    factor = torch.linalg.cholesky(matrix)
    away = torch.linalg.solve_triangular(factor, (end[:, None] - centers).permute(1, 2, 0), upper=False)
    squares = away.square().sum(1).mT / epsilon
    volume = count * math.log(2.0 * math.pi * epsilon) + 2.0 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
    potential = torch.logsumexp(log_weights - 0.5 * (squares + volume), 1)
    tilt = torch.einsum("bi,kij,bj->bk", start, matrix, start) + 2.0 * start @ centers.mT
    return torch.logsumexp(log_weights + tilt / (2.0 * epsilon), 1).mean() - potential.mean()


def _check(start: Tensor, end: Tensor, epsilon: float, components: int) -> None:
    """Refuse what has no plan, before any work."""
    if start.shape[1:] != end.shape[1:] or not len(start) or not len(end):
        raise InputError(
            f"a bridge joins clips of one shape, but these are of {tuple(start.shape)} and "
            f"{tuple(end.shape)}; give clips alike."
        )
    if not (math.isfinite(epsilon) and epsilon > 0.0 and components >= 1):
        raise InputError(f"epsilon={epsilon} and components={components}, but both are above 0.")
    if not bool(torch.isfinite(start).all() and torch.isfinite(end).all()):
        raise InputError("clips hold numbers that are not finite; give clips that are whole.")
