"""state_t = A(t) x_0 + B(t) z: a clip and its companions as the parts of one state, z standard normal.

What a process offers whose signal and noise are mixed differently, so that no pair (alpha, sigma) and no
coordinates turn it into alpha u_0 + sigma z: A is a column and B a matrix over the parts of a state. They are
stacked along channels, so a state is a clip `(b, f, parts * channel, *space)`; part 0 is the clip itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.core.time_field import expand, with_clean_history


@dataclass(frozen=True, slots=True)
class Operators:
    """A and B at a time field, float64 on the CPU, and their derivatives in t.

    Attributes:
        a: how much of the clip each part holds `(*field, parts)`.
        b: how the noises enter each part `(*field, parts, parts)`, lower triangular.
        d_a: derivative of a.
        d_b: derivative of b; not finite at t = 0.
    """

    a: Tensor
    b: Tensor
    d_a: Tensor
    d_b: Tensor


class LinearFace(Method, ABC):
    """A process known by its linear face alone: it serves the score and the velocity of its states.

    Time fields are `()`, `(b)` or `(b, f)`: the parts of an entry share their time.
    """

    axis: ClassVar[str] = "channel"
    parts: ClassVar[int]

    @abstractmethod
    def operators(self, t: Tensor) -> Operators:
        """A, B and their derivatives at a time field."""

    @abstractmethod
    def lift(self, x0: Float[Tensor, "b f c *space"], key: Key) -> Float[Tensor, "b f k *space"]:
        """A state at t = 0 whose first part is the clip."""

    @property
    @abstractmethod
    def t_min(self) -> float:
        """Smallest time a network is asked about."""

    @property
    @abstractmethod
    def t_max(self) -> float:
        """Largest time, where generation starts."""

    def split(self, state: Tensor) -> tuple[Tensor, ...]:
        """The parts of a state, each `(b, f, channel, *space)`.

        Raises:
            InputError: the state's channels are no multiple of the parts.
        """
        if state.ndim < 3 or state.shape[2] % self.parts:
            raise InputError(
                f"a state of {self.name()!r} stacks {self.parts} parts along channels, (b, f, {self.parts} * "
                f"channel, *space), found shape {tuple(state.shape)}."
            )
        return state.chunk(self.parts, dim=2)

    def read(self, state: Float[Tensor, "b f k *space"]) -> Float[Tensor, "b f c *space"]:
        """The clip of a state: its first part."""
        return self.split(state)[0]

    def mix(self, matrix: Tensor, state: Tensor) -> Tensor:
        """A matrix over the parts `(*field, parts, parts)` applied to a state."""
        parts = self.split(state)
        rows = [
            sum(expand(matrix[..., i, j], part) * part for j, part in enumerate(parts))
            for i in range(self.parts)
        ]
        return torch.cat([torch.as_tensor(row) for row in rows], 2)

    def spread(self, column: Tensor, clip: Tensor) -> Tensor:
        """A column over the parts `(*field, parts)` times a clip: a state."""
        return torch.cat([expand(column[..., i], clip) * clip for i in range(self.parts)], 2)

    def diffuse(self, x0: Tensor, t: Tensor, z: Tensor) -> Tensor:
        """The state A(t) x_0 + B(t) z, `z` of a state's shape."""
        known = self.operators(t)
        return self.spread(known.a, x0) + self.mix(known.b, z)

    def velocity(self, x0: Tensor, t: Tensor, z: Tensor) -> Tensor:
        """A'(t) x_0 + B'(t) z, whose mean given the state carries one marginal into the next."""
        known = self.operators(t)
        return self.spread(known.d_a, x0) + self.mix(known.d_b, z)

    def pull(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(K A, K) with K = (B B')^-1: the score is K A E[x_0 | state] - K state; zero where t = 0."""
        known = self.operators(t)
        clean = (t == 0)[..., None, None]
        covariance = known.b @ known.b.mT
        eye = torch.eye(self.parts, dtype=torch.float64)
        precision = torch.where(clean, 0.0, torch.linalg.inv(torch.where(clean, eye, covariance)))
        return (precision @ known.a[..., None])[..., 0], precision

    def score(self, state: Tensor, mean: Tensor, t: Tensor) -> Tensor:
        """Gradient of log p_t at a state, from the posterior mean of the clip."""
        signal, precision = self.pull(t)
        return self.spread(signal, mean) - self.mix(precision, state)

    def level(self, t: Tensor) -> Tensor:
        """log(A_0^2 / (B B')_00), the clip's own log signal-to-noise ratio; +inf at t = 0."""
        known = self.operators(t)
        return torch.log(known.a[..., 0] ** 2) - torch.log(known.b[..., 0, :].square().sum(-1))

    def start(
        self,
        context: Context,
        key: Key,
        shape: Sequence[int],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """The state at t_max: B z, the signal's share left out; history frames clean and at rest.

        Args:
            context: of the rows.
            key: of the rows; its START stream is drawn from.
            shape: of the clips `(rows, f, channel, *space)`.
            dtype: of the state.
            device: of the state.

        Raises:
            IncompatibleError: the context counts history frames but has none.
        """
        last = torch.tensor(self.t_max, dtype=torch.float64)
        whole = (shape[1], self.parts * shape[2], *shape[3:])
        state = self.mix(self.operators(last).b, key.at(Purpose.START).normal(whole, dtype, device))
        frames = context.history_frames
        if frames == 0:
            return state
        if context.history is None:
            raise IncompatibleError(
                f"clean history needs Context.history for its {frames} frames, which is None; give it."
            )
        still = self.spread(torch.eye(self.parts, dtype=torch.float64)[0], context.history.to(state))
        return torch.cat((still, state[:, frames:]), 1)

    def field(self, t: Tensor, frames: int, context: Context) -> Tensor:
        """The time field of clips at `t`: history at 0."""
        return t if context.history_frames == 0 else with_clean_history(t, context.history_frames, frames)

    @property
    def schedule(self) -> NoReturn:
        """There is none, nor coordinates, nor one noise beside the clip.

        Raises:
            IncompatibleError: always, and says why.
        """
        raise IncompatibleError(
            f"process {self.name()!r} mixes the parts of its states by matrices, so it has no alpha(t) and "
            "sigma(t), by which denoisers, solvers and guidance of clips are written: use "
            "rheos.denoise.StateDenoiser and rheos.sample.momentum.sample_states."
        )

    coordinates: ClassVar[Any] = schedule
    noise: ClassVar[Any] = schedule
