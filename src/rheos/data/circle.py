"""Circular variables: a direction theta of period P is modeled as the point (cos, sin)(2 pi theta / P).

    lift    theta -> (cos, sin)          one channel becomes two; the plane has no jump at 0 = P
    lower   (c, s) -> P / 2 pi * atan2(s, c), in [0, P): the nearest point of the circle, as a projection

Everything that is fitted (codec, anchor, network) sees the plane, so persistence is right across the wrap
and damping leads to the prevailing direction; everything a user sees is a direction.
"""

from dataclasses import dataclass, replace

import numpy as np

from rheos.core.circle import mean_direction, signed, wrapped
from rheos.data.dataset import Dataset, Layout


@dataclass(frozen=True, slots=True)
class Circle:
    """Which channels are directions.

    Attributes:
        period: of each channel, 0 where it is an ordinary number; empty: all are.
    """

    period: tuple[float, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is a direction at all."""
        return any(self.period)

    @property
    def channels(self) -> tuple[int, ...]:
        """Numbers of the channels that are directions."""
        return tuple(number for number, period in enumerate(self.period) if period)

    def each(self, said: tuple[int, ...]) -> tuple[int, ...]:
        """What is said of every variable, said of its channels in the plane."""
        twice = self.period or (0.0,) * len(said)
        return tuple(n for n, period in zip(said, twice, strict=True) for _ in range(2 if period else 1))

    def lift(self, dataset: Dataset) -> Dataset:
        """The data in the plane: each direction as two channels; the data themselves where there is none."""
        if not self.any:
            return dataset
        layout = dataset.layout
        names, units = [], []
        for name, unit, period in zip(layout.channels, layout.units, self.period, strict=True):
            names += [f"{name} (cosine)", f"{name} (sine)"] if period else [name]
            units += ["", ""] if period else [unit]
        lifted: Layout = replace(layout, channels=tuple(names), units=tuple(units), circular=())
        recordings = tuple(replace(r, values=self.lifted(r.values, 1)) for r in dataset.recordings)
        return replace(dataset, layout=lifted, recordings=recordings)

    def lifted(self, values: np.ndarray, axis: int = 2) -> np.ndarray:
        """Values in the plane, their channels along `axis`, in their own dtype."""
        if not self.any:
            return values
        parts = []
        for number, period in enumerate(self.period):
            part = np.take(values, number, axis)
            angle = part.astype(np.float64) * (2 * np.pi / period) if period else part
            parts += [np.cos(angle), np.sin(angle)] if period else [part]
        return np.stack(parts, axis).astype(values.dtype)

    def lowered(self, values: np.ndarray, axis: int = 2) -> np.ndarray:
        """The inverse of :meth:`lifted`; points off the circle become the nearest one on it."""
        if not self.any:
            return values
        parts, place = [], 0
        for period in self.period:
            part = np.take(values, place, axis)
            if period:
                angle = np.arctan2(np.take(values, place + 1, axis), part)
                part = wrapped((angle * (period / (2 * np.pi))).astype(values.dtype), period)
            parts.append(part)
            place += 2 if period else 1
        return np.stack(parts, axis)

    def wrap(self, values: np.ndarray, axis: int = 2) -> np.ndarray:
        """Directions in [0, P); the values themselves where there is none."""
        out = values.copy() if self.any else values
        for number, period in enumerate(self.period):
            if period:
                place = _at(number, axis)
                out[place] = wrapped(values[place], period)
        return out

    def middle(self, members: np.ndarray, over: int = 0, axis: int = 2) -> np.ndarray:
        """Mean direction of members along the axis `over`, before `axis`; 0 for ordinary channels."""
        out = np.zeros(members.shape[:over] + members.shape[over + 1 :])
        for number, period in enumerate(self.period):
            if period:
                out[_at(number, axis - 1)] = mean_direction(members[_at(number, axis)], period, over)
        return out

    def about(self, values: np.ndarray, middle: np.ndarray, axis: int = 2) -> np.ndarray:
        """Directions on the straight line about `middle`: none further than half a period from it.

        Args:
            values: channels along `axis`.
            middle: broadcastable to the values, channels along the same axis counted from the end.
            axis: of the channels.
        """
        out = values.copy() if self.any else values
        for number, period in enumerate(self.period):
            if period:
                center = middle[_at(number, axis - values.ndim + middle.ndim)]
                out[_at(number, axis)] = center + signed(values[_at(number, axis)] - center, period)
        return out


def _at(channel: int, axis: int) -> tuple[slice | int, ...]:
    return (*(slice(None),) * axis, channel)
