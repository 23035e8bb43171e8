"""The process: u_t = alpha(t) u_0 + sigma(t) z in canonical coordinates, x_t = C_t(u_t) for the network."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import BaseModel, InstanceOf, SerializeAsAny
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.core.time_field import expand, with_history_at
from rheos.process.coordinates.base import Coordinates
from rheos.process.coordinates.identity import Identity
from rheos.process.noise.base import Noise
from rheos.process.noise.white import White
from rheos.process.schedule.base import Schedule
from rheos.process.schedule.cosine import Cosine


class Process(Method):
    """How a clip becomes noise, and what of it the network sees.

    Attributes:
        schedule: signal and noise at each time.
        coordinates: canonical clip to seen clip.
        noise: law of z.
        history: "clean" keeps history frames at t = 0; "diffused" treats them like the future.
        history_noise: q, sigma / alpha at which clean history is shown when sampling: alpha_q c + sigma_q z.
    """

    kind: Literal["process"] = "process"
    schedule: SerializeAsAny[InstanceOf[Schedule]]
    coordinates: SerializeAsAny[InstanceOf[Coordinates]]
    noise: SerializeAsAny[InstanceOf[Noise]]
    history: Literal["clean", "diffused"]
    history_noise: float

    def __init__(
        self,
        schedule: Schedule | None = None,
        coordinates: Coordinates | None = None,
        noise: Noise | None = None,
        history: Literal["clean", "diffused"] = "clean",
        history_noise: float = 0.0,
    ) -> None:
        """Put a process together; by default cosine schedule, plain coordinates, white noise.

        Raises:
            IncompatibleError: clean history with coordinates that are not causal, or noise of its own for a
                history that has the future's.
        """
        BaseModel.__init__(
            self,
            schedule=Cosine() if schedule is None else schedule,
            coordinates=Identity() if coordinates is None else coordinates,
            noise=White() if noise is None else noise,
            history=history,
            history_noise=history_noise,
        )
        # Here and not in a validator, which would wrap the error into pydantic's own.
        if self.history == "clean" and not self.coordinates.causal:
            raise IncompatibleError(
                f"clean history needs coordinates that are causal along frames, which "
                f"{self.coordinates.name()!r} is not; use history='diffused' or other coordinates."
            )
        if self.history == "diffused" and self.history_noise > 0.0:
            raise IncompatibleError(
                f"history_noise={self.history_noise:g} is noise for history that is clean otherwise, but "
                "history='diffused' gives it the future's: use one of them."
            )

    def canonical(
        self, x0: Float[Tensor, "b f *features"], context: Context
    ) -> Float[Tensor, "b f *features"]:
        """u_0 of a coded clip; entries missing by `context.mask` are 0 there, whatever `x0` holds.

        Where coordinates mix data along frames the others still read back as they are: a missing entry
        stands in `x0` for what the frames before it say.
        """
        zero = torch.zeros((), dtype=torch.float64)
        if context.mask is None:
            return self.coordinates.to_canonical(x0, zero, context)
        present = context.mask > 0
        u0 = self.coordinates.to_canonical(torch.where(present, x0, 0.0), zero, context)
        u0 = torch.where(present, u0, 0.0)
        if self.coordinates.entrywise:
            return u0
        # Each round settles one more missing frame, the oldest first; one with nothing after it tells nobody.
        later = present.flip(1).cumsum(1).flip(1) > 0
        for _ in range(int((~present & later).flatten(2).any(2).sum(1).max())):
            filled = torch.where(present, x0, self.read(u0, context))
            u0 = torch.where(present, self.coordinates.to_canonical(filled, zero, context), 0.0)
        return u0

    def read(self, u0: Float[Tensor, "b f *features"], context: Context) -> Float[Tensor, "b f *features"]:
        """The coded clip of a canonical one: C_0(u_0)."""
        return self.coordinates.to_seen(u0, torch.zeros((), dtype=torch.float64), context)

    def diffuse(
        self, u0: Float[Tensor, "b f *features"], t: Tensor, z: Float[Tensor, "b f *features"]
    ) -> Float[Tensor, "b f *features"]:
        """Alpha(t) u_0 + sigma(t) z at a time field `t`."""
        return expand(self.schedule.alpha(t), u0) * u0 + expand(self.schedule.sigma(t), u0) * z

    def renoise(
        self,
        u: Float[Tensor, "b f *features"],
        t: Tensor,
        s: Tensor,
        z: Float[Tensor, "b f *features"],
    ) -> Float[Tensor, "b f *features"]:
        """From u_t forward to u_s, s >= t, with fresh white noise `z`: the kernel that keeps the marginals.

        u_s = (alpha_s/alpha_t) u_t + sqrt(sigma_s^2 - (alpha_s/alpha_t)^2 sigma_t^2) z.
        """
        ratio = self.schedule.alpha(s) / self.schedule.alpha(t)
        variance = self.schedule.sigma(s) ** 2 - (ratio * self.schedule.sigma(t)) ** 2
        return expand(ratio, u) * u + expand(variance.clamp(min=0.0).sqrt(), u) * z

    def start(
        self,
        context: Context,
        key: Key,
        shape: Sequence[int],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Float[Tensor, "rows f *features"]:
        """The canonical clip at t_max: noise, and history frames at t = 0 where history is clean.

        The signal's share alpha(t_max) u_0 is unknown and left out.

        Args:
            context: of the rows.
            key: of the rows; its START stream is drawn from.
            shape: `(rows, f, *features)`.
            dtype: of the clip.
            device: of the clip.

        Raises:
            IncompatibleError: history is clean, or the scope has entries given, but the context has none.
        """
        z = self.noise.draw(key.at(Purpose.START), shape[1:], context, dtype, device)
        u = _last_sigma(self.schedule) * z
        frames = context.history_frames
        if self.history == "clean" and frames > 0:
            u = torch.cat((self.known(context, u)[:, :frames], u[:, frames:]), 1)
        if context.scope is None or not context.scope.gives:
            return u
        return torch.where(context.scope.mask(context.scope.given, u), self.given(context, u), u)

    def known(
        self, context: Context, like: Float[Tensor, "rows f *features"]
    ) -> Float[Tensor, "rows f *features"]:
        """The canonical clip of a history; its future frames mean nothing.

        Args:
            context: of the rows.
            like: a clip of the shape, dtype and device wanted.

        Raises:
            IncompatibleError: the context has no history.
        """
        frames = context.history_frames
        if context.history is None:
            raise IncompatibleError(
                f"clean history needs Context.history for its {frames} history frames, which is None; "
                f"give it or use history='diffused'."
            )
        padded = like.new_zeros(like.shape)
        padded[:, :frames] = context.history.to(like)
        # Causal coordinates: what stands in the future frames does not touch the history's.
        return self.canonical(padded, context)

    def given(
        self, context: Context, like: Float[Tensor, "rows f *features"]
    ) -> Float[Tensor, "rows f *features"]:
        """The canonical clip of what is observed; entries that the scope does not say are given mean nothing.

        Args:
            context: of the rows.
            like: a clip of the shape, dtype and device wanted.

        Raises:
            IncompatibleError: nothing is observed, or a variable is given in some frames only and its data
                are read from several.
        """
        if context.observation is None:
            raise IncompatibleError(
                "the scope has entries given, but Context.observation is None: give them."
            )
        if not self.coordinates.entrywise and context.scope is not None and context.scope.splits_frames:
            raise IncompatibleError(
                f"in coordinates {self.coordinates.name()!r} data are read from several frames, so a "
                "variable is given in all frames or in none: use others."
            )
        clip = context.observation.to(like)
        if context.history is not None and context.history_frames > 0:
            clip = torch.cat((context.history.to(like), clip[:, context.history_frames :]), 1)
        return self.canonical(clip, context)

    def shown(self, context: Context, key: Key, like: Float[Tensor, "rows f *features"]) -> Context:
        """The context with its history under noise q = `history_noise`; itself where that is 0.

        Args:
            context: of the rows.
            key: of the rows; its AUGMENT stream is drawn from.
            like: a clip of the shape, dtype and device wanted.
        """
        if self.history_noise == 0.0 or context.history_frames == 0:
            return context
        t = torch.tensor(self.own_time, dtype=torch.float64)
        z = self.noise.draw(key.at(Purpose.AUGMENT), like.shape[1:], context, like.dtype, like.device)
        return self.with_history(context, self.diffuse(self.known(context, like), t, z))

    def with_history(self, context: Context, u: Float[Tensor, "rows f *features"]) -> Context:
        """The context whose history is that of a canonical clip."""
        return replace(context, history=self.read(u, context)[:, : context.history_frames])

    def field(self, t: Tensor, frames: int, context: Context) -> Tensor:
        """The time field of clips at `t`, `()`, `(b)` or `(b, f)`: clean history at its own time."""
        if self.history == "diffused" or context.history_frames == 0:
            return t
        own = torch.tensor(self.own_time, dtype=torch.float64)
        return with_history_at(own, t, context.history_frames, frames)

    @property
    def own_time(self) -> float:
        """The time at which clean history is shown when sampling: 0, or that of `history_noise`."""
        return _own_time(self.schedule, self.history_noise)


@lru_cache(maxsize=32)
def _last_sigma(schedule: Schedule) -> float:
    """Sigma where generation starts."""
    return float(schedule.sigma(torch.tensor(schedule.t_max, dtype=torch.float64)))


@lru_cache(maxsize=32)
def _own_time(schedule: Schedule, q: float) -> float:
    """The time at which sigma / alpha is q."""
    return float(history_time(schedule, torch.tensor(q, dtype=torch.float64)))


def history_time(schedule: Schedule, q: Tensor) -> Tensor:
    """The time at which sigma / alpha is q, inside [t_min, t_max]; 0 where q is 0. float64, q's shape."""
    some = q > 0.0
    times = schedule.time_at(-2.0 * torch.log(torch.where(some, q, 1.0)))
    return torch.where(some, times.clamp(schedule.t_min, schedule.t_max), 0.0)
