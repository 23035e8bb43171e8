"""Coordinates: x_t = C_t(u_t), C_t affine and invertible; (A * B)(u) = A(B(u)).

The network sees x_t and the loss weighs K_t e, K_t the linear part of C_t less its units; everything else
lives in u.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import InstanceOf, SerializeAsAny
from torch import Tensor

from rheos.core.context import Context
from rheos.core.method import Method
from rheos.core.time_field import rows_of
from rheos.process.noise.along_frames import apply


class Seen(ABC):
    """C_t at one time: canonical clip and context to the seen clip."""

    @abstractmethod
    def __call__(self, u: Tensor, context: Context) -> Tensor:
        """The seen clip."""

    @abstractmethod
    def rows(self, part: slice) -> "Seen":
        """The same map of some of the clips."""


@dataclass(frozen=True, slots=True)
class SeenAlongFrames(Seen):
    """Multiplies a clip's frames by a matrix `(f, f)`, or by one for each clip `(b, f, f)`."""

    matrix: Tensor

    def __call__(self, u: Tensor, context: Context) -> Tensor:
        """The product."""
        return apply(self.matrix, u)

    def rows(self, part: slice) -> Seen:
        """Matrices of some clips, where there is one for each."""
        return self if self.matrix.ndim == 2 else SeenAlongFrames(rows_of(self.matrix, part))


@dataclass(frozen=True, slots=True)
class _SeenAt(Seen):
    """C_t of coordinates that keep nothing."""

    coordinates: "Coordinates"
    t: Tensor

    def __call__(self, u: Tensor, context: Context) -> Tensor:
        """C_t(u)."""
        return self.coordinates.to_seen(u, self.t, context)

    def rows(self, part: slice) -> Seen:
        """At the times of some clips."""
        return _SeenAt(self.coordinates, rows_of(self.t, part))


@dataclass(frozen=True, slots=True)
class _Chain(Seen):
    """One map after the other."""

    steps: tuple[Seen, ...]

    def __call__(self, u: Tensor, context: Context) -> Tensor:
        """The first one first."""
        for step in self.steps:
            u = step(u, context)
        return u

    def rows(self, part: slice) -> Seen:
        """Each of some clips."""
        return _Chain(tuple(step.rows(part) for step in self.steps))


class Coordinates(Method, ABC):
    """An affine, invertible map between canonical clips u and seen clips x, at each time field t.

    Clips are `(b, f, *features)`; `t` is a time field.
    """

    @abstractmethod
    def to_seen(
        self, u: Float[Tensor, "b f *features"], t: Tensor, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """C_t(u), what the network sees."""

    def seen_at(self, times: Tensor, like: Tensor) -> list[Seen]:
        """C_t at several times, with all that depends on time alone computed once, and kept.

        Args:
            times: `(n, *field)`, the time fields one after the other.
            like: a clip, whose shape, dtype and device those to come have.
        """
        return [_SeenAt(self, t) for t in times]

    @abstractmethod
    def to_canonical(
        self, x: Float[Tensor, "b f *features"], t: Tensor, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """Inverse of :meth:`to_seen`."""

    @abstractmethod
    def linear(
        self, e: Float[Tensor, "b f *features"], t: Tensor, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """L_t e, the linear part alone."""

    def metric(
        self, e: Float[Tensor, "b f *features"], t: Tensor, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """K_t e, whose square is what an error e of the canonical prediction costs: L_t e by default."""
        return self.linear(e, t, context)

    @abstractmethod
    def log_det(self, t: Tensor, shape: Sequence[int], context: Context) -> Float[Tensor, " b"]:
        """log |det L_t| of each clip of `shape = (b, f, *features)`, float64 on the CPU."""

    @property
    @abstractmethod
    def causal(self) -> bool:
        """Whether a frame of x depends on this and earlier frames of u only, which clean history needs."""

    @property
    def entrywise(self) -> bool:
        """Whether an entry of data x_0 depends on that entry of u_0 only."""
        return True

    def __mul__(self, inner: "Coordinates") -> "Composed":
        """(self * inner)(u) = self(inner(u)); the result lists its parts flat."""
        parts: list[Coordinates] = []
        for factor in (self, inner):
            parts.extend(factor.parts if isinstance(factor, Composed) else (factor,))
        return Composed(parts=tuple(parts))


class Composed(Coordinates):
    """Several coordinates, the last one applied first.

    Attributes:
        parts: the factors as written, outermost first.
    """

    kind: Literal["composed"] = "composed"
    parts: tuple[SerializeAsAny[InstanceOf[Coordinates]], ...]

    def to_seen(self, u: Tensor, t: Tensor, context: Context) -> Tensor:
        """The innermost part first."""
        for part in reversed(self.parts):
            u = part.to_seen(u, t, context)
        return u

    def seen_at(self, times: Tensor, like: Tensor) -> list[Seen]:
        """Each part's, chained."""
        columns = [part.seen_at(times, like) for part in reversed(self.parts)]
        return [_Chain(steps) for steps in zip(*columns, strict=True)]

    def to_canonical(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """The outermost part is undone first."""
        for part in self.parts:
            x = part.to_canonical(x, t, context)
        return x

    def linear(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """Product of the linear parts."""
        for part in reversed(self.parts):
            e = part.linear(e, t, context)
        return e

    def metric(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """Product of the parts' metrics."""
        for part in reversed(self.parts):
            e = part.metric(e, t, context)
        return e

    def log_det(self, t: Tensor, shape: Sequence[int], context: Context) -> Tensor:
        """Sum over the parts."""
        return torch.stack([part.log_det(t, shape, context) for part in self.parts]).sum(0)

    @property
    def causal(self) -> bool:
        """Causal where all parts are."""
        return all(part.causal for part in self.parts)

    @property
    def entrywise(self) -> bool:
        """Entry by entry where all parts are."""
        return all(part.entrywise for part in self.parts)
