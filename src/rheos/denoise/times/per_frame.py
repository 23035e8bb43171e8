"""tau_k ~ p(t), independent over frames with probability `share`, else one t for all frames of the clip.

Probabilistic time-step sampling (Liu et al. 2024, FVDM, arXiv 2410.03160, section 3.2), the coin tossed for
each clip; share = 1 is Diffusion Forcing (Chen et al. 2024, arXiv 2407.01392).
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.keys import Key, Purpose
from rheos.denoise.time_sampler import TimeSampler
from rheos.denoise.times.base import Times
from rheos.process.schedule import Schedule


class PerFrame(Times):
    """Times of their own for each frame of some clips, so that frames may be drawn at different paces.

    Attributes:
        share: probability that a clip's frames are independent.
    """

    kind: Literal["per_frame"] = "per_frame"
    share: float = Field(default=0.2, ge=0.0, le=1.0)

    def __call__(
        self,
        law: TimeSampler,
        schedule: Schedule,
        shape: tuple[int, ...],
        key: Key,
        groups: tuple[int, ...] = (),
    ) -> Tensor:
        """`(rows, frames)`; each frame's time follows the law, independent or not."""
        rows, frames = shape[:2]
        together = law(schedule, rows, key)
        # The law has used the first number of this stream.
        numbers = key.at(Purpose.TIME, key.step).uniform((2 + frames,))
        alone = law.quantile(schedule, numbers[:, 2:].flatten()).reshape(rows, frames)
        alone = alone.clamp(schedule.t_min, schedule.t_max)
        return torch.where(numbers[:, 1:2] < self.share, alone, together[:, None])
