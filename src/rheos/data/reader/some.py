"""Values of some variables at some stamps: what a user knows, or supposes, of frames that are to come."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from rheos.data.dataset import Layout
from rheos.data.options import DataOptions, closest
from rheos.data.reader import NETCDF, PARQUET, Source, excel, gridded, parquet_table
from rheos.data.reader.columns import column
from rheos.data.reader.files import existing
from rheos.data.reader.marks import unmarked
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw
from rheos.data.reader.roles import SERIES_NAMES, TIME_NAMES, named
from rheos.data.reader.table import from_table
from rheos.data.reader.text import text_table
from rheos.data.reader.time_parts import with_whole_stamps


@dataclass(frozen=True, slots=True)
class Some:
    """Values of one sequence.

    Attributes:
        stamps: `(rows,)`, each once, in any order.
        values: `(rows, *features)` float64 over all channels of the layout, NaN where nothing is said.
    """

    stamps: pd.Index
    values: np.ndarray

    def at(self, stamps: pd.Index) -> np.ndarray:
        """The values at stamps `(frames, *features)`, NaN where there is none."""
        rows = self.stamps.get_indexer(stamps)
        missing = (rows < 0).reshape(-1, *(1 for _ in self.values.shape[1:]))
        return np.where(missing, np.nan, self.values[rows])


def read_some(source: Source, layout: Layout, options: DataOptions) -> dict[str, Some]:
    """Read values of some of a layout's channels.

    Args:
        source: a table, or a gridded source, with the stamps and names of the data the layout is of.
            Columns without a value are as good as absent.
        layout: of the data.
        options: how those were read.

    Returns:
        What is said, by the name of the sequence.

    Raises:
        InputError: it cannot be read, a name is no channel's, nothing is said, or a stamp comes twice.
    """
    plain = options.model_copy(update={"roles": {}, "circular": {}, "joint": None, "variables": None})
    if isinstance(source, xr.Dataset):
        raw = gridded.from_grid(source, plain, "the xarray Dataset")
    elif isinstance(source, xr.DataArray):
        raw = gridded.from_data_array(source, plain, "the xarray DataArray")
    elif isinstance(source, str | Path) and Path(source).suffix.lower() in NETCDF:
        raw = gridded.from_netcdf(existing(Path(source).expanduser()), plain)
    else:
        origin = str(source) if isinstance(source, str | Path) else "the DataFrame"
        raw = _of_table(_table(source, plain), layout, options, origin)
    _require_channels(raw, layout)
    return dict(_sequences(raw, layout, options))


def _table(source: Source, options: DataOptions) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, pd.Series):
        return source.to_frame()
    if not isinstance(source, str | Path):
        raise SourceError(
            f"known values of type {type(source).__name__} cannot be read",
            advice="give a table or an xarray object",
        )
    place, _, part = str(source).partition("::")
    path = existing(Path(place).expanduser())
    if path.suffix.lower() in excel.SUFFIXES:
        return excel.excel_table(path, part or None, options)
    return parquet_table(path) if path.suffix.lower() in PARQUET else text_table(path, options)


def _of_table(table: pd.DataFrame, layout: Layout, options: DataOptions, origin: str) -> Raw:
    """The columns that say something, all of them targets."""
    table, time = with_whole_stamps(table, options, origin, [], layout.time)
    options = options.model_copy(update={"time": time or options.time, "time_parts": None})
    kept = tuple(_said(table, layout, options, origin))
    silent = [
        name
        for name in table.columns
        if str(name) not in kept and (str(name) in layout.channels or _ignored(str(name), options))
    ]
    roles = dict.fromkeys(kept, "target")
    asked = options.model_copy(update={"roles": roles, "circular": {}, "joint": None})
    return from_table(table.drop(columns=silent), asked, origin)


def _ignored(name: str, options: DataOptions) -> bool:
    return options.roles.get(name) == "ignore"


def _said(table: pd.DataFrame, layout: Layout, options: DataOptions, origin: str) -> Iterator[str]:
    """Names of the channels that have a value."""
    words = tuple(value for value in options.missing if isinstance(value, str))
    names = [str(name) for name in table.columns]
    time = layout.time if layout.time in names else named(names, TIME_NAMES)
    free = {time, options.time, layout.sequence, named(names, SERIES_NAMES), *(options.series or ())}
    found = False
    for place, name in enumerate(names):
        if name in free or _ignored(name, options):
            continue
        if name not in layout.channels:
            raise _unknown(name, layout, origin)
        if column(unmarked(table.iloc[:, place], options), words).kind != "empty":
            found = True
            yield name
    if not found:
        raise SourceError(
            f"{origin!r} gives no value of {', '.join(layout.channels[:6])}", advice="fill in at least one"
        )


def _unknown(name: str, layout: Layout, origin: str) -> SourceError:
    for role in ("known_future", "past", "static"):
        if name in getattr(layout, role):
            return SourceError(
                f"column {name!r} of {origin!r} is no variable that is forecast but {role}",
                advice="add its values to the source and leave it out here",
            )
    return SourceError(
        f"column {name!r} of {origin!r} is no variable of the model", advice=closest(name, layout.channels)
    )


def _require_channels(raw: Raw, layout: Layout) -> None:
    for name in raw.layout.channels:
        if name not in layout.channels:
            raise _unknown(name, layout, raw.origin)


def _sequences(raw: Raw, layout: Layout, options: DataOptions) -> Iterator[tuple[str, Some]]:
    numbers = [value for value in options.missing if not isinstance(value, str)]
    places = [layout.channels.index(name) for name in raw.layout.channels]
    for sequence in raw.sequences:
        twice = sequence.stamps[sequence.stamps.duplicated()]
        if len(twice):
            raise SourceError(f"{raw.origin!r} has two rows for {twice[0]}", advice="keep one of them")
        shape = (len(sequence.values), len(layout.channels), *sequence.values.shape[2:])
        values = np.full(shape, np.nan)
        values[:, places] = np.where(np.isin(sequence.values, numbers), np.nan, sequence.values)
        yield sequence.name, Some(sequence.stamps, values)
