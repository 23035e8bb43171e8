"""Stretches of windows in turn, and the windows that share no frame to forecast with them."""

from collections.abc import Iterator

import numpy as np

from rheos.data.window_source import WindowSource

_STRETCHES = 6


def stretches(source: WindowSource, indices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places of the windows in runs, and of those that share no frame to forecast with the run.

    Args:
        source: of the windows.
        indices: of windows, by sequence, then origin. A run is passed over where no more than half of them
            would be left: a fit on so few is another anchor than that of all.
    """
    for mine in np.array_split(np.arange(len(indices)), min(_STRETCHES, len(indices))):
        others = np.flatnonzero(_apart(source, indices, indices[mine]))
        if 2 * len(others) > len(indices):
            yield mine, others


def _apart(source: WindowSource, indices: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Which of the windows have no frame to forecast in common with a stretch of them, bool."""
    horizon = source.spec.horizon
    kept = np.ones(len(indices), bool)
    for sequence in np.unique(source.sequence[stretch]):
        origins = source.origin[stretch][source.sequence[stretch] == sequence]
        before = source.origin[indices] + horizon <= origins.min()
        after = source.origin[indices] >= origins.max() + horizon
        kept &= (source.sequence[indices] != sequence) | before | after
    return kept
