"""A target variable as `inspect` describes it: its range, and what of it is missing and how."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rheos.data.dataset import Dataset
from rheos.data.stay import stays

_FEWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A target variable, in its unit, over all recordings.

    Attributes:
        name: of the channel.
        unit: "" where unknown.
        minimum: smallest value.
        mean: of the values that are there.
        maximum: largest value.
        missing: share of missing values, from 0 to 1.
        constant: whether all values are the same.
        every: observed at every that many frames at most, 1 where at any.
        late: frames by which it ends before the others.
    """

    name: str
    unit: str
    minimum: float
    mean: float
    maximum: float
    missing: float
    constant: bool
    every: int = 1
    late: int = 0

    @classmethod
    def of(cls, dataset: Dataset, place: int, late: Mapping[str, int]) -> "Channel":
        """Describe one channel of a data set, of whose columns some are late."""
        seen = observed(dataset, place).astype(np.float64)
        if dataset.layout.kind == "trajectory":
            # Before an agent comes and after it has gone nothing is missing.
            size = sum(int(stays(recording.values).sum()) for recording in dataset.recordings)
        else:
            size = sum(r.values[: r.observed, place].size for r in dataset.recordings)
        return cls(
            name=dataset.layout.channels[place],
            unit=dataset.layout.units[place],
            minimum=float(seen.min()),
            mean=float(seen.mean()),
            maximum=float(seen.max()),
            missing=1.0 - seen.size / size,
            constant=bool(seen.min() == seen.max()),
            every=_every(dataset, place),
            late=late.get(dataset.layout.channels[place], 0),
        )

    @property
    def remark(self) -> str:
        """What stands behind its figures, "" where nothing does."""
        words = ["constant"] if self.constant else []
        words += [f"observed every {self.every} frames"] if self.every > 1 else []
        words += [f"reported {self.late} frames late"] if self.late else []
        return f"  {', '.join(words)}" if words else ""


def observed(dataset: Dataset, place: int) -> np.ndarray:
    """All values of a channel that are there."""
    joined = np.concatenate([recording.values[:, place].ravel() for recording in dataset.recordings])
    return np.asarray(joined[np.isfinite(joined)])


def _every(dataset: Dataset, place: int) -> int:
    """Frames that always lie between two observed ones, or a multiple of them."""
    found = []
    for recording in dataset.recordings:
        values = recording.values[:, place]
        frames = np.flatnonzero(np.isfinite(values).reshape(len(values), -1).any(1))
        if len(frames) >= _FEWEST:
            found.append(int(np.gcd.reduce(np.diff(frames))))
    return int(np.gcd.reduce(found)) if found else 1
