"""tau_k = t for all frames k of a clip: the usual training.

Ho et al. 2020, arXiv 2006.11239, algorithm 1.
"""

from typing import Literal

from torch import Tensor

from rheos.core.keys import Key
from rheos.denoise.time_sampler import TimeSampler
from rheos.denoise.times.base import Times
from rheos.process.schedule import Schedule


class Shared(Times):
    """All frames of a clip at one time."""

    kind: Literal["shared"] = "shared"

    def __call__(
        self,
        law: TimeSampler,
        schedule: Schedule,
        shape: tuple[int, ...],
        key: Key,
        groups: tuple[int, ...] = (),
    ) -> Tensor:
        """The law's own stratified times."""
        return law(schedule, shape[0], key)
