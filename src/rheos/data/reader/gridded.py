"""NetCDF, Zarr and xarray: a time dimension, any spatial ones, some variables, by the CF conventions."""

import warnings
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path

import cf_xarray  # noqa: F401  (the accessor that knows axes)
import numpy as np
import pandas as pd
import xarray as xr

from rheos.data.dataset import Layout
from rheos.data.options import DataOptions, closest
from rheos.data.reader.arrays import from_array
from rheos.data.reader.files import existing
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw, RawSequence
from rheos.data.reader.stamps import looks_like_stamps, stamps

_MEMBERS = [
    "member",
    "realization",
    "ensemble",
    "ens",
    "number",
    "sample",
    "draw",
    "lead",
    "lead_time",
    "step",
    "init_time",
    "forecast_period",
    "forecast_reference_time",
    "quantile",
    "percentile",
]
_AXIS_NAMES = {
    "Z": ("level", "lev", "plev", "height", "depth", "z", "pressure", "altitude"),
    "Y": ("latitude", "lat", "y", "rlat", "nlat", "northing", "j", "row"),
    "X": ("longitude", "lon", "x", "rlon", "nlon", "easting", "i", "col"),
}


def from_netcdf(path: Path, options: DataOptions) -> Raw:
    """Read a NetCDF file of version 3 or 4.

    Raises:
        SourceError: it is none, is damaged, or cannot be understood.
    """
    origin = str(path)
    with existing(path).open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"\x89HDF\r\n\x1a\n"):
        engine = "h5netcdf"
    elif magic[:4] in (b"CDF\x01", b"CDF\x02"):
        engine = "scipy"
    else:
        kind = "is empty" if not magic else "is not a NetCDF file"
        raise SourceError(f"{origin!r} {kind}", advice="check what wrote it")
    return _opened(partial(xr.open_dataset, path, engine=engine, cache=False), options, origin, "NetCDF file")


def from_zarr(path: Path, options: DataOptions) -> Raw:
    """Read a Zarr folder.

    Raises:
        SourceError: it is none, is damaged, or cannot be understood.
    """
    origin = str(path)
    if not any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata")):
        raise SourceError(f"{origin!r} is a folder without Zarr metadata", advice="check the path")
    return _opened(
        partial(xr.open_zarr, path, consolidated=None, chunks=None), options, origin, "Zarr folder"
    )


