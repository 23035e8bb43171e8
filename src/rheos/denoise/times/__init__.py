"""Times: how the times of a clip's frames and variables go together at training."""

from rheos.denoise.times.base import Times
from rheos.denoise.times.per_frame import PerFrame
from rheos.denoise.times.per_group import PerGroup
from rheos.denoise.times.shared import Shared

TIMES: tuple[type[Times], ...] = (Shared, PerFrame, PerGroup)

__all__ = ["TIMES", "PerFrame", "PerGroup", "Shared", "Times"]
