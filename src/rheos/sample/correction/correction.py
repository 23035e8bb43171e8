"""What every correction promises: (u, t) to (u, t) between two steps, and what it costs."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rheos.core.method import Method
from rheos.core.time_field import expand_each
from rheos.process.schedule import Schedule
from rheos.sample.solver import Answer


@dataclass(frozen=True, slots=True)
class Node:
    """A place between two steps, and what follows from its time.

    Attributes:
        time: its time field, float64 on the CPU.
        before: the time field of the node before.
        after: that of the node to come.
        schedule: the noise schedule.
        signal: alpha, in the clip's dtype and broadcastable to it, as the next two.
        sigma: noise; 0 for clean entries.
        moving: 1 where there is noise, 0 for clean entries.
    """

    time: Tensor
    before: Tensor
    after: Tensor
    schedule: Schedule
    signal: Tensor
    sigma: Tensor
    moving: Tensor


def inner_nodes(schedule: Schedule, fields: Tensor, like: Tensor) -> tuple[Node, ...]:
    """The nodes between the steps of a grid, their coefficients from float64, once for all.

    Args:
        schedule: the noise schedule.
        fields: time fields of all nodes, float64 `(steps + 1, *field)`.
        like: a clip, whose shape, dtype and device those to come have.
    """
    inner, times = fields[1:-1], fields.unbind(0)
    if len(inner) == 0:
        return ()
    sigma = torch.where(inner == 0, 0.0, schedule.sigma(inner))
    parts = (schedule.alpha(inner), sigma, (sigma > 0).to(sigma))
    columns = (times[1:-1], times[:-2], times[2:], *(expand_each(part, like) for part in parts))
    return tuple(
        Node(time, before, after, schedule, *levels)
        for time, before, after, *levels in zip(*columns, strict=True)
    )


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
    def apply(
        self, u: Tensor, node: Node, denoise: Answer, draw: Callable[[], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The clip and its time field after the correction.

        Args:
            u: the clip `(b, f, *features)`; left as it is.
            node: where the solver stands.
            denoise: `(u, time field)` to the mean of u_0.
            draw: fresh base noise at every call.

        Returns:
            Clip and time field; the very field of the node where the time stays.
        """
