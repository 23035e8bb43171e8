"""t_g ~ p(t), independent over groups of variables with probability `share`, else one t for the clip.

UniDiffuser (Bao et al. 2023, arXiv 2303.06555, section 3.2), for any number of groups. A group at t = 0 is
given, one at t_max left out, but independent times are never exactly there; so all groups of such a clip
but one are put at one of the two ends with probability `ends`.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.denoise.time_sampler import TimeSampler
from rheos.denoise.times.base import Times
from rheos.process.schedule import Schedule

_COIN, _ALONE, _GROUPS = 1, 2, 3  # places in the stream, whose first number the law has used


class PerGroup(Times):
    """Times of their own for each group of variables, so that some may be given when others are drawn.

    Attributes:
        share: probability that a clip's groups are independent.
        ends: probability that a group of such a clip is known, or is pure noise; one group never is.
    """

    kind: Literal["per_group"] = "per_group"
    share: float = Field(default=0.7, ge=0.0, le=1.0)
    ends: float = Field(default=0.7, ge=0.0, le=1.0)

    def __call__(
        self,
        law: TimeSampler,
        schedule: Schedule,
        shape: tuple[int, ...],
        key: Key,
        groups: tuple[int, ...] = (),
    ) -> Tensor:
        """`(rows, 1, channels)`; the frames of a group share its time.

        Raises:
            IncompatibleError: there is but one group.
        """
        rows, channels = shape[0], shape[2]
        numbered = torch.tensor(groups or range(channels))
        count = int(numbered.max()) + 1
        if count < 2 or len(numbered) != channels:
            raise IncompatibleError(
                f"times=per_group needs groups of variables, at least 2 over all channels, and found {count} "
                f"over {len(numbered)} of {channels}: use times=shared, or other groups."
            )
        together = law(schedule, rows, key)
        numbers = key.at(Purpose.TIME, key.step).uniform((_GROUPS + 2 * count,))
        own = law.quantile(schedule, numbers[:, _GROUPS : _GROUPS + count].flatten()).reshape(rows, count)
        own = own.clamp(schedule.t_min, schedule.t_max)
        end = numbers[:, _GROUPS + count :]
        held = torch.where(end < 0.5 * self.ends, torch.zeros_like(own), schedule.t_max)
        alone = (numbers[:, _ALONE:_GROUPS] * count).long()
        own = torch.where((end < self.ends) & (torch.arange(count) != alone), held, own)
        field = torch.where(numbers[:, _COIN:_ALONE] < self.share, own, together[:, None])
        return field[:, None, numbered]
