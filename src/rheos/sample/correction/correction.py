"""What every correction promises: (u, t) to (u, t) between two steps, and what it costs."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from rheos.core.method import Method
from rheos.process.schedule import Schedule
from rheos.sample.solver import Answer


@dataclass(frozen=True, slots=True)
class Node:
    """Where a solver stands between two steps.

    Attributes:
        u: the clip `(b, f, *features)`.
        time: its time field, float64 on the CPU.
        before: the time field of the node before.
        after: that of the node to come.
        schedule: the noise schedule.
    """

    u: Tensor
    time: Tensor
    before: Tensor
    after: Tensor
    schedule: Schedule


class Correction(Method, ABC):
    """A change of the clip, or of the time it counts as, at every inner node."""

    @property
    def evaluations(self) -> int:
        """Denoiser calls a node."""
        return 0

    @property
    def stochastic(self) -> bool:
        """Whether noise is drawn."""
        return False

    @property
    @abstractmethod
    def linear(self) -> bool:
        """Whether u stays affine in u, answers and noise, at times that do not depend on them."""

    @abstractmethod
    def apply(self, node: Node, denoise: Answer, draw: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """The clip and its time field after the correction; `node` is left as it is.

        Args:
            node: where the solver stands.
            denoise: `(u, time field)` to the mean of u_0.
            draw: fresh base noise at every call.

        Returns:
            Clip and time field; the very field of the node where the time stays.
        """
