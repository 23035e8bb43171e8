"""No anchor: u_0 = x_0.

Clips as they are coded, as in Ho et al. 2020, arXiv 2006.11239.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rheos.data.anchor.base import Anchor, FittedAnchor
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch


class NoAnchor(Anchor):
    """Anchor 0 and scale 1 on all frames: the canonical data are the coded data."""

    kind: Literal["none"] = "none"

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedNoAnchor":
        """Nothing to measure but the shape."""
        return FittedNoAnchor(scale=np.ones((source.spec.frames, *source.features), np.float32))

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedNoAnchor":
        """The scale alone."""
        return FittedNoAnchor(scale=scale)

    def fit(self, source: WindowSource, indices: np.ndarray) -> "FittedNoAnchor":
        """As :meth:`measure`: no rhythm, since the canonical data are to be the coded data."""
        return self.measure(source, indices)


@dataclass(frozen=True, kw_only=True)
class FittedNoAnchor(FittedAnchor):
    """Zeros."""

    def future(self, batch: WindowBatch) -> np.ndarray:
        """Zeros `(b, S, *features)`."""
        return np.zeros_like(batch.future)

    def __call__(self, batch: WindowBatch) -> tuple[np.ndarray, np.ndarray]:
        """Zeros and ones on all frames, `(b, F, *features)`."""
        center = np.zeros((len(batch), *self.scale.shape), np.float32)
        return center, np.broadcast_to(self.scale, center.shape)

    def numbers(self) -> dict[str, np.ndarray]:
        """None."""
        return {}
