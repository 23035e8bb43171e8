"""dx = v / M b dt, dv = -(x + G v / M) b dt + sqrt(2 G b) dw: a clip with a velocity, noise on that alone.

Critically damped Langevin diffusion: Dockhorn, Vahdat, Kreis 2021 (arXiv 2112.07068). With L = b t and
F = [[0, 1/M], [-1, -G/M]] the mean is e^(F L) (x_0, 0), and the covariance solves
dC/dL = F C + C F' + diag(0, 2 G) from diag(0, gamma M), v_0 ~ N(0, gamma M) being summed over, and rests at
diag(1, M). As M falls at fixed G it becomes dx = -(b / G) x dt + sqrt(2 b / G) dw, ordinary diffusion.
"""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from rheos.core.keys import Key, Purpose
from rheos.process.linear_face import LinearFace, Operators

_SHORT = 1.0
_SERIES_TERMS = 30


class CriticallyDamped(LinearFace):
    """Diffusion by a velocity that the noise acts on: paths of the clip are smooth.

    Attributes:
        rate: b, how much of the dynamics passes in a unit of t.
        mass: M, which is also the variance of the velocity of pure noise.
        friction: G; 2 sqrt(M), at which nothing oscillates and all is forgotten soonest, unless given.
        initial: gamma, variance of the velocity at t = 0 in units of M.
    """

    kind: Literal["critically_damped"] = "critically_damped"
    parts: ClassVar[int] = 2
    rate: float = Field(default=4.0, gt=0.0)
    mass: float = Field(default=0.25, gt=0.0)
    friction: float | None = Field(default=None, gt=0.0)
    initial: float = Field(default=0.04, gt=0.0)

    @property
    def t_min(self) -> float:
        """Where the published sampler stops, and its clip's noise is about 0.001."""
        return 1e-3

    @property
    def t_max(self) -> float:
        """1, where with the defaults 0.3 % of the clip is left."""
        return 1.0

    @property
    def damping(self) -> float:
        """G."""
        return 2.0 * math.sqrt(self.mass) if self.friction is None else self.friction

    def drift(self, backwards: bool = False) -> Tensor:
        """F per unit of L; that of the reverse process without its score where `backwards`."""
        sign = -1.0 if backwards else 1.0
        rows = [[0.0, sign / self.mass], [-sign, -self.damping / self.mass]]
        return torch.tensor(rows, dtype=torch.float64)

    def moved(self, length: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """e^(F L) and the covariance C of the noise that has come in, each `(*length, 2, 2)`.

        C = S - e^(F L) S e^(F L)' with S = diag(1, M) cancels for small L, where its Taylor series serves.
        """
        f, scale = self.drift(backwards), length[..., None, None]
        flow = self._flow(f, scale)
        rest = torch.diag(torch.tensor([1.0, self.mass], dtype=torch.float64))
        short = scale * float(torch.linalg.matrix_norm(f)) < _SHORT
        near, series = torch.where(short, scale, 0.0), torch.zeros_like(flow)
        term = torch.diag(torch.tensor([0.0, 2.0 * self.damping], dtype=torch.float64))
        for order in range(1, _SERIES_TERMS):
            series = series + near**order * term
            term = (f @ term + term @ f.mT) / (order + 1)
        return flow, torch.where(short, series, rest - flow @ rest @ flow.mT)

    def _flow(self, f: Tensor, length: Tensor) -> Tensor:
        """e^(F L): with k = G / (2 M), (F + k)^2 = d = k^2 - 1 / M, it is e^(-k L) (cosh + sinh / r (F + k)).

        Of r L, r^2 = d; cosine and sine where d < 0, 1 and L where it is 0, the critical damping.
        """
        eye, k = torch.eye(2, dtype=torch.float64), 0.5 * self.damping / self.mass
        d = k**2 - 1.0 / self.mass
        root, decay = math.sqrt(abs(d)), torch.exp(-k * length)
        if d > 0:
            slow = torch.exp((root - k) * length)
            even = 0.5 * slow * (1.0 + torch.exp(-2.0 * root * length))
            odd = slow * -torch.expm1(-2.0 * root * length) / (2.0 * root)
        elif d < 0:
            even, odd = decay * torch.cos(root * length), decay * torch.sin(root * length) / root
        else:
            even, odd = decay, decay * length
        return even * eye + odd * (f + k * eye)

    def operators(self, t: Tensor) -> Operators:
        """The first column of e^(F L) and the Cholesky factor of C, whose equation gives B'."""
        flow, came = self.moved(self.rate * t)
        velocity = flow[..., :, 1:]
        covariance = came + self.initial * self.mass * (velocity @ velocity.mT)
        b = cholesky(covariance)
        f = self.drift()
        grown = f @ covariance
        grown = self.rate * (grown + grown.mT)
        grown[..., 1, 1] += self.rate * 2.0 * self.damping
        eye = torch.eye(2, dtype=torch.float64)
        singular = (t == 0)[..., None, None]
        inverse = torch.where(singular, torch.inf, torch.linalg.inv(torch.where(singular, eye, b)))
        inner = torch.tril(inverse @ grown @ inverse.mT)
        inner = inner - 0.5 * torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1))
        return Operators(a=flow[..., 0], b=b, d_a=self.rate * (flow @ f)[..., 0], d_b=b @ inner)

    def lift(self, x0: Float[Tensor, "b f c *space"], key: Key) -> Float[Tensor, "b f k *space"]:
        """The clip with a velocity of variance gamma M; the START stream of the key is drawn from."""
        v = key.at(Purpose.START, key.step).normal(x0.shape[1:], x0.dtype, x0.device)
        return torch.cat((x0, math.sqrt(self.initial * self.mass) * v), 2)


def cholesky(covariance: Tensor) -> Tensor:
    """Lower factors of `(*, 2, 2)` covariances, zero where nothing varies."""
    first = covariance[..., 0, 0].clamp(min=0.0).sqrt()
    corner = torch.where(first > 0, covariance[..., 1, 0] / torch.where(first > 0, first, 1.0), 0.0)
    second = (covariance[..., 1, 1] - corner**2).clamp(min=0.0).sqrt()
    rows = (torch.stack((first, torch.zeros_like(first)), -1), torch.stack((corner, second), -1))
    return torch.stack(rows, -2)
