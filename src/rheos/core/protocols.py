"""What the rooms promise each other.

Shapes: a clip is `(b, f, *features)`; a time field `t` is float64 on the CPU (see
:mod:`rheos.core.time_field`); a level is log_snr, `(b, f)`, clipped to +-20, +20 for clean frames, or
`(b, f, channels)` for a network whose `channel_levels` is true.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from rheos.core.context import Context


@runtime_checkable
class Network(Protocol):
    """A backbone: any `nn.Module` with this call. It knows no schedule."""

    def __call__(self, x: Tensor, level: Tensor, context: Context) -> Tensor:
        """Map the seen clip `(b, f, *features)`, its level `(b, f)` and context to a clip's shape."""
        ...


@runtime_checkable
class TwoLevelNetwork(Network, Protocol):
    """A backbone of a flow map: it may also be told where a step ends. Declares `two_levels`, true."""

    two_levels: bool

    def __call__(self, x: Tensor, level: Tensor, context: Context, until: Tensor | None = None) -> Tensor:
        """As a network's; `until`, like the level, is where the step ends, None: where it starts."""
        ...


@runtime_checkable
class CausalNetwork(Network, Protocol):
    """A backbone in which no frame sees a later one, so that finished frames can be remembered.

    A memory is whatever the network makes of it, of a size that does not grow.
    """

    def remember(self, x: Tensor, level: Tensor, context: Context, memory: Any = None) -> Any:
        """The memory with finished frames `(b, f, *features)` after those of `memory`; None: the first."""
        ...

    def answer(self, x: Tensor, level: Tensor, context: Context, memory: Any) -> Tensor:
        """What a call on all frames would answer for these, which come after the remembered ones."""
        ...


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of the canonical data u_0 given u_t.

    Attributes:
        mean: E[u_0 | u_t], `(b, f, *features)`.
        covariance: of the flattened entries where known, else None.
    """

    mean: Tensor
    covariance: Tensor | None = None


@runtime_checkable
class Denoise(Protocol):
    """Answers for u_0 given u_t: a trained denoiser, an exact oracle, or one of them under guidance.

    One that has a method `at(times, like)` is asked through it, before the first step, for a denoiser with
    the same answers that has done beforehand what follows from these times alone; see `Denoiser.at`.
    """

    def __call__(self, u: Tensor, t: Tensor, context: Context) -> Posterior:
        """The posterior of u_0 given `u` at model time `t` (a time field)."""
        ...


@runtime_checkable
class Carries(Denoise, Protocol):
    """A flow map: a denoiser that also knows where the flow through u_t leads."""

    def carry(self, u: Tensor, t: Tensor, s: Tensor, context: Context) -> Tensor:
        """The canonical clip u_s, s nowhere above t (time fields)."""
        ...


@runtime_checkable
class DenoiseTokens(Protocol):
    """Answers for the tokens that are hidden given those shown; a time would say nothing more."""

    def __call__(self, tokens: Tensor, context: Context) -> Tensor:
        """log p(x_0 = v | what is shown) of every token of a clip, `(b, f, *features, values)`.

        Tokens are int64, 0 where hidden; the first value, at index 0, is token 1.
        """
        ...


@runtime_checkable
class Remembers(Denoise, Protocol):
    """A denoiser that keeps what it needs of finished frames instead of looking at them again."""

    def remember(self, u: Tensor, context: Context, *, anew: bool) -> None:
        """Take in the last finished frame; then answer for the frames after it.

        Args:
            u: the window, its first `context.history_frames` frames finished.
            context: of the window.
            anew: take in all finished frames and forget what was before.
        """
        ...
