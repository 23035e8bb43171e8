"""Sequences of one source become channels of one recording, on the union of their stamps."""

from dataclasses import replace

import numpy as np
import pandas as pd

from rheos.data.dataset import Layout
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import RawSequence


def joined(layout: Layout, rows: list[RawSequence], origin: str) -> tuple[Layout, RawSequence]:
    """Join sequences whose rows are in order, one a stamp.

    A covariate that says the same in all of them stays one, otherwise each sequence brings its own,
    named `covariate[sequence]`; channels are named after the sequences.

    Raises:
        SourceError: the sequences hold fields.
    """
    if rows[0].values.ndim != 2:
        raise SourceError(f"data.joint=true joins series, and {origin!r} holds fields")
    stamps = rows[0].stamps
    for sequence in rows[1:]:
        if not sequence.stamps.equals(stamps):
            stamps = stamps.union(sequence.stamps)
    names = tuple(sequence.name for sequence in rows)
    alone = len(layout.channels) == 1
    past, past_names = _covariates([s.past for s in rows], layout.past, rows, stamps)
    known, known_names = _covariates([s.known_future for s in rows], layout.known_future, rows, stamps)
    whole = RawSequence(
        stamps=stamps,
        values=np.concatenate([_on(stamps, s, s.values) for s in rows], axis=1),
        known_future=known,
        past=past,
        static=np.concatenate([s.static for s in rows]),
    )
    changed = replace(
        layout,
        channels=names if alone else tuple(f"{c}[{n}]" for n in names for c in layout.channels),
        units=layout.units * len(names),
        past=past_names,
        known_future=known_names,
        static=tuple(f"{column}[{name}]" for name in names for column in layout.static),
    )
    return changed, whole


def _on(stamps: pd.Index, sequence: RawSequence, array: np.ndarray) -> np.ndarray:
    out = np.full((len(stamps), array.shape[1]), np.nan)
    out[stamps.get_indexer(sequence.stamps)] = array
    return out


def _covariates(
    arrays: list[np.ndarray], names: tuple[str, ...], rows: list[RawSequence], stamps: pd.Index
) -> tuple[np.ndarray, tuple[str, ...]]:
    columns, found = [np.zeros((len(stamps), 0))], []
    for place, name in enumerate(names):
        each = np.concatenate(
            [_on(stamps, s, a[:, place : place + 1]) for s, a in zip(rows, arrays, strict=True)], 1
        )
        seen = np.isfinite(each)
        first = np.where(seen.any(1), each[np.arange(len(each)), seen.argmax(1)], np.nan)[:, None]
        if (~seen | (each == first)).all():
            columns.append(first)
            found.append(name)
        else:
            columns.append(each)
            found += [f"{name}[{s.name}]" for s in rows]
    return np.concatenate(columns, axis=1), tuple(found)
