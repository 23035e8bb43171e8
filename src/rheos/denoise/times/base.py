"""Times: how the times of a clip's frames go together at training, whatever the law of each."""

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
        self, law: TimeSampler, schedule: Schedule, rows: int, frames: int, key: Key
    ) -> Float64[Tensor, " rows"] | Float64[Tensor, "rows frames"]:
        """One time a clip, or one a frame.

        Args:
            law: of a single time.
            schedule: its t_min and t_max bound the times.
            rows: size of the batch.
            frames: of a clip, history included.
            key: its TIME stream is drawn from.
        """
