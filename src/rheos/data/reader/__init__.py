"""Readers: tables, arrays, grids, videos, trajectories, JSON lines become a `Dataset`, however they come.

Every source is understood by its format (`table`, `trajectories`, `arrays`, `gridded`, `video`, `jsonlines`)
and brought onto a regular axis in one place (`assemble`). The caller's objects are never changed.
"""

import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rheos.data.dataset import Dataset
from rheos.data.options import DataOptions
from rheos.data.reader import arrays, excel, gridded, jsonlines, video
from rheos.data.reader.assemble import Reading, assemble
from rheos.data.reader.files import content, existing
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw
from rheos.data.reader.table import from_table
from rheos.data.reader.text import text_table
from rheos.data.reader.trajectories import are_trajectories, from_trajectories

__all__ = ["Reading", "Source", "SourceError", "read", "survey"]

Source = str | Path | pd.DataFrame | pd.Series | xr.Dataset | xr.DataArray | np.ndarray

NETCDF = (".nc", ".nc4", ".netcdf", ".cdf", ".h5", ".hdf5")
PARQUET = (".parquet", ".pq")


def read(source: Source, options: DataOptions | Mapping[str, Any] | None = None) -> Dataset:
    """Read a source.

    Args:
        source: a path (`FILE.npz::name` names an array, `FOLDER::test` a part, a folder of videos all of
            them), a pandas DataFrame or Series, an xarray Dataset or DataArray, or a numpy array, frames
            first.
        options: how it is to be read.

    Returns:
        Recordings on regular axes, NaN where a value or a stamp is missing.

    Raises:
        InputError: the source cannot be read as it is; one sentence says what, where and what to do.
    """
    return survey(source, options).dataset


def survey(source: Source, options: DataOptions | Mapping[str, Any] | None = None) -> Reading:
    """Read a source and say what was decided on the way; arguments as in `read`."""
    if options is None:
        options = DataOptions()
    elif not isinstance(options, DataOptions):
        options = DataOptions.of(options)
    return assemble(_understood(source, options), options)


def _understood(source: Source, options: DataOptions) -> Raw:
    if isinstance(source, pd.Series):
        source = source.to_frame(source.name if source.name is not None else "value")
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, options, "the DataFrame")
    if isinstance(source, xr.Dataset):
        return gridded.from_grid(source, options, "the xarray Dataset")
    if isinstance(source, xr.DataArray):
        return gridded.from_data_array(source, options, "the xarray DataArray")
    if isinstance(source, np.ndarray):
        return arrays.from_array(source, options, "the array")
    if isinstance(source, str | Path):
        return _from_path(str(source), options)
    raise SourceError(
        f"a source of type {type(source).__name__} cannot be read",
        advice="give a path, a DataFrame, an xarray object or a numpy array",
    )


def _from_frame(frame: pd.DataFrame, options: DataOptions, origin: str) -> Raw:
    names = tuple(str(name) for name in (*frame.index.names, *frame.columns))
    return (from_trajectories if are_trajectories(names, options) else from_table)(frame, options, origin)


def _from_path(source: str, options: DataOptions) -> Raw:
    place, _, part = source.partition("::")
    path = existing(Path(place).expanduser())
    suffix = path.suffix.lower()
    if path.is_dir():
        return _from_folder(path, part or None, options)
    if suffix == ".npz":
        return arrays.from_npz(path, part or None, options)
    if suffix in (*excel.SUFFIXES, *excel.OTHER_SUFFIXES):
        return _from_frame(excel.excel_table(path, part or None, options), options, source)
    if part and ".tar" not in path.name and suffix != ".tgz":
        raise SourceError(f"{source!r} names a part of {path.name!r}, which has none", advice=f"give {place}")
    if suffix == ".npy":
        return arrays.from_npy(path, options)
    if suffix in NETCDF:
        return gridded.from_netcdf(path, options)
    if suffix in PARQUET:
        return _from_frame(parquet_table(path), options, str(path))
    if suffix in video.SUFFIXES:
        return video.from_video(path, options)
    if jsonlines.is_json_name(path.name):
        return jsonlines.from_json_file(path, options)
    if ".tar" in path.name or suffix in (".tgz", ".txz"):
        return jsonlines.from_tar(_tar(path), part or None, options, str(path))
    return _from_frame(text_table(path, options), options, str(path))


def _from_folder(path: Path, part: str | None, options: DataOptions) -> Raw:
    if path.suffix == ".zarr" or any(
        (path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata")
    ):
        return gridded.from_zarr(path, options)
    if any(file.is_file() and jsonlines.is_json_name(file.name) for file in path.rglob("*")):
        return jsonlines.from_json_folder(path, part, options)
    shown = (file for file in path.iterdir() if not file.name.startswith("."))
    clips = sorted(file for file in shown if file.suffix.lower() in video.SUFFIXES)
    if clips:
        return video.from_videos(clips, options, str(path))
    raise SourceError(
        f"{str(path)!r} is a folder that holds neither Zarr, JSON lines nor videos", advice="name a file"
    )


def _tar(path: Path) -> bytes:
    raw = content(path)
    if not tarfile.is_tarfile(BytesIO(raw)):
        raise SourceError(f"{str(path)!r} is not a tar archive", advice="fetch it again")
    return raw


def parquet_table(path: Path) -> pd.DataFrame:
    """A Parquet file as a table.

    Raises:
        InputError: it is not readable.
    """
    try:
        return pd.read_parquet(BytesIO(content(path)), engine="pyarrow")
    except SourceError:
        raise
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise SourceError(
            f"{str(path)!r} is not a readable Parquet file ({reason[:160]})", advice="write it again"
        ) from None
