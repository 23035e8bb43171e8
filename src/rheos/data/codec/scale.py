"""Scaling: x_0 = (raw - location) / scale.

Global: mean and standard deviation of the training span. Robust: median and interquartile range
/ 1.349. Window: mean and deviation of each window's own history, as in Kim et al., "Reversible
instance normalization", ICLR 2022, with a floor from the training span.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.data.codec.base import Codec, Fitted, State
from rheos.data.dataset import Dataset

_NORMAL_IQR = 1.3489795003921634
_CELL_FLOOR = 0.01


class Scale(Codec):
    """Shift and scale to about zero mean and unit variance.

    Attributes:
        mode: where location and scale come from: the training span ("global", "robust") or each
            window's history ("window").
        per_cell: one location and scale for every cell of a field instead of one a channel.
        floor: smallest scale of a window, as a part of the training span's.
        isotropic: one scale for all channels, their root mean square, so that a turn of space stays one.
    """

    kind: Literal["scale"] = "scale"
    mode: Literal["global", "window", "robust"] = "global"
    per_cell: bool = False
    floor: float = Field(default=0.1, gt=0)
    isotropic: bool = False

    def fit_targets(self, dataset: Dataset) -> "FittedScale":
        """Measure location and scale, NaN-aware; constants get scale 1."""
        values = np.concatenate([np.asarray(r.values, np.float64) for r in dataset.recordings])
        axes = _axes(values.ndim, self.per_cell)
        if self.mode == "robust":
            location, scale = _quantiles(values, axes)
            # A mostly constant channel (rain) has no interquartile range but does vary.
            scale = np.where(scale > 0, scale, moments(values, axes)[1])
        else:
            location, scale = moments(values, axes)
        constant = ~(scale > 1e-10 * np.maximum(np.abs(location), 1e-30))
        scale = np.where(constant, 1.0, scale)
        if self.per_cell:
            scale = np.where(constant, 1.0, _floored(scale, constant))
        if self.isotropic:
            scale = _alike(np.where(constant, 0.0, scale), 0)
            scale = np.where(scale > 0, scale, 1.0)
        return FittedScale(config=self, location=location, scale=scale)

    def restore_targets(self, arrays: dict[str, np.ndarray]) -> "FittedScale":
        """The inverse of `target_arrays`."""
        return FittedScale(config=self, location=arrays["location"], scale=arrays["scale"])


def _axes(ndim: int, per_cell: bool) -> tuple[int, ...]:
    """All axes but the channel, or only the frames."""
    return (0,) if per_cell else (0, *range(2, ndim))


def moments(values: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of what is observed over `axes`; all but the first stay, of size 1."""
    seen = np.isfinite(values)
    count = np.maximum(seen.sum(axes, keepdims=True), 1)
    mean = np.where(seen, values, 0.0).sum(axes, keepdims=True) / count
    square = np.where(seen, values - mean, 0.0) ** 2
    return mean[0], np.sqrt(square.sum(axes, keepdims=True) / count)[0]


def _alike(scale: np.ndarray, axis: int) -> np.ndarray:
    """The root mean square over the channels, for each of them."""
    return np.broadcast_to(np.sqrt((scale**2).mean(axis, keepdims=True)), scale.shape)


def _quantiles(values: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(values.shape))[1:]
    kept = [axis for axis in range(values.ndim) if axis not in axes]
    rows = np.transpose(values, (*kept, *axes)).reshape(max(1, int(np.prod(shape))), -1)
    low, middle, high = (np.zeros(len(rows)) for _ in range(3))
    for i, row in enumerate(rows):
        finite = row[np.isfinite(row)]
        if len(finite):
            low[i], middle[i], high[i] = np.percentile(finite, (25, 50, 75))
    return middle.reshape(shape), ((high - low) / _NORMAL_IQR).reshape(shape)


def _floored(scale: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Keep nearly constant cells (sea ice) from being blown up: at least 1 % of the channel's scale."""
    space = tuple(range(1, scale.ndim))
    varying = np.where(constant, 0.0, scale)
    typical = varying.sum(space, keepdims=True) / np.maximum((~constant).sum(space, keepdims=True), 1)
    return np.maximum(scale, _CELL_FLOOR * typical)


@dataclass(frozen=True, kw_only=True)
class FittedScale(Fitted):
    """A scaling with its location and scale, each broadcastable to one frame."""

    config: Scale
    location: np.ndarray
    scale: np.ndarray

    @property
    def pointwise(self) -> bool:
        """False for window scaling."""
        return self.config.mode != "window"

    def state(self, history: np.ndarray) -> State:
        """Location and scale of each window's history; the training span's where it is all missing."""
        if self.pointwise:
            return {}
        values = np.asarray(history, np.float64)
        axes = (1,) if self.config.per_cell else (1, *range(3, values.ndim))
        seen = np.isfinite(values)
        count = seen.sum(axes, keepdims=True)
        mean = np.where(seen, values, 0.0).sum(axes, keepdims=True) / np.maximum(count, 1)
        square = (np.where(seen, values - mean, 0.0) ** 2).sum(axes, keepdims=True)
        deviation = np.sqrt(square / np.maximum(count, 1))
        if self.config.isotropic:
            deviation = _alike(deviation, 2)
        scale = np.maximum(deviation, self.config.floor * self.scale)
        return {
            "location": np.where(count > 0, mean, self.location)[:, 0],
            "scale": np.where(count > 0, scale, self.scale)[:, 0],
        }

    def _numbers(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        if self.pointwise:
            return self.location, self.scale
        return state["location"][:, None], state["scale"][:, None]

    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """(values - location) / scale."""
        location, scale = self._numbers(state)
        return (np.asarray(values, np.float64) - location) / scale

    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """Values * scale + location."""
        location, scale = self._numbers(state)
        return np.asarray(values, np.float64) * scale + location

    def log_det(self, values: np.ndarray, state: State) -> np.ndarray:
        """-log scale at every observed entry."""
        _, scale = self._numbers(state)
        return np.where(np.isfinite(values), -np.log(scale), np.nan)

    def target_arrays(self) -> dict[str, np.ndarray]:
        """Location and scale."""
        return {"location": self.location, "scale": self.scale}
