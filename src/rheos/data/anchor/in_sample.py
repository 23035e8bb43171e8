"""The scale in training: s_h e_h, with e_h^2 = mean(u_h^2) over the windows that the anchor was fitted on.

An anchor's scale says how it errs on windows never seen. Where windows are few it errs less on those it was
fitted on, and a network that learned from these in the usual units would forecast too narrowly. In units of
what the errors are there, it learns their law, and the forecast's scale says how wide that is.
"""

from dataclasses import dataclass

import numpy as np

from rheos.data.anchor.base import FittedAnchor, chunks
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_LEAST = 0.1  # an anchor that errs less than that fits what it saw, which is no law


@dataclass(frozen=True, kw_only=True)
class InSample(FittedAnchor):
    """An anchor in units of its errors on the windows it was fitted on.

    Attributes:
        whole: the anchor.
        ratio: e, by lead and variable, `(S, channel, 1, ...)`, one for all axes of space; no scale grows.
    """

    whole: FittedAnchor
    ratio: np.ndarray

    @classmethod
    def of(cls, anchor: FittedAnchor, source: WindowSource, indices: np.ndarray) -> "InSample":
        """Measure e on some windows."""
        past = source.spec.history
        square, count = np.zeros((2, source.spec.horizon, source.features[0]))
        for batch in chunks(source, indices):
            center, scale = (part[:, past:] for part in anchor(batch))
            error = ((batch.future - center) / scale).astype(np.float64)
            error = error.reshape(*error.shape[:3], -1)
            square += np.nansum(error**2, axis=(0, 3))
            count += np.isfinite(error).sum((0, 3))
        if source.layout.kind == "trajectory":  # one for all axes: what turns with space must go on doing so
            square, count = square.sum(1, keepdims=True), count.sum(1, keepdims=True)
        ratio = np.sqrt(np.where(count > 0, square, 1.0) / np.maximum(count, 1)).clip(_LEAST, 1.0)
        shape = (*ratio.shape, *(1 for _ in source.features[1:]))
        return cls(scale=anchor.scale, whole=anchor, ratio=ratio.reshape(shape).astype(np.float32))

    def __call__(self, batch: WindowBatch) -> tuple[np.ndarray, np.ndarray]:
        """The anchor of a batch and the scale, both float32 `(b, F, *features)`."""
        center, scale = self.whole(batch)
        past, future = np.split(scale, [batch.history.shape[1]], axis=1)
        return center, np.concatenate([past, future * self.ratio], axis=1)

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The point forecast of the anchor."""
        return self.whole.future(batch)

    def numbers(self) -> dict[str, np.ndarray]:
        """Those of the anchor."""
        return self.whole.numbers()
