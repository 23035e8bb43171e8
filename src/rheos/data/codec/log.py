"""Logarithm: x_0 = log(raw + offset), for positive values whose changes are relative.

The offset is 0 for channels that are positive throughout the training span and 1 for counts (log1p).
The power transformation of exponent 0: Box and Cox, J. R. Stat. Soc. B 26, 1964.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rheos.core.errors import InputError
from rheos.data.codec.base import Codec, Fitted, State
from rheos.data.dataset import Dataset


class Log(Codec):
    """The logarithm of positive values or counts.

    Attributes:
        offset: added before the logarithm; None: chosen for each channel from the data.
    """

    kind: Literal["log"] = "log"
    offset: float | None = None

    def fit_targets(self, dataset: Dataset) -> "FittedLog":
        """Choose the offsets.

        Raises:
            InputError: a channel has values for which there is no logarithm.
        """
        names = dataset.layout.channels
        values = [[r.values[:, c] for r in dataset.recordings] for c in range(len(names))]
        offsets = [self._offset(name, parts) for name, parts in zip(names, values, strict=True)]
        space = (1,) * (len(dataset.features) - 1)
        return FittedLog(config=self, offset=np.array(offsets).reshape(-1, *space), channels=names)

    def _offset(self, name: str, parts: list[np.ndarray]) -> float:
        finite = np.concatenate([part[np.isfinite(part)] for part in parts])
        if not len(finite):
            return self.offset or 0.0
        low = float(finite.min())
        counts = low >= 0 and bool((finite == np.round(finite)).all())
        offset = self.offset if self.offset is not None else float(counts and low == 0)
        if low + offset <= 0:
            raise InputError(
                f"channel {name!r} goes down to {low:g}, which has no logarithm; "
                f"give codec.offset more than {-low:g} or take another codec."
            )
        return offset

    def restore_targets(self, arrays: dict[str, np.ndarray]) -> "FittedLog":
        """The inverse of `target_arrays`."""
        channels = tuple(str(i) for i in range(len(arrays["offset"])))
        return FittedLog(config=self, offset=arrays["offset"], channels=channels)


@dataclass(frozen=True, kw_only=True)
class FittedLog(Fitted):
    """A logarithm with the offset of each channel, broadcastable to one frame."""

    config: Log
    offset: np.ndarray
    channels: tuple[str, ...]

    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """log(values + offset).

        Raises:
            InputError: a value has no logarithm.
        """
        shifted = np.asarray(values, np.float64) + self.offset
        bad = np.argwhere(shifted <= 0)
        if len(bad):
            place = tuple(bad[0])
            raise InputError(
                f"channel {self.channels[place[2]]!r} holds {values[place]:g}, which has no logarithm; "
                f"remove such values or take another codec."
            )
        return np.log(shifted)

    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """exp(values) - offset."""
        return np.exp(np.asarray(values, np.float64)) - self.offset

    def log_det(self, values: np.ndarray, state: State) -> np.ndarray:
        """-log(value + offset)."""
        return -self.encode(values, state)

    def target_arrays(self) -> dict[str, np.ndarray]:
        """The offsets."""
        return {"offset": self.offset}
