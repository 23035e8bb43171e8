"""Arrays, frames first: `(frames)`, `(frames, channel)`, `(frames, y, x)`, `(frames, channel, y, x)`, ...

Another order of axes is named by `data.dims`, say `[x, time]`, or `[time, agent, space]` of trajectories; an
axis `scene` holds several recordings, as in `[scene, time, y, x]`. Nothing is ever unpickled.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from rheos.data.dataset import Layout
from rheos.data.options import DataOptions, closest
from rheos.data.reader.files import content, existing
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw, RawSequence
from rheos.data.reader.roles import SPACE
from rheos.data.reader.stamps import stamps
from rheos.data.reader.trajectories import are_trajectories, from_trajectories

_BY_RANK = {
    1: ("time",),
    2: ("time", "channel"),
    3: ("time", "y", "x"),
    4: ("time", "channel", "y", "x"),
    5: ("time", "channel", "z", "y", "x"),
}


def from_npy(path: Path, options: DataOptions) -> Raw:
    """Read a `.npy` file.

    Raises:
        SourceError: it is none, or holds Python objects.
    """
    raw = content(existing(path))
    if not raw.startswith(b"\x93NUMPY"):
        raise SourceError(f"{str(path)!r} is not a numpy file", advice="check what wrote it")
    try:
        array = np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _unreadable(str(path), error) from None
    return from_array(array, options, str(path))


def from_npz(path: Path, name: str | None, options: DataOptions) -> Raw:
    """Read one array of a `.npz` file; another may hold the stamps (`data.time`).

    Raises:
        SourceError: it is none, holds Python objects, or does not say which array is meant.
    """
    origin = str(path)
    if not zipfile.is_zipfile(existing(path)):
        raise SourceError(f"{origin!r} is not a numpy archive", advice="check what wrote it")
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = tuple(archive.files)
            if name is None and are_trajectories(names, options):
                return from_trajectories(_columns(archive, names, origin), options, origin)
            chosen = _chosen(names, name, options.time, origin)
            array = archive[chosen]
            axis = _stamp_array(archive, names, options, origin)
            lengths = {other: archive[other].shape[:1] for other in names if other.startswith("time")}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, SourceError):
            raise
        raise _unreadable(origin, error) from None
    raw = from_array(array, options, f"{origin}::{chosen}", axis)
    for other, length in lengths.items():
        if axis is None and other != chosen and length == (len(raw.sequences[0].values),):
            raw.notes.append(
                f"array {other!r} has one entry a frame; if it holds the stamps give data.time={other}"
            )
    return raw


def from_array(array: np.ndarray, options: DataOptions, origin: str, axis: pd.Series | None = None) -> Raw:
    """Understand an array.

    Args:
        array: never changed.
        options: `dims` names its axes where they are not in the usual order.
        origin: the source, for messages.
        axis: `(frames,)` stamps, where there are some.

    Raises:
        SourceError: its type, rank or size is not that of recorded frames.
    """
    notes: list[str] = []
    _check(array, options, origin)
    dims = _dims(array, options, origin)
    if "agent" in dims:
        return _from_agents(array, dims, options, origin, axis)
    spatial = tuple(name for name in dims if name not in ("scene", "time", "channel"))
    order = [dims.index(name) for name in ("scene", "time", "channel", *spatial) if name in dims]
    moved = np.transpose(array, order)
    scenes = moved if "scene" in dims else moved[None]
    if "channel" not in dims:
        scenes = scenes[:, :, None]
    index = None if axis is None else stamps(axis, options, origin, notes)
    if index is not None and len(index) != scenes.shape[1]:
        raise SourceError(
            f"data.time={options.time} has {len(index)} stamps and {origin!r} has {scenes.shape[1]} frames"
        )
    count = scenes.shape[2]
    name = origin.rpartition("::")[2] if "::" in origin else "value"
    layout = Layout(
        kind="field" if spatial else "series",
        dims=("channel", *spatial),
        channels=(name,) if count == 1 else tuple(f"{name}{place}" for place in range(count)),
        periodic=(False,) * len(spatial),
        sequence="scene" if "scene" in dims else "unique_id",
    )
    if index is None:
        notes.append("there are no stamps: frames are numbered")
    return Raw(origin=origin, layout=layout, sequences=_recordings(scenes, index), notes=notes)


def _from_agents(
    array: np.ndarray, dims: tuple[str, ...], options: DataOptions, origin: str, axis: pd.Series | None
) -> Raw:
    """Places of agents, an axis of scenes becoming recordings."""
    wanted = ("scene", "time", "space", "agent")
    if set(dims) - {"scene"} != set(wanted[1:]):
        raise SourceError(
            f"data.dims=[{','.join(dims)}] has an axis 'agent', so its axes are places of agents",
            advice="name them time, agent, space and, where there are several scenes, scene",
        )
    moved = np.transpose(array, [dims.index(name) for name in wanted if name in dims])
    scenes = moved if "scene" in dims else moved[None]
    size = scenes.shape[2]
    if size not in (2, 3):
        raise SourceError(f"{origin!r} has a space of {size} dimensions", advice="give places in 2 or 3")
    notes: list[str] = []
    index = None if axis is None else stamps(axis, options, origin, notes)
    if index is not None and len(index) != scenes.shape[1]:
        raise SourceError(
            f"data.time={options.time} has {len(index)} stamps and {origin!r} has {scenes.shape[1]} frames"
        )
    if index is None:
        notes.append("there are no stamps: frames are numbered")
    layout = Layout(
        kind="trajectory",
        dims=("channel", "agent"),
        channels=SPACE[:size],
        coords={"agent": np.arange(scenes.shape[3])},
        periodic=(False,),
        sequence="scene",
    )
    return Raw(origin=origin, layout=layout, sequences=_recordings(scenes, index), notes=notes)


def _recordings(scenes: np.ndarray, index: pd.Index | None) -> list[RawSequence]:
    """A recording for each of `(scene, time, ...)`, numbered where there are several."""
    kind = scenes.dtype if scenes.dtype in (np.float32, np.float64) else _float(scenes.dtype)
    sequences = [RawSequence.of(scene.astype(kind, copy=False), index) for scene in scenes]
    if len(sequences) > 1:
        for number, sequence in enumerate(sequences):
            sequence.name = str(number)
    return sequences


def _columns(archive: np.lib.npyio.NpzFile, names: tuple[str, ...], origin: str) -> pd.DataFrame:
    """Arrays of the same length as a table."""
    columns = {name: archive[name] for name in names}
    for name, values in columns.items():
        if values.ndim != 1 or len(values) != len(columns[names[0]]):
            raise SourceError(
                f"{origin!r} holds the columns of trajectories, but its array {name!r} has shape "
                f"{values.shape} where {names[0]!r} has {columns[names[0]].shape}",
                advice=f"make all of them one row an agent and frame, or name one array: {origin}::{name}",
            )
    return pd.DataFrame(columns)


def _chosen(names: tuple[str, ...], name: str | None, time: str | None, origin: str) -> str:
    others = [other for other in names if other != time]
    if name is None and len(others) == 1:
        return others[0]
    if name is None:
        shown = ", ".join(names) or "none"
        example = names[0] if names else "NAME"
        raise SourceError(
            f"{origin!r} holds several arrays ({shown})", advice=f"name one: {origin}::{example}"
        )
    if name not in names:
        raise SourceError(f"{origin!r} holds no array {name!r}", advice=closest(name, names))
    return name


def _stamp_array(
    archive: np.lib.npyio.NpzFile, names: tuple[str, ...], options: DataOptions, origin: str
) -> pd.Series | None:
    if options.time is None or options.time == "rows":
        return None
    if options.time not in names:
        raise SourceError(
            f"data.time={options.time} names no array of {origin!r}", advice=closest(options.time, names)
        )
    found = archive[options.time]
    if found.ndim != 1:
        raise SourceError(
            f"data.time={options.time} has shape {found.shape} in {origin!r}", advice="give one stamp a frame"
        )
    return pd.Series(found, name=options.time)


def _check(array: np.ndarray, options: DataOptions, origin: str) -> None:
    if array.dtype.kind not in "fiub":
        kinds = {
            "c": "complex numbers",
            "O": "Python objects",
            "U": "text",
            "S": "text",
            "M": "stamps",
            "V": "records",
        }
        kind = kinds.get(array.dtype.kind, str(array.dtype))
        advice = (
            "give real and imaginary parts as two channels" if array.dtype.kind == "c" else "give numbers"
        )
        raise SourceError(f"{origin!r} holds {kind}", advice=advice)
    if array.ndim == 0:
        raise SourceError(f"{origin!r} is a single number, not an array of frames")
    if array.size == 0:
        raise SourceError(f"{origin!r} is empty: its shape is {array.shape}")
    words = [value for value in options.missing if isinstance(value, str)]
    if words:
        raise SourceError(
            f"data.missing={words[0]!r} is text, and {origin!r} holds numbers", advice="give a number"
        )


def _dims(array: np.ndarray, options: DataOptions, origin: str) -> tuple[str, ...]:
    if options.dims is None:
        if array.ndim not in _BY_RANK:
            raise SourceError(
                f"{origin!r} has {array.ndim} axes", advice="name them with data.dims=[time,channel,...]"
            )
        return _BY_RANK[array.ndim]
    dims = options.dims
    shown = ",".join(dims)
    if len(dims) != array.ndim or len(set(dims)) != len(dims):
        raise SourceError(
            f"data.dims=[{shown}] does not name the {array.ndim} axes of {origin!r}, whose shape "
            f"is {array.shape}",
            advice="name each axis once",
        )
    if "time" not in dims:
        raise SourceError(
            f"data.dims=[{shown}] names no axis 'time'", advice="say which axis holds the frames"
        )
    return dims


def _float(kind: np.dtype) -> type[np.floating]:
    return np.float32 if kind.itemsize <= 2 else np.float64


def _unreadable(origin: str, error: Exception) -> SourceError:
    if "allow_pickle" in str(error):
        return SourceError(
            f"{origin!r} holds Python objects, which are never read", advice="save numbers instead"
        )
    reason = str(error).split("\n")[0].rstrip(".")
    return SourceError(
        f"{origin!r} is not a readable numpy file ({reason})", advice="fetch or write it again"
    )
