"""Tokens: x_0 = 1 + number of bin edges above the least that are at most the raw whole number.

A channel whose whole numbers span at most `most` values has a bin for each of them, and decoding is exact. A
wider one is cut at quantiles of the training span into at most `most` bins, and decoded as the lower median
of what the bin held there. Rheos' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.core.errors import InputError
from rheos.data.codec.base import Codec, Fitted, State
from rheos.data.dataset import Dataset


class Tokens(Codec):
    """Counts, states and other whole numbers as tokens, for `process=masked`.

    Attributes:
        most: at most so many tokens a channel.
    """

    kind: Literal["tokens"] = "tokens"
    most: int = Field(default=64, ge=2)

    def fit_targets(self, dataset: Dataset) -> "FittedTokens":
        """Find the bins of each channel.

        Raises:
            InputError: a channel holds what is no whole number.
        """
        names = dataset.layout.channels
        edges, middle, last = zip(
            *(self._bins(name, _column(dataset, c)) for c, name in enumerate(names)), strict=True
        )
        return FittedTokens(
            config=self, edges=_even(edges), middle=_even(middle), last=np.array(last), channels=names
        )

    def _bins(self, name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """First number of each bin, the number it is decoded as, and the last number of the last bin."""
        _require_whole(name, values)
        if not len(values):
            return np.zeros(1), np.zeros(1), 0.0
        low, high = values.min(), values.max()
        if high - low < self.most:
            numbers = np.arange(low, high + 1)
            return numbers, numbers, high
        values = np.sort(values)
        edges = np.unique(values[np.arange(self.most) * len(values) // self.most])
        start = np.searchsorted(values, edges)
        end = np.append(start[1:], len(values))
        return edges, values[(start + end - 1) // 2], high

    def restore_targets(self, arrays: dict[str, np.ndarray]) -> "FittedTokens":
        """The inverse of `target_arrays`."""
        channels = tuple(str(i) for i in range(len(arrays["last"])))
        edges, middle, last = (arrays[name] for name in ("edges", "middle", "last"))
        return FittedTokens(config=self, edges=edges, middle=middle, last=last, channels=channels)


def _even(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of numbers, the short ones continued by inf."""
    width = max(map(len, rows))
    return np.stack([np.pad(row, (0, width - len(row)), constant_values=np.inf) for row in rows])


def _require_whole(name: str, values: np.ndarray) -> None:
    """Raise InputError where a channel holds what is no whole number."""
    broken = values[np.isfinite(values) & (values != np.round(values))]
    if len(broken):
        raise InputError(
            f"channel {name!r} holds {broken[0]:g}, which is no whole number, so it has no tokens: use "
            "another process than masked, or leave the channel out by roles."
        )


def _column(dataset: Dataset, number: int) -> np.ndarray:
    """The observed values of one channel, all recordings and cells together."""
    values = np.concatenate([r.values[:, number].ravel() for r in dataset.recordings]).astype(np.float64)
    return np.asarray(values[np.isfinite(values)])


@dataclass(frozen=True, kw_only=True)
class FittedTokens(Fitted):
    """The bins of each channel.

    Attributes:
        edges: `(channel, K)`, the first whole number of each bin, inf beyond a channel's last bin.
        middle: `(channel, K)`, what each bin is decoded as.
        last: `(channel,)`, the last whole number of the last bin.
        channels: names, or numbers where restored.
    """

    config: Tokens
    edges: np.ndarray
    middle: np.ndarray
    last: np.ndarray
    channels: tuple[str, ...]

    @property
    def values(self) -> tuple[int, ...]:
        """How many tokens each channel has."""
        return tuple(np.isfinite(self.edges).sum(1).tolist())

    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """The number of the bin from 1; what lies outside the training span falls into the outermost bins.

        Raises:
            InputError: a value is no whole number.
        """
        raw = np.asarray(values, np.float64)
        coded = np.empty_like(raw)
        for channel, edges in enumerate(self.edges):
            _require_whole(self.channels[channel], raw[:, :, channel])
            place = np.searchsorted(edges, np.nan_to_num(raw[:, :, channel], nan=edges[0]), side="right")
            coded[:, :, channel] = np.maximum(place, 1)
        return np.where(np.isnan(raw), np.nan, coded)

    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """The whole number that stands for the bin."""
        coded = np.asarray(values, np.float64)
        raw = np.empty_like(coded)
        for channel, middle in enumerate(self.middle):
            place = np.nan_to_num(coded[:, :, channel], nan=1.0).round().astype(np.int64) - 1
            raw[:, :, channel] = middle[np.clip(place, 0, self.values[channel] - 1)]
        return np.where(np.isnan(coded), np.nan, raw)

    def log_det(self, values: np.ndarray, state: State) -> np.ndarray:
        """-log of how many whole numbers the bin has, its mass being spread evenly; -inf outside all bins.

        There is no density: with the log probability of a token this is that of a raw whole number.
        """
        raw = np.asarray(values, np.float64)
        found = np.empty_like(raw)
        place = self.encode(raw, state)
        for channel, count in enumerate(self.values):
            own, first = self.edges[channel, :count], raw[:, :, channel]
            size = np.diff(np.append(own, self.last[channel] + 1))
            chosen = np.nan_to_num(place[:, :, channel], nan=1.0).astype(np.int64) - 1
            inside = (first >= own[0]) & (first <= self.last[channel])
            found[:, :, channel] = np.where(inside, -np.log(size[chosen]), -np.inf)
        return np.where(np.isnan(raw), np.nan, found)

    def target_arrays(self) -> dict[str, np.ndarray]:
        """Edges, what bins stand for, and the last numbers."""
        return {"edges": self.edges, "middle": self.middle, "last": self.last}
