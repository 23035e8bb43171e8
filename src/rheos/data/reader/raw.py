"""What a format knows before the axis is put in order: sequences with the stamps of their rows."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rheos.data.dataset import Layout


@dataclass(slots=True, kw_only=True)
class RawSequence:
    """One sequence as it lies in the source, rows in any order.

    Attributes:
        name: `unique_id`, "" where there is only one.
        stamps: `(rows,)` DatetimeIndex without zone, CFTimeIndex, or numbers.
        values: `(rows, *features)` targets.
        known_future: `(rows, k)`.
        past: `(rows, k)`.
        static: `(k,)`.
    """

    name: str = ""
    stamps: pd.Index
    values: np.ndarray
    known_future: np.ndarray
    past: np.ndarray
    static: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, stamps: pd.Index | None = None) -> "RawSequence":
        """A sequence of targets alone, with frame numbers where there are no stamps."""
        empty = np.zeros((len(values), 0), np.float32)
        axis: pd.Index = pd.RangeIndex(len(values)) if stamps is None else stamps
        return cls(stamps=axis, values=values, known_future=empty, past=empty, static=np.zeros(0, np.float32))


@dataclass(slots=True, kw_only=True)
class Raw:
    """A source as a format understands it.

    Attributes:
        origin: the source as the user named it.
        layout: what the axes mean; `frequency` and `periods` are still open.
        sequences: at least one.
        notes: what was decided on the user's behalf, one sentence each.
        chunks: how the source is stored in pieces, "" where it is not.
    """

    origin: str
    layout: Layout
    sequences: list[RawSequence]
    notes: list[str] = field(default_factory=list)
    chunks: str = ""
