"""Which windows early stopping and calibration see, and training does not: blocks all along the span.

One block at the end would be quickest to cut, but then the newest data would not be learned from and
one season would have to speak for all of them.
"""

import numpy as np

from rheos.data.window_source import WindowSource
from rheos.forecast.draw import ensembles
from rheos.forecast.model import FittedModel
from rheos.score import aggregate, crps

_HORIZONS = 4  # a block holds at least this many horizons, where the data allow
_BLOCKS = 10


def blocks(frames: int, first: int, horizon: int, share: float) -> np.ndarray:
    """Held-out stretches of one recording, evenly spread.

    Args:
        frames: observed frames.
        first: earliest origin of a window.
        horizon: S.
        share: of the frames to hold out.

    Returns:
        int64 `(blocks, 2)`, first frame and the one after the last.
    """
    size = max(horizon, round(share * frames))
    count = int(np.clip(size // (_HORIZONS * horizon), 1, _BLOCKS))
    length = size // count
    middle = first + (np.arange(count) + 0.5) * (frames - first) / count
    start = np.clip(np.round(middle - length / 2), first, max(first, frames - length)).astype(np.int64)
    return np.stack([start, start + length], axis=1)


def split(windows: WindowSource, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the windows to train on, and of those held out.

    The future of a training window touches no held-out block; that of a held-out one lies inside a block.

    Args:
        windows: of the training span.
        share: of each recording's frames to hold out; of the recordings, where all are too short for that.
    """
    horizon = windows.spec.horizon
    train, held = np.zeros(len(windows), bool), np.zeros(len(windows), bool)
    for i, recording in enumerate(windows.dataset.recordings):
        mine = windows.sequence == i
        if not mine.any():
            continue
        origin = windows.origin[mine]
        parts = blocks(recording.observed, int(origin.min()), horizon, share)
        start, end = parts[:, 0], parts[:, 1]
        train[mine] = ((origin[:, None] + horizon <= start) | (origin[:, None] >= end)).all(1)
        held[mine] = ((origin[:, None] >= start) & (origin[:, None] + horizon <= end)).any(1)
    if not (train.any() and held.any()) and len(np.unique(windows.sequence)) > 1:
        held = _whole_recordings(windows, share)
        train = ~held
    return np.flatnonzero(train), np.flatnonzero(held)


def _whole_recordings(windows: WindowSource, share: float) -> np.ndarray:
    """Where recordings are too short to be cut: the windows of some of them, evenly spread."""
    used = np.unique(windows.sequence)
    count = int(np.clip(round(share * len(used)), 1, len(used) - 1))
    middle = ((np.arange(count) + 0.5) * len(used) / count).astype(np.int64)
    return np.isin(windows.sequence, used[middle])


def apart(windows: WindowSource, held: np.ndarray, horizon: int, fewest: int) -> np.ndarray:
    """Held-out windows whose futures do not overlap; where these are too few, as far apart as gives enough.

    Args:
        windows: of the training span.
        held: indices of the held-out windows, ordered by recording, then origin.
        horizon: S.
        fewest: how many there should be, if need be overlapping.
    """
    chosen = held[:0]
    for step in (horizon, *(horizon // part for part in (2, 4) if horizon >= part), 1):
        chosen = _spaced(windows, held, step)
        if len(chosen) >= fewest:
            break
    return chosen


def _spaced(windows: WindowSource, held: np.ndarray, step: int) -> np.ndarray:
    """Windows of which each starts `step` frames after the one before it, or later."""
    chosen: list[int] = []
    last: dict[int, int] = {}
    for index in held:
        recording, origin = int(windows.sequence[index]), int(windows.origin[index])
        if recording not in last or origin - last[recording] >= step:
            chosen.append(int(index))
            last[recording] = origin
    return np.array(chosen, int)


def held_out_score(
    model: FittedModel, windows: WindowSource, indices: np.ndarray, members: int, device: str = "cpu"
) -> float:
    """Mean fair CRPS in coded units over held-out windows, with the fast preset.

    Args:
        model: what is trained.
        windows: of the training span.
        indices: of the held-out windows.
        members: of each small ensemble.
        device: where the network is.
    """
    scores = []
    chosen = model.preset("fast")
    for batch, values, _ in ensembles(model, windows, indices, members, chosen, "held out", device):
        state = {name: np.repeat(value, members, axis=0) for name, value in batch.state.items()}
        coded = model.codec.encode(model.circle.lifted(values.reshape(-1, *values.shape[2:])), state)
        ensemble = np.moveaxis(coded.reshape(*values.shape[:2], *coded.shape[1:]), 1, 0)
        scores.append(crps(ensemble, batch.future.astype(np.float64)))
    return float(aggregate(np.concatenate(scores)))
