"""What every solver promises: coefficients once per grid, then steps of a few operations each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, cast

import torch
from torch import Tensor

from rheos.core.method import Method
from rheos.core.time_field import expand_each, rows_of
from rheos.process.schedule import Schedule

Answer = Callable[[Tensor, Tensor], Tensor]
"""(u_t, time field) -> mean of u_0: a denoiser with its context filled in."""
Draw = Callable[[], Tensor]
"""The base noise of the present step; called only where its coefficient is not zero."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a solver stands: u and the denoiser's earlier answers, newest first."""

    u: Tensor
    history: tuple[Tensor, ...] = ()


class Move(ABC):
    """One step with its coefficients: first `to` a clip's dtype and device, then `apply`.

    Attributes:
        time: the field at which the denoiser is asked first.
    """

    time: Tensor

    @property
    def times(self) -> tuple[Tensor, ...]:
        """All fields at which the denoiser is asked, as the objects it gets."""
        return (self.time,)

    @abstractmethod
    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""

    @classmethod
    def each_to(cls, moves: Sequence[Self], like: Tensor) -> list[Self]:
        """What `to` makes of every step of a plan."""
        return [move.to(like) for move in moves]

    def rows(self, part: slice) -> Self:
        """Views of the same step for some of the clips, of a single-step solver."""
        names = [field.name for field in fields(cast(Any, self))]
        return replace(cast(Any, self), **{name: _rows_of(getattr(self, name), part) for name in names})

    @abstractmethod
    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """Go one node further; `state` is left as it is."""


def _rows_of(value: Any, part: slice) -> Any:
    """Fields and coefficients for some clips, tuples of them alike; other values as they are."""
    if isinstance(value, tuple):
        return tuple(_rows_of(one, part) for one in value)
    return rows_of(value, part) if isinstance(value, Tensor) else value


@dataclass(frozen=True, slots=True)
class LinearMove(Move):
    """u_n = scale u_s + sum_j weights_j D_j + noise z, D newest first.

    Attributes:
        time: the field at which D_0 is asked, float64 on the CPU.
        scale: broadcastable to the clip.
        weights: as many as the step looks back, at least one.
        noise: None where nothing is drawn.
        keep: how many answers later steps may look back at.
    """

    time: Tensor
    scale: Tensor
    weights: tuple[Tensor, ...]
    noise: Tensor | None = None
    keep: int = 0

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return self.each_to((self,), like)[0]

    @classmethod
    def each_to(cls, moves: Sequence[Self], like: Tensor) -> list[Self]:
        """One conversion for all coefficients: one by one they cost more than the steps they are for."""
        noises = [() if move.noise is None else (move.noise,) for move in moves]
        rows = [(move.scale, *move.weights, *noise) for move, noise in zip(moves, noises, strict=True)]
        numbers = iter(expand_each(torch.stack([number for row in rows for number in row]), like))
        return [
            cls(
                time=move.time,
                scale=next(numbers),
                weights=tuple(next(numbers) for _ in move.weights),
                noise=None if move.noise is None else next(numbers),
                keep=move.keep,
            )
            for move in moves
        ]

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """One denoiser call, then one operation for u, one an answer, one for noise."""
        answers = (denoise(state.u, self.time), *state.history)
        u = state.u * self.scale
        for weight, answer in zip(self.weights, answers, strict=False):
            u.addcmul_(answer, weight)
        if self.noise is not None:
            u.addcmul_(draw(), self.noise)
        return State(u, answers[: self.keep])


def linear_moves(times: Tensor, scale: Tensor, weights: Tensor, noise: Tensor) -> tuple[LinearMove, ...]:
    """Cut coefficient tables into moves, without the weights and noise that are zero everywhere.

    Args:
        times: `(steps + 1, *field)`.
        scale: `(steps, *field)`.
        weights: `(order, steps, *field)`, newest first.
        noise: `(steps, *field)`.
    """
    depth = weights.flatten(2).ne(0).any(-1) if weights.ndim > 2 else weights.ne(0)
    back = torch.arange(1, len(weights) + 1)[:, None]
    used = (depth * back).amax(0).clamp(min=1).tolist()
    drawn = noise.reshape(len(noise), -1).any(1).tolist()
    rows = zip(times[:-1].unbind(0), scale.unbind(0), weights.unbind(1), noise.unbind(0), strict=True)
    return tuple(
        LinearMove(
            time=time,
            scale=kept,
            weights=answers.unbind(0)[:count],
            noise=added if draws else None,
            keep=len(weights) - 1,
        )
        for (time, kept, answers, added), count, draws in zip(rows, used, drawn, strict=True)
    )


def ready(moves: Sequence[Move], like: Tensor) -> Sequence[Move]:
    """A plan's moves, which are of one kind, in a clip's dtype and on its device."""
    return type(moves[0]).each_to(moves, like)


class Solver(Method, ABC):
    """A rule for the steps between the times of a grid."""

    @property
    @abstractmethod
    def declared_order(self) -> int:
        """Power of the step length with which the error of u falls (of its law, where stochastic)."""

    @property
    def evaluations_per_step(self) -> int:
        """Denoiser calls a step; the last step, to t = 0, always takes one."""
        return 1

    @property
    def stochastic(self) -> bool:
        """Whether steps draw noise."""
        return False

    @property
    def single_step(self) -> bool:
        """Whether a step depends on nothing but where it starts and ends."""
        return False

    @property
    def linear(self) -> bool:
        """Whether u_n is affine in u, the answers and the noise, which the affine probe needs."""
        return True

    @abstractmethod
    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[Move, ...]:
        """The coefficients of every step, float64 on the CPU.

        Args:
            schedule: the noise schedule.
            fields: time fields at the nodes, float64 `(steps + 1, *field)`, falling; where two rows are
                equal (clean frames) the step is the identity.
        """
