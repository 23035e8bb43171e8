"""What a denoiser does at one time: how u is scaled and seen, the level told, what the output becomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rheos.core.time_field import (
    Kind,
    Times,
    clip_level,
    expand_each,
    per_channel_each,
    per_frame_each,
    rows_of,
)
from rheos.denoise.prediction import Prediction, coefficients, input_scale
from rheos.process.coordinates import Seen
from rheos.process.process import Process
from rheos.process.schedule import Schedule

# Grids whose rows are kept: of a forecast there is one, of a fit that draws ensembles a few.
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Row:
    """All that follows from time alone, in a clip's dtype and on its device.

    Attributes:
        scale: of u before the network; None where that is 1 in the clip's dtype.
        seen: C_t.
        level: what the network is told, `(b, f)` or `(b, f, channels)`.
        mean: factors of u and of the output in the mean; None where the output is the mean.
    """

    scale: Tensor | None
    seen: Seen
    level: Tensor
    mean: tuple[Tensor, Tensor] | None

    def rows(self, part: slice) -> "Row":
        """Views of the same for some of the clips."""
        return Row(
            scale=None if self.scale is None else rows_of(self.scale, part),
            seen=self.seen.rows(part),
            level=self.level[part],
            mean=None if self.mean is None else (rows_of(self.mean[0], part), rows_of(self.mean[1], part)),
        )


def rows(
    prediction: Prediction,
    process: Process,
    sigma_data: float,
    times: Tensor,
    like: Tensor,
    by_channel: bool = False,
) -> list[Row]:
    """The rows of several times.

    Args:
        prediction: what the network's output means.
        process: schedule and coordinates.
        sigma_data: standard deviation of canonical data.
        times: `(n, *field)`, time fields one after the other, float64 on the CPU.
        like: a clip, whose shape, dtype and device those to come have.
        by_channel: whether the network is told the level of every channel of a frame.

    Raises:
        IncompatibleError: the fields do not lead the clip's shape.
    """
    schedule = process.schedule
    table = coefficients(prediction, schedule, times, sigma_data)
    scale = input_scale(schedule, times, sigma_data)
    scales: Sequence[Tensor | None] = expand_each(scale, like)
    if bool((scale.to(like.dtype) == 1.0).all()):
        scales = [None] * len(times)
    means: Sequence[tuple[Tensor, Tensor] | None]
    means = list(zip(expand_each(table.skip, like), expand_each(table.out, like), strict=True))
    if not bool(table.skip.any()) and bool((table.out == 1.0).all()):
        means = [None] * len(times)
    levels = levels_at(schedule, times, like, by_channel)
    seen = process.coordinates.seen_at(times, like)
    return [Row(*row) for row in zip(scales, seen, levels, means, strict=True)]


def levels_at(
    schedule: Schedule, times: Tensor, like: Tensor, by_channel: bool = False
) -> tuple[Tensor, ...]:
    """What a network is told of each of several times; arguments as for :func:`rows`."""
    told, axes = (per_channel_each(times), 3) if by_channel else (per_frame_each(times), 2)
    level = clip_level(schedule.log_snr(told)).to(dtype=like.dtype, device=like.device)
    return level.expand(-1, *like.shape[:axes]).contiguous().unbind(0)


# Kept numbers must serve a caller who wants gradients after one who was in inference mode.
@lru_cache(maxsize=_KEPT)
@torch.inference_mode(False)
def rows_at(
    prediction: Prediction,
    process: Process,
    sigma_data: float,
    times: Times,
    kind: Kind,
    by_channel: bool = False,
) -> dict[int, Row]:
    """The rows of all fields of a grid by the fields' identity, once for all calls alike."""
    found = rows(prediction, process, sigma_data, torch.stack(times.fields), kind.example(), by_channel)
    return {id(field): row for field, row in zip(times.fields, found, strict=True)}
