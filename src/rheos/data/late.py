"""Late columns: of what is reported d frames after it happened, the last d frames are unknown at any origin.

A table made every hour whose temperatures arrive three hours later ends in three empty cells of that column.
Its past is whole by now, but never was when a forecast had to be made: so those cells are hidden in every
window, of training, of calibration and of a backtest alike, and a model learns from what it will have.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rheos.core.errors import InputError
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.options import closest

_LONGEST_SHARE = 0.02  # of a recording: a column that ends earlier has ended, and comes no more


def late_columns(dataset: Dataset) -> dict[str, int]:
    """Frames by which targets and past covariates are late, by name; those that are not are left out.

    A column is late where it ends before the others in every recording, by more frames than any gap in it
    has. It is late by the most of them.
    """
    layout, found = dataset.layout, {}
    if layout.kind != "series":
        return {}
    for names, part in ((layout.channels, "values"), (layout.past, "past")):
        for place, name in enumerate(names):
            delays = [_delay(getattr(r, part)[:, place], r.observed) for r in dataset.recordings]
            if min(delays) > 0:
                found[name] = max(delays)
    return found


def _delay(column: np.ndarray, end: int) -> int:
    """Frames missing at the end, 0 where a gap inside is as long, or too many are."""
    seen = np.flatnonzero(np.isfinite(column[:end]))
    if len(seen) == 0:
        return 0
    delay = end - 1 - int(seen[-1])
    gap = int(np.diff(seen).max(initial=1)) - 1
    return delay if gap < delay <= max(1, int(_LONGEST_SHARE * end)) else 0


def require_late(late: Mapping[str, int], layout: Layout) -> None:
    """Check the names.

    Raises:
        InputError: one is no target and no past covariate, or the data are no table.
    """
    if late and layout.kind != "series":
        raise InputError(
            f"late.{next(iter(late))} is for columns of a table; a frame of a {layout.kind} comes whole: "
            "leave it out."
        )
    known = (*layout.channels, *layout.past)
    for name in late:
        if name not in known:
            raise InputError(f"late.{name} names no target and no past covariate; {closest(name, known)}")


def delays(late: Mapping[str, int], names: tuple[str, ...]) -> np.ndarray:
    """Frames by which each of some columns is late, `(k,)`; a direction's two are as late as it is."""
    plain = [name.removesuffix(" (cosine)").removesuffix(" (sine)") for name in names]
    return np.array([late.get(name, late.get(bare, 0)) for name, bare in zip(names, plain, strict=True)], int)


def hidden(values: np.ndarray, before: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Frames with NaN where a column was not yet reported; the values themselves where none is late.

    Args:
        values: `(..., f, k, *space)`, frames along the axis of the length of `before`.
        before: `(f,)`, how many frames each lies before the origin: 1 the last one.
        late: `(k,)`.
    """
    if not late.any():
        return values
    unknown = before[:, None] <= late
    return np.where(unknown.reshape(*unknown.shape, *(1,) * (values.ndim - 3)), np.nan, values)


def as_known(recording: Recording, layout: Layout, origin: int, late: Mapping[str, int]) -> Recording:
    """A recording as it was at an origin; itself where nothing is late."""
    if not any(late.values()):
        return recording
    before = origin - np.arange(len(recording))
    before = np.where(before > 0, before, len(recording) + max(late.values()))
    parts = {
        name: hidden(getattr(recording, name)[None], before, delays(late, names))[0]
        for name, names in (("values", layout.channels), ("past", layout.past))
    }
    return replace(recording, **parts)


def late_words(late: Mapping[str, int]) -> list[str]:
    """A phrase for each late column."""
    return [f"{name} is reported {frames} frames late" for name, frames in late.items() if frames]
