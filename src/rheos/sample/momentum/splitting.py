"""exp(l A / 2) exp(l S) exp(l A / 2): the part without score exactly, the score as a kick (SSCS).

A: dx = -(v / M) dl, dv = (x - G v / M) dl + sqrt(2 G) dw, a Gaussian step in closed form. S, which restores
the reverse drift: dv = 2 G (s_v + v / M) dl. Dockhorn, Vahdat, Kreis 2021 (arXiv 2112.07068) take one step of
Euler's rule for S, whose first-order error the symmetry does not mend; the midpoint rule leaves the second.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.critically_damped import CriticallyDamped, cholesky
from rheos.sample.momentum.solver import DrawLike, MomentumMove, MomentumSolver, Pair, Push, lengths
from rheos.sample.solver import Answer


@dataclass(frozen=True, slots=True)
class Gaussian:
    """(x, v) <- matrix (x, v) + factor z, both of entries `((xx, xv), (vx, vv))`, the factor's xv being 0."""

    matrix: tuple[Tensor, ...]
    factor: tuple[Tensor, ...]

    @classmethod
    def of(cls, process: CriticallyDamped, length: Tensor) -> "Gaussian":
        """The reverse process without its score over lengths `(steps, *field)`; :meth:`at` is one of them."""
        matrix, covariance = process.moved(length, backwards=True)
        factor = cholesky(covariance)
        return cls(
            tuple(matrix[..., i, j] for i in (0, 1) for j in (0, 1)),
            (factor[..., 0, 0], factor[..., 1, 0], factor[..., 1, 1]),
        )

    def at(self, step: int) -> "Gaussian":
        """The coefficients of a step."""
        return Gaussian(tuple(one[step] for one in self.matrix), tuple(one[step] for one in self.factor))

    def to(self, like: Tensor) -> "Gaussian":
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return Gaussian(
            tuple(expand(one, like) for one in self.matrix), tuple(expand(one, like) for one in self.factor)
        )

    def __call__(self, x: Tensor, v: Tensor, draw: DrawLike) -> Pair:
        """One exact step with two draws of noise."""
        xx, xv, vx, vv = self.matrix
        first, corner, second = self.factor
        z, w = draw(x), draw(v)
        return (
            (x * xx).addcmul_(v, xv).addcmul_(z, first),
            (x * vx).addcmul_(v, vv).addcmul_(z, corner).addcmul_(w, second),
        )


@dataclass(frozen=True, slots=True)
class SplittingMove(MomentumMove):
    """Half of A, the kick, half of A.

    Attributes:
        half: half of A.
        kick: the whole of S by Euler's rule, asked half-way in time.
        midpoint: whether a half kick comes first and says where the whole one is asked.
    """

    half: Gaussian
    kick: Push
    midpoint: bool

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return replace(self, half=self.half.to(like), kick=self.kick.to(like))

    def apply(self, x: Tensor, v: Tensor, denoise: Answer, draw: DrawLike) -> Pair:
        """One denoiser call by Euler's rule, two by the midpoint rule."""
        x, v = self.half(x, v, draw)
        middle = v + 0.5 * self.kick(x, v, denoise) if self.midpoint else v
        return self.half(x, v + self.kick(x, middle, denoise), draw)


class Splitting(MomentumSolver):
    """The symmetric splitting made for critically damped diffusion: its linear part is exact.

    Attributes:
        kick: how the score's part is solved, by Euler's rule with one denoiser call as published, or by the
            midpoint rule with two, which makes the whole second order.
    """

    kind: Literal["splitting"] = "splitting"
    kick: Literal["euler", "midpoint"] = "euler"

    @property
    def declared_order(self) -> int:
        """Of the law: two with the midpoint rule, one with Euler's."""
        return 2 if self.kick == "midpoint" else 1

    @property
    def evaluations_per_step(self) -> int:
        """One, or two with the midpoint rule."""
        return 2 if self.kick == "midpoint" else 1

    @property
    def stochastic(self) -> bool:
        """Always."""
        return True

    def plan(self, process: CriticallyDamped, fields: Tensor) -> tuple[SplittingMove, ...]:
        """A Gaussian half step and three weights a step."""
        length, score = lengths(process, fields), 2.0 * process.damping
        half = Gaussian.of(process, 0.5 * length)
        between = 0.5 * (fields[:-1] + fields[1:])
        kick = Push.of(process, between, length, (0.0, score / process.mass), score)
        return tuple(
            SplittingMove(half.at(i), kick.at(i), self.kick == "midpoint") for i in range(len(length))
        )