def _opened(open_it: Callable[[], xr.Dataset], options: DataOptions, origin: str, kind: str) -> Raw:
    """Understand what opens; whatever a damaged file makes the library raise becomes one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", xr.SerializationWarning)
            with open_it() as dataset:
                return from_grid(dataset, options, origin)
    except SourceError:
        raise
    except (OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, IndexError) as error:
        raise _damaged(origin, kind, error) from None


def from_grid(dataset: xr.Dataset, options: DataOptions, origin: str) -> Raw:
    """Understand an xarray data set; it is never changed.

    Raises:
        SourceError: no time, no variable, or a dimension that is neither time nor space.
    """
    notes: list[str] = []
    if any(isinstance(value, str) for value in options.missing):
        word = next(value for value in options.missing if isinstance(value, str))
        raise SourceError(
            f"data.missing={word!r} is text, and {origin!r} holds numbers", advice="give a number"
        )
    time = _time_dimension(dataset, options, origin)
    dataset = _selected(dataset, options, origin)
    names = _variables(dataset, time, options, origin, notes)
    spatial = _spatial(dataset[names[0]], time, options, origin)
    for axis in (time, *spatial):
        if dataset.sizes[axis] == 0:
            raise SourceError(f"dimension {axis!r} of {origin!r} has length 0")
    index = _stamps(dataset, time, options, origin, notes)
    arrays = [_values(dataset[name].transpose(time, *spatial)) for name in names]
    values = np.stack(arrays, axis=1)
    first = dataset[names[0]]
    layout = Layout(
        kind="field" if spatial else "series",
        dims=("channel", *spatial),
        channels=names,
        units=tuple(str(dataset[name].attrs.get("units", "")) for name in names),
        coords={axis: np.array(first[axis].values) for axis in spatial if axis in first.coords},
        periodic=tuple(_closes(first, axis) for axis in spatial),
        attributes=_attributes(dataset),
    )
    sequence = RawSequence.of(values, index)
    pieces = first.encoding.get("preferred_chunks") or first.encoding.get("chunksizes")
    sizes = pieces.values() if isinstance(pieces, dict) else pieces
    chunks = " x ".join(str(size) for size in sizes) if sizes else ""
    return Raw(origin=origin, layout=layout, sequences=[sequence], notes=notes, chunks=chunks)


def from_data_array(array: xr.DataArray, options: DataOptions, origin: str) -> Raw:
    """Understand one xarray variable; without any dimension of time it is an array, frames first."""
    name = str(array.name) if array.name is not None else "value"
    if not array.coords and options.time is None and "time" not in array.dims:
        return from_array(array.values, options, origin)
    return from_grid(array.to_dataset(name=name), options, origin)


def _time_dimension(dataset: xr.Dataset, options: DataOptions, origin: str) -> str:
    dims = tuple(str(name) for name in dataset.dims)
    if options.time is not None:
        if options.time not in dims:
            raise SourceError(
                f"data.time={options.time} names no dimension of {origin!r}",
                advice=closest(options.time, dims),
            )
        return options.time
    by_cf = [str(name) for name in dataset.cf.axes.get("T", []) if str(name) in dims]
    by_type = [name for name in dims if name in dataset.coords and _is_stamps(dataset[name])]
    by_name = [
        name for name in dims if name.lower() in ("time", "t", "date", "valid_time", "frame", "frames")
    ]
    found = list(dict.fromkeys(by_cf + by_type + by_name))
    found = [name for name in found if name not in _MEMBERS] or found
    if not found:
        shown = ", ".join(dims) or "none"
        raise SourceError(
            f"{origin!r} has no dimension of time (dimensions: {shown})",
            advice="name it with data.time=DIMENSION",
        )
    if len(found) > 1 and not (by_cf and len(by_cf) == 1):
        shown = ", ".join(found)
        raise SourceError(f"{origin!r} has several dimensions of time ({shown})", {"time": found[0]})
    return found[0]


def _is_stamps(array: xr.DataArray) -> bool:
    return array.dtype.kind == "M" or (array.ndim == 1 and isinstance(array.to_index(), xr.CFTimeIndex))


def _selected(dataset: xr.Dataset, options: DataOptions, origin: str) -> xr.Dataset:
    for name, place in options.select.items():
        if name not in dataset.dims:
            dims = tuple(str(dim) for dim in dataset.dims)
            raise SourceError(
                f"data.select.{name} names no dimension of {origin!r}", advice=closest(name, dims)
            )
        if not -dataset.sizes[name] <= place < dataset.sizes[name]:
            raise SourceError(
                f"data.select.{name}={place} is beyond its length {dataset.sizes[name]} in {origin!r}"
            )
        dataset = dataset.isel({name: place})
    return dataset


def _variables(
    dataset: xr.Dataset, time: str, options: DataOptions, origin: str, notes: list[str]
) -> tuple[str, ...]:
    there = tuple(str(name) for name in dataset.data_vars)
    if options.variables is not None:
        for name in options.variables:
            if name not in there:
                raise SourceError(f"{origin!r} has no variable {name!r}", advice=closest(name, there))
            _check_variable(dataset[name], time, origin)
        names = options.variables
        if not names:
            raise SourceError("data.variables=[] names no variable", advice="name at least one")
    else:
        bounds = {str(dataset[name].attrs.get("bounds", "")) for name in dataset.variables}
        usable = [
            n
            for n in there
            if n not in bounds and time in dataset[n].dims and dataset[n].dtype.kind in "fiub"
        ]
        dropped = [name for name in there if name not in usable]
        if not usable:
            shown = ", ".join(there) or "none"
            raise SourceError(f"{origin!r} has no variable of numbers along {time!r} (variables: {shown})")
        if dropped:
            notes.append(f"left out, being no numbers along {time!r}: {', '.join(dropped)}")
        names = tuple(name for name in usable if options.roles.get(name, "target") != "ignore")
        for name, role in options.roles.items():
            if name not in there:
                raise SourceError(
                    f"roles.{name} names no variable of {origin!r}", advice=closest(name, there)
                )
            if role not in ("target", "ignore"):
                raise SourceError(
                    f"roles.{name}={role} is for tables; the variables of {origin!r} are targets"
                )
        if not names:
            raise SourceError(f"no variable of {origin!r} is a target", advice="take back one of the roles")
    grids = {frozenset(dataset[name].dims) for name in names}
    if len(grids) > 1:
        same = [name for name in names if set(dataset[name].dims) == set(dataset[names[0]].dims)]
        shown = "; ".join(f"{name} ({', '.join(map(str, dataset[name].dims))})" for name in names[:5])
        raise SourceError(f"the variables of {origin!r} lie on different grids: {shown}", {"variables": same})
    return names


def _check_variable(variable: xr.DataArray, time: str, origin: str) -> None:
    if variable.dtype.kind not in "fiub":
        raise SourceError(
            f"variable {variable.name!r} of {origin!r} holds {variable.dtype}, not real numbers"
        )
    if time not in variable.dims:
        raise SourceError(f"variable {variable.name!r} of {origin!r} has no dimension {time!r}")


def _spatial(variable: xr.DataArray, time: str, options: DataOptions, origin: str) -> tuple[str, ...]:
    dims = [str(name) for name in variable.dims if str(name) != time]
    for name in dims:
        standard = variable[name].attrs.get("standard_name", "") if name in variable.coords else ""
        if name.lower() in _MEMBERS or standard in (
            "realization",
            "forecast_period",
            "forecast_reference_time",
        ):
            what = (
                f"{variable.name!r} of {origin!r} has a dimension {name!r} "
                f"({variable.sizes[name]}) that is neither time nor space"
            )
            raise SourceError(what, {"select": {name: 0}}, f"take one of them with data.select.{name}=0")
    if options.dims is not None:
        wanted = tuple(name for name in options.dims if name != time)
        if sorted(wanted) != sorted(dims):
            shown = ", ".join(dims) or "none"
            raise SourceError(
                f"data.dims={list(options.dims)} are not the spatial dimensions of {origin!r} ({shown})"
            )
        return wanted
    if len(dims) > 3:
        raise SourceError(
            f"{variable.name!r} of {origin!r} has {len(dims)} dimensions besides time ({', '.join(dims)})",
            {"select": {dims[0]: 0}},
        )
    letters = {axis: _letter(variable, axis) for axis in dims}
    return tuple(sorted(dims, key=lambda axis: "?ZYX".index(letters[axis])))


def _letter(variable: xr.DataArray, axis: str) -> str:
    for letter in "ZYX":
        if axis in [str(name) for name in variable.cf.axes.get(letter, [])]:
            return letter
    for letter, names in _AXIS_NAMES.items():
        if axis.lower() in names:
            return letter
    return "?"


def _stamps(
    dataset: xr.Dataset, time: str, options: DataOptions, origin: str, notes: list[str]
) -> pd.Index | None:
    if time not in dataset.coords:
        notes.append(f"dimension {time!r} has no stamps: frames are numbered")
        return None
    index = dataset[time].to_index()
    if isinstance(index, xr.CFTimeIndex):
        return index
    series = pd.Series(index, name=time)
    words = all(isinstance(value, str) for value in series) if series.dtype.kind == "O" else True
    if not words or (series.dtype.kind == "U" and not looks_like_stamps(series)):
        kinds = sorted({type(value).__name__ for value in series})
        raise SourceError(
            f"the stamps of {origin!r} cannot be read: {time!r} holds {', '.join(kinds)} such as "
            f"{series.iloc[0]}",
            advice="write them in one calendar",
        )
    return stamps(series, options, origin, notes)


def _values(variable: xr.DataArray) -> np.ndarray:
    values = variable.values
    if values.dtype in (np.float32, np.float64):
        return np.asarray(values)
    return np.asarray(values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64))


def _closes(variable: xr.DataArray, axis: str) -> bool:
    """Whether an axis is a longitude that goes once round."""
    if axis not in variable.coords or variable.sizes[axis] < 3 or variable[axis].dtype.kind not in "fiu":
        return False
    attributes = variable[axis].attrs
    east = str(attributes.get("units", "")).lower() in ("degrees_east", "degree_east", "degreee", "degreese")
    if not (east or attributes.get("standard_name") == "longitude" or axis.lower() in ("lon", "longitude")):
        return False
    steps = np.diff(variable[axis].values.astype(np.float64))
    even = np.allclose(steps, steps[0], rtol=1e-2)
    return bool(even and abs(abs(steps.mean()) * len(variable[axis]) - 360.0) < 0.5 * abs(steps.mean()))


def _attributes(dataset: xr.Dataset) -> dict[str, str]:
    wanted: tuple[Hashable, ...] = (
        "title",
        "source",
        "institution",
        "license",
        "licence",
        "references",
        "Conventions",
    )
    return {str(name): str(dataset.attrs[name]) for name in wanted if name in dataset.attrs}


def _damaged(origin: str, kind: str, error: Exception) -> SourceError:
    reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
    return SourceError(
        f"{origin!r} cannot be read as a {kind} ({reason[:200]})", advice="fetch or write it again"
    )
