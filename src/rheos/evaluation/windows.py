"""Which windows are scored, and how entries are weighed: the same for a backtest and a comparison."""

from collections.abc import Iterator, Sequence

import numpy as np

from rheos.core.errors import InputError
from rheos.data.dataset import Dataset, Layout
from rheos.score import area_weights

MOST_WINDOWS = 28


def window_origins(
    dataset: Dataset, cuts: Sequence[int], horizon: int, windows: int = MOST_WINDOWS
) -> list[list[int]]:
    """Origins of each recording: windows that do not overlap, all after the training span, oldest first.

    Args:
        dataset: the recordings.
        cuts: of each recording, the frames that fitting could see.
        horizon: frames of a window.
        windows: most of them.

    Returns:
        As many origins for every recording; none where nothing fits.

    Raises:
        InputError: no window is asked for.
    """
    if windows < 1:
        raise InputError(f"windows={windows}, but a backtest has at least one.")
    room = [(r.observed - cut) // horizon for r, cut in zip(dataset.recordings, cuts, strict=True)]
    count = max(0, min(windows, *room))
    return [[r.observed - horizon * k for k in range(count, 0, -1)] for r in dataset.recordings]


def cases(
    dataset: Dataset, origins: Sequence[Sequence[int]], horizon: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Index of the recording, origin and truth `(horizon, *features)` of every window, in order of time."""
    for number in range(len(origins[0])):
        for i, recording in enumerate(dataset.recordings):
            origin = origins[i][number]
            yield i, origin, recording.values[origin : origin + horizon].astype(np.float64)


def area_of(layout: Layout, space: tuple[int, ...]) -> np.ndarray:
    """Weights of the cells, mean 1: by latitude where there is one, else equal; shape () without space."""
    weights = np.ones(space)
    for axis, name in enumerate(layout.dims[1:]):
        values = layout.coords.get(name)
        if values is not None and name.lower() in ("lat", "latitude", "y_lat") and len(values) > 1:
            shape = [1] * len(space)
            shape[axis] = -1
            weights = weights * area_weights(values).reshape(shape)
    return weights


def share_unit(layout: Layout) -> bool:
    """Whether the sum over variables means something: a table's numbers of one unit, none a direction."""
    return len(layout.dims) == 1 and len(set(layout.units)) == 1 and not any(layout.circular)
