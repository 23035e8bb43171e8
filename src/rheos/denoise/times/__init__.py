"""Times: how the times of a clip's frames go together at training."""

from rheos.denoise.times.base import Times
from rheos.denoise.times.per_frame import PerFrame
from rheos.denoise.times.shared import Shared

TIMES: tuple[type[Times], ...] = (Shared, PerFrame)

__all__ = ["TIMES", "PerFrame", "Shared", "Times"]
