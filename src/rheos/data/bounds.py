"""Physical limits: what a channel cannot fall below or rise above, declared or seen as an atom of the data.

A forecast is projected on its limits, X -> min(max(X, lower), upper). As truth obeys them, the projection
never makes a CRPS worse: below the lower limit it moves the forecast's distribution function to 0, where the
truth's is. It is also the censored model of rain, radiation or demand at capacity (Tobin, "Estimation of
relationships for limited dependent variables", Econometrica 1958).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rheos.core.errors import InputError
from rheos.data.dataset import Dataset
from rheos.data.options import closest

Limits = Mapping[str, tuple[float | None, float | None]]

# An extreme value that this share of a channel holds exactly is a limit, not the luck of the sample.
_ATOM, _FEWEST = 0.02, 20
_DEVIATIONS = 2.0  # of chance


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of every channel.

    Attributes:
        lower: `(channel,)` float64, -inf where there is none.
        upper: likewise, inf.
    """

    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, wanted: Limits | Literal["auto", "none"]) -> "Bounds":
        """The limits that a recipe asks for.

        Args:
            dataset: the training span.
            wanted: limits by channel, None for no limit; "auto" finds them; "none" has none.

        Raises:
            InputError: a channel is unknown or a direction, or training values lie outside its limits.
        """
        channels = dataset.layout.channels
        bounds = cls(np.full(len(channels), -np.inf), np.full(len(channels), np.inf))
        on_circle = dataset.layout.circular
        if wanted == "auto":
            for number in range(len(channels)):
                if not on_circle[number]:
                    bounds.lower[number], bounds.upper[number] = _atoms(dataset, number)
        elif wanted != "none":
            for name, (lower, upper) in wanted.items():
                if name not in channels:
                    raise InputError(f"bounds.{name}: no variable has this name; {closest(name, channels)}")
                number = channels.index(name)
                if on_circle[number]:
                    raise InputError(
                        f"bounds.{name}: a direction has no limits; leave out the one or the other."
                    )
                bounds.lower[number] = -np.inf if lower is None else lower
                bounds.upper[number] = np.inf if upper is None else upper
                _require_inside(dataset, number, name, bounds)
        return bounds

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    def clip(self, values: np.ndarray) -> np.ndarray:
        """Values `(row, frame, channel, *space)` inside the limits, NaN staying NaN.

        A new array of the same dtype where there is a limit, else the values themselves.
        """
        if not self.any:
            return values
        lower, upper = self._limits(values)
        return np.clip(values, lower, upper).astype(values.dtype)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Share of each channel's values `(row, frame, channel, *space)` outside its limits, `(channel,)`."""
        lower, upper = self._limits(values)
        axes = tuple(axis for axis in range(values.ndim) if axis != 2)
        seen = np.maximum(np.isfinite(values).sum(axes), 1)
        return np.asarray(((values < lower) | (values > upper)).sum(axes) / seen)

    def _limits(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shape = (-1,) + (1,) * (values.ndim - 3)
        return self.lower.reshape(shape), self.upper.reshape(shape)

    def words(self, channels: tuple[str, ...]) -> dict[str, tuple[float | None, float | None]]:
        """Limits by channel, as a recipe writes them; channels without limits are left out."""
        pairs = zip(channels, self.lower.tolist(), self.upper.tolist(), strict=True)
        return {
            name: (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
            for name, low, high in pairs
            if np.isfinite(low) or np.isfinite(high)
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name."""
        return {"lower": self.lower, "upper": self.upper}


def _values(dataset: Dataset, number: int) -> np.ndarray:
    """The observed values of one channel, all recordings together."""
    parts = [recording.values[:, number].ravel() for recording in dataset.recordings]
    values = np.concatenate(parts)
    return np.asarray(values[np.isfinite(values)])


def _atoms(dataset: Dataset, number: int) -> tuple[float, float]:
    """The channel's extremes where they are atoms, else no limit."""
    values, counts = np.unique(_values(dataset, number), return_counts=True)
    if len(values) < 2:
        return -np.inf, np.inf
    return (
        float(values[0]) if _is_atom(values[0], counts[0], counts[1], counts.sum()) else -np.inf,
        float(values[-1]) if _is_atom(values[-1], counts[-1], counts[-2], counts.sum()) else np.inf,
    )


def _is_atom(value: float, count: int, beside: int, total: int) -> bool:
    """Whether an extreme is held by more than the luck of the sample and the rounding of its values.

    Rounded values are held often too, but the fewer the further out; a limit holds all that would lie beyond
    it, and so more than the value beside it. What is never below 0 is taken to have its limit there.

    Args:
        value: the extreme.
        count: how often it is held.
        beside: how often the next value is.
        total: values.
    """
    more = count - beside > _DEVIATIONS * np.sqrt(count + beside)
    return bool(count >= max(_FEWEST, _ATOM * total) and (value == 0 or more))


def _require_inside(dataset: Dataset, number: int, name: str, bounds: Bounds) -> None:
    values = _values(dataset, number)
    low, high = bounds.lower[number], bounds.upper[number]
    if not low < high:
        raise InputError(f"bounds.{name}=[{low:g}, {high:g}]: the first must be below the second.")
    wrong = values[(values < low) | (values > high)]
    if len(wrong):
        raise InputError(
            f"bounds.{name}=[{low:g}, {high:g}], but {len(wrong)} of its {len(values)} training values lie "
            f"outside, such as {wrong[0]:g}; widen the limits or mark such values with data.missing."
        )


def told(limits: Limits, most: int = 8) -> str:
    """Limits by channel for people: "rain in [0, ], share in [0, 1]"."""
    shown = [
        f"{name} in [{'' if low is None else f'{low:g}'}, {'' if high is None else f'{high:g}'}]"
        for name, (low, high) in list(limits.items())[:most]
    ]
    return ", ".join(shown) + (", ..." if len(limits) > most else "")
