"""No anchor: u_0 = x_0."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rheos.data.anchor.base import Anchor, FittedAnchor
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch


class NoAnchor(Anchor):
    """Anchor 0 and scale 1 on all frames: the canonical data are the coded data."""

    kind: Literal["none"] = "none"

    def fit(self, source: WindowSource, indices: np.ndarray) -> "FittedNoAnchor":
        """Nothing to measure but the shape."""
        return FittedNoAnchor(scale=np.ones((source.spec.frames, *source.dataset.features), np.float32))

    def restore(self, arrays: dict[str, np.ndarray]) -> "FittedNoAnchor":
        """The inverse of `to_arrays`."""
        return FittedNoAnchor(scale=arrays["scale"])


@dataclass(frozen=True, kw_only=True)
class FittedNoAnchor(FittedAnchor):
    """Zeros."""

    def future(self, batch: WindowBatch) -> np.ndarray:
        """Zeros `(b, S, *features)`."""
        return np.zeros_like(batch.future)

    def __call__(self, batch: WindowBatch) -> tuple[np.ndarray, np.ndarray]:
        """Zeros on all frames, and scale 1."""
        return np.zeros((len(batch), *self.scale.shape), np.float32), self.scale
