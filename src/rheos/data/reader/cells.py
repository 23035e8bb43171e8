"""Irregular stamps: every row becomes the frame it lies nearest to, and how far off it lies stays known.

Frame i stands for the half step before and after its stamp. Cells without a row are missing, no rows are
averaged and no value is changed: the offset, in steps, is a past covariate, so that time enters the network
as a coordinate beside the mask, and lags, calendars, baselines and backtests find the frames they need. The
step is the longest usual one that gives every row a cell of its own; where that needs more than
`_MOST_CELLS` cells a row, the shortest that does not, and of the rows that share a cell the last is kept.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from rheos.data.calendar import step_seconds
from rheos.data.dataset import Layout
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import RawSequence
from rheos.data.reader.rhythm import Rhythm, nanoseconds, normal, usual_steps, word

CELLS = "cells"
"""The attribute of a layout that says its frames are cells, and of what size."""
OFFSET = "time_offset"
"""The past covariate: a row's stamp less its frame's, in steps."""
_MOST_CELLS = 4


def cell_step(stamps: pd.Index, given: str | None, origin: str) -> Rhythm:
    """The size of the cells.

    Args:
        stamps: `(rows,)` distinct and in order, at least two.
        given: the size as the user wants it, a pandas frequency (or a number, of frame numbers).
        origin: the source, for messages.

    Raises:
        SourceError: it is no fixed span.
    """
    numbers = not isinstance(stamps, pd.DatetimeIndex | xr.CFTimeIndex)
    if given is not None:
        return _of_size(given, numbers, origin)
    ticks = np.asarray(stamps, np.float64) if numbers else nanoseconds(stamps).astype(np.float64)
    if not numbers:
        # Cells are counted from the round clock, not from the first row.
        start = pd.Timestamp(0) if isinstance(stamps, pd.DatetimeIndex) else stamps[0]
        ticks = ticks + (stamps[0] - start).total_seconds() * 1e9
    longest = 2 * float(np.median(np.diff(ticks)))
    steps = [step for step in usual_steps(ticks, numbers) if step <= longest]
    few = [step for step in steps if (ticks[-1] - ticks[0]) / step <= _MOST_CELLS * len(ticks)]
    alone = [step for step in few if (np.diff(np.round(ticks / step)) > 0).all()]
    step = max(alone) if alone else min(few or steps)
    return Rhythm(None, step) if numbers else Rhythm(word(int(step)))


def _of_size(given: str, numbers: bool, origin: str) -> Rhythm:
    if numbers:
        try:
            step = float(given)
        except ValueError:
            step = 0.0
        if step <= 0:
            raise SourceError(f"data.cells={given} is no step of {origin!r}, whose stamps are numbers")
        return Rhythm(None, step)
    frequency = normal(given, "data.cells")
    try:
        pd.DatetimeIndex(["2000-01-01"]).round(frequency)
    except ValueError:
        raise SourceError(
            f"data.cells={given} is no fixed span of time", advice="give one such as 10min, h or D"
        ) from None
    return Rhythm(frequency)


def celled(sequence: RawSequence, rhythm: Rhythm, notes: list[str], origin: str) -> RawSequence:
    """The rows of a sequence at the stamps of their frames, their offsets as one more past covariate."""
    stamps = sequence.stamps
    if isinstance(stamps, pd.DatetimeIndex | xr.CFTimeIndex):
        at: pd.Index = stamps.round(rhythm.frequency)
        away = np.array([span.total_seconds() for span in stamps - at])
        offset = away / step_seconds(str(rhythm.frequency))
    else:
        ticks = np.asarray(stamps, np.float64)
        at = pd.Index(rhythm.step * np.round(ticks / rhythm.step))
        offset = (ticks - np.asarray(at)) / rhythm.step
    last = np.append(np.asarray(at[1:] != at[:-1]), True)
    shared = len(last) - int(last.sum())
    of = f" of sequence {sequence.name!r}" if sequence.name else ""
    note = (
        f"stamps{of} follow no rhythm: each row is the frame of step {_size(rhythm)} "
        f"that it lies nearest to (data.cells), and how far off it lies is the past covariate {OFFSET!r}"
    )
    if shared:
        note += f"; {shared} rows that share a frame with a later one are left out"
    notes.append(note)
    return RawSequence(
        name=sequence.name,
        stamps=at[last],
        values=sequence.values[last],
        known_future=sequence.known_future[last],
        past=np.concatenate([sequence.past, offset[:, None]], 1)[last],
        static=sequence.static,
    )


def told(layout: Layout, rhythm: Rhythm) -> Layout:
    """The layout of data in cells."""
    attributes = {**layout.attributes, CELLS: _size(rhythm)}
    return replace(layout, past=(*layout.past, OFFSET), attributes=attributes)


def _size(rhythm: Rhythm) -> str:
    return rhythm.frequency or f"{rhythm.step:g}"
