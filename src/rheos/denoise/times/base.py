"""Times: how the times of a clip's frames and variables go together, whatever the law of each."""

from abc import ABC, abstractmethod

from jaxtyping import Float64
from torch import Tensor

from rheos.core.keys import Key
from rheos.core.method import Method
from rheos.denoise.time_sampler import TimeSampler
from rheos.process.schedule import Schedule


class Times(Method, ABC):
    """Draws the time field of a training batch from a law of single times."""

    @abstractmethod
    def __call__(
        self,
        law: TimeSampler,
        schedule: Schedule,
        shape: tuple[int, ...],
        key: Key,
        groups: tuple[int, ...] = (),
    ) -> Float64[Tensor, " rows"] | Float64[Tensor, "rows frames"] | Float64[Tensor, "rows 1 channels"]:
        """One time a clip, one a frame, or one a channel.

        Args:
            law: of a single time.
            schedule: its t_min and t_max bound the times.
            shape: of the batch of clips, history included, `(rows, frames, channels, ...)`.
            key: its TIME stream is drawn from.
            groups: for each channel the number of its group, from 0; () where each is its own.
        """
