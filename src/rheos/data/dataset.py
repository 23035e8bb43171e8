"""Recorded sequences in memory: what readers produce and every other room takes.

A regular axis with gaps is regular: readers put a frame of NaN where a stamp is missing. NaN means
missing everywhere. Values are never changed in place; arrays are marked read-only.
"""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from rheos.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the axes of every recording of a data set mean.

    Attributes:
        kind: "series" (frames, channel) or "field" (frames, channel, y, x) and so on.
        dims: names of the feature axes, "channel" first, then the data's own names.
        channels: names of the target channels.
        units: unit of each channel, "" where unknown.
        coords: coordinate values of the spatial dims, by name (absent: plain numbering).
        frequency: pandas frequency of the frames ("30min", "MS", "B"), or None: frame numbers.
        periods: seasonal periods in frames, shortest first (may be empty).
        known_future: names of covariates known ahead.
        past: names of covariates known up to the origin.
        static: names of constants of a sequence.
        periodic: for each spatial axis, whether it closes on itself.
        circular: of each channel, the period after which its values mean the same again (a direction's 360),
            0 for ordinary numbers.
        attributes: what the source says of itself (title, source, licence, calendar).
        time: the source's own name for its stamps.
        sequence: the source's own name for the column that tells sequences apart.
    """

    kind: str = "series"
    dims: tuple[str, ...] = ("channel",)
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    coords: dict[str, np.ndarray] = field(default_factory=dict)
    frequency: str | None = None
    periods: tuple[int, ...] = ()
    known_future: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    periodic: tuple[bool, ...] = ()
    circular: tuple[float, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    time: str = "time"
    sequence: str = "unique_id"

    def __post_init__(self) -> None:
        if not self.units:
            object.__setattr__(self, "units", ("",) * len(self.channels))
        if not self.circular:
            object.__setattr__(self, "circular", (0.0,) * len(self.channels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recorded sequence on a regular axis, oldest frame first.

    Attributes:
        name: the sequence's `unique_id`, "" where a source holds only one.
        stamps: `(frames,)` a DatetimeIndex, a CFTimeIndex, or a RangeIndex of frame numbers.
        values: targets `(frames, *features)`, float32 or float64, NaN missing. Trailing frames may be
            all NaN: a future for which covariates are known.
        known_future: `(frames, k)`, k may be 0.
        past: `(frames, k)`.
        static: `(k,)`.
    """

    name: str = ""
    stamps: pd.Index
    values: np.ndarray
    known_future: np.ndarray
    past: np.ndarray
    static: np.ndarray

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        stamps: pd.Index | None = None,
        name: str = "",
        known_future: np.ndarray | None = None,
        past: np.ndarray | None = None,
        static: np.ndarray | None = None,
    ) -> "Recording":
        """Build a recording; absent covariates become arrays of width 0, absent stamps frame numbers.

        Raises:
            InputError: lengths disagree.
        """
        frames = len(values)
        if known_future is None:
            known_future = np.zeros((frames, 0), np.float32)
        if past is None:
            past = np.zeros((frames, 0), np.float32)
        axis: pd.Index = pd.RangeIndex(frames) if stamps is None else stamps
        parts: dict[str, int] = {"stamps": len(axis), "known_future": len(known_future), "past": len(past)}
        for what, length in parts.items():
            if length != frames:
                raise InputError(f"sequence {name!r} has {frames} frames of values but {length} of {what}.")
        return cls(
            name=name,
            stamps=axis,
            values=values,
            known_future=known_future,
            past=past,
            static=np.zeros(0, np.float32) if static is None else static,
        )

    def __len__(self) -> int:
        return len(self.values)

    def until(self, frames: int) -> "Recording":
        """The first `frames` frames (negative: all but the last ones)."""
        return replace(
            self,
            stamps=self.stamps[:frames],
            values=self.values[:frames],
            known_future=self.known_future[:frames],
            past=self.past[:frames],
        )

    def last(self, frames: int) -> "Recording":
        """The last `frames` observed frames, and what is known of the future after them."""
        first = max(0, self.observed - frames)
        return replace(
            self,
            stamps=self.stamps[first:],
            values=self.values[first:],
            known_future=self.known_future[first:],
            past=self.past[first:],
        )

    @property
    def observed(self) -> int:
        """Number of frames up to and with the last one that has any observed target."""
        seen = np.isfinite(self.values).reshape(len(self), -1).any(1)
        return int(np.flatnonzero(seen)[-1]) + 1 if seen.any() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Recordings that share a layout."""

    layout: Layout
    recordings: tuple[Recording, ...]

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of one frame."""
        return self.recordings[0].values.shape[1:]

    def until(self, holdout: int) -> "Dataset":
        """All recordings without their last `holdout` observed frames.

        Raises:
            InputError: a recording is not longer than the holdout.
        """
        if holdout == 0:
            return self
        kept = []
        for recording in self.recordings:
            frames = recording.observed - holdout
            if frames <= 0:
                raise InputError(
                    f"holdout={holdout} leaves nothing of sequence {recording.name!r}, which has "
                    f"{recording.observed} observed frames; give a smaller --holdout."
                )
            kept.append(recording.until(frames))
        return replace(self, recordings=tuple(kept))

    def last(self, frames: int) -> "Dataset":
        """All recordings as :meth:`Recording.last` gives them."""
        return replace(self, recordings=tuple(recording.last(frames) for recording in self.recordings))

    @property
    def fingerprint(self) -> str:
        """A short hash of the data: values, stamps and names."""
        digest = hashlib.sha256()
        for recording in self.recordings:
            digest.update(recording.name.encode())
            digest.update(f"{recording.stamps[0]}{recording.stamps[-1]}{len(recording)}".encode())
            for part in (recording.values, recording.known_future, recording.past, recording.static):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()[:16]
