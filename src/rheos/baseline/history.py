"""Reading a history with gaps: the last value seen, the last frames, the last cycle.

Histories are `(frames, columns)`, oldest first; columns are the flattened features.
"""

import numpy as np


def last_observed(history: np.ndarray) -> np.ndarray:
    """Last observed value of every column, `(columns,)`, NaN where there is none."""
    if not np.isnan(history[-1]).any():
        return history[-1]
    age = (~np.isnan(history[::-1])).argmax(0)
    return history[len(history) - 1 - age, np.arange(history.shape[1])]


def last_frames(history: np.ndarray, count: int) -> np.ndarray:
    """The last `count` frames, newest first, gaps filled from before: `(count, columns)`."""
    return np.stack([last_observed(history[: len(history) - lag]) for lag in range(count)])


def last_cycle(history: np.ndarray, period: int) -> np.ndarray:
    """The last value seen at every phase of a period, oldest first: `(period, columns)`.

    A gap is filled from the cycle before, in the end from the column's last value.
    """
    cycle = history[len(history) - period :]
    end = len(history) - period
    while np.isnan(cycle).any() and end >= period:
        cycle = np.where(np.isnan(cycle), history[end - period : end], cycle)
        end -= period
    return np.where(np.isnan(cycle), last_observed(history), cycle)


def season(history: np.ndarray, period: int, horizon: int) -> np.ndarray:
    """The last cycle repeated over the future: `(horizon, columns)`."""
    return last_cycle(history, period)[np.arange(horizon) % period]
