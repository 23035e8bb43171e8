"""Folds: a training window is forecast by numbers fitted without its own block of time.

A forecast fitted on the windows that it is then judged by errs less on them than on any others, and a
process trained on such errors draws ensembles that are too narrow. Cross-fitting, as stacking does
(Wolpert, "Stacked generalization", Neural Networks 1992), shows it errors of the size that forecasts have.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rheos.data.windows import WindowBatch

Forecast = Callable[[WindowBatch], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Where the windows that something was fitted on lie: first and last origin of every sequence.

    Attributes:
        first, last: by number of the sequence.
    """

    first: dict[int, int]
    last: dict[int, int]

    @classmethod
    def of(cls, batch: WindowBatch) -> "Spans":
        """The spans of some windows."""
        mine = {int(s): batch.origin[batch.sequence == s] for s in np.unique(batch.sequence)}
        return cls(
            first={s: int(origin.min()) for s, origin in mine.items()},
            last={s: int(origin.max()) for s, origin in mine.items()},
        )

    def block(self, batch: WindowBatch, blocks: int) -> np.ndarray:
        """The block of time of each window: its place between first and last origin of its sequence."""
        block = np.zeros(len(batch), int)
        for sequence in np.unique(batch.sequence):
            rows = batch.sequence == sequence
            first = self.first.get(int(sequence), 0)
            length = self.last.get(int(sequence), first) - first + 1
            block[rows] = np.clip(blocks * (batch.origin[rows] - first) // length, 0, blocks - 1)
        return block


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """One forecast for each block of time, fitted on all other blocks.

    Attributes:
        spans: of the windows that were fitted on.
        without: forecasts `(b, S, *features)`, one a block.
    """

    spans: Spans
    without: tuple[Forecast, ...]

    def future(self, batch: WindowBatch) -> np.ndarray:
        """Each window's point forecast by what was fitted without its block, `(b, S, *features)`."""
        block = self.spans.block(batch, len(self.without))
        out = np.empty(batch.future.shape)
        for number in np.unique(block):
            rows = np.flatnonzero(block == number)
            out[rows] = self.without[number](batch.rows(rows))
        return out
