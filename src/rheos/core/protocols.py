"""What the rooms promise each other.

Shapes: a clip is `(b, f, *features)`; a time field `t` is float64 on the CPU (see
:mod:`rheos.core.time_field`); a level is log_snr, `(b, f)`, clipped to +-20, +20 for clean frames.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from rheos.core.context import Context


@runtime_checkable
class Network(Protocol):
    """A backbone: any `nn.Module` with this call. It knows no schedule."""

    def __call__(self, x: Tensor, level: Tensor, context: Context) -> Tensor:
        """Map the seen clip `(b, f, *features)`, its level `(b, f)` and context to a clip's shape."""
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
