"""Where the members of a forecast go: arrays in memory, or a Zarr v3 store written block by block.

A store is filled beside its final name and renamed when it is whole. A journal beside it names the
blocks that are done, so the same command after any interruption writes only the others.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
import zarr

from rheos.core.errors import InputError
from rheos.core.files import write_text
from rheos.data.dataset import Layout
from rheos.forecast.health import HEALTH, MEANINGS

_OTHERS = (".csv", ".parquet", ".xlsx", ".json", ".nc", ".npy", ".npz")
UNCALIBRATED = "uncalibrated"
"""Attribute of a forecast that says why its members are as they are drawn."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The axes of a forecast.

    Attributes:
        layout: of the data.
        names: of the recordings forecast; more than one becomes the dimension `unique_id`.
        init_times: stamps of the last known frames.
        valid_times: `(init_time, lead_time)` stamps.
        members: how many.
        block: members written at a time.
        first: lead time of the first frame.
        watched: whether the health of every member and frame is known.
        uncalibrated: why members are as they are drawn, in a sentence; empty where they are calibrated.
    """

    layout: Layout
    names: tuple[str, ...]
    init_times: Sequence[Any]
    valid_times: np.ndarray
    members: int
    block: int
    first: int = 1
    watched: bool = False
    uncalibrated: str = ""

    @property
    def horizon(self) -> int:
        """Number of lead times."""
        return int(self.valid_times.shape[1])

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimension names of every variable."""
        lead = ("unique_id",) if len(self.names) > 1 else ()
        return (*lead, "init_time", "member", "lead_time", *self.layout.dims[1:])

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables: the channels', made fit for a store where they are not."""
        taken = {"unique_id", "init_time", "member", "lead_time", "valid_time", HEALTH, *self.layout.dims}
        names = []
        for channel in self.layout.channels:
            # "/" would open a group inside the store.
            name = channel.replace("/", "_").strip(".") or "_"
            while name in taken:
                name += "_"
            taken.add(name)
            names.append(name)
        return tuple(names)

    def shape(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of every variable; `space` are the sizes of the spatial dims."""
        lead = (len(self.names),) if len(self.names) > 1 else ()
        return (*lead, len(self.init_times), self.members, self.horizon, *space)

    def coordinates(self) -> xr.Dataset:
        """A data set that holds only coordinates."""
        layout = self.layout
        coords: dict[str, Any] = {
            "init_time": (
                "init_time",
                np.asarray(self.init_times),
                {"long_name": "time of the last known frame"},
            ),
            "member": ("member", np.arange(self.members)),
            "lead_time": (
                "lead_time",
                np.arange(self.first, self.first + self.horizon),
                {"long_name": "frames ahead", "step": layout.frequency or "frame"},
            ),
            "valid_time": (("init_time", "lead_time"), self.valid_times),
        }
        if len(self.names) > 1:
            coords["unique_id"] = ("unique_id", np.asarray(self.names, dtype=object))
        for name, values in layout.coords.items():
            if name in layout.dims:
                coords[name] = (name, values)
        # Stores list their arrays in no order of their own.
        told: dict[str, Any] = {"variables": list(self.variables)}
        if self.uncalibrated:
            told[UNCALIBRATED] = self.uncalibrated
        return xr.Dataset(coords=coords, attrs=layout.attributes | told)

    def of_health(self) -> dict[str, Any]:
        """Attributes of what is told of every member and frame, by the conventions for flags."""
        return {
            "long_name": "what sets a member apart from the training data",
            "flag_masks": [1 << number for number in range(len(MEANINGS))],
            "flag_meanings": " ".join(MEANINGS),
        }

    def attributes(self, channel: int) -> dict[str, Any]:
        """Attributes of one variable."""
        unit, name = self.layout.units[channel], self.layout.channels[channel]
        attributes: dict[str, Any] = {"units": unit} if unit else {}
        if self.layout.circular[channel]:
            attributes["circular"] = self.layout.circular[channel]
        return attributes if name == self.variables[channel] else attributes | {"long_name": name}


class Sink(Protocol):
    """Takes finished blocks of members."""

    def done(self, recording: int, init: int, block: int) -> bool:
        """Whether that block was written before."""
        ...

    def write(
        self, recording: int, init: int, block: int, values: np.ndarray, health: np.ndarray | None
    ) -> None:
        """Store `(members of the block, lead_time, channel, *space)` in raw units, and their health."""
        ...


class Memory:
    """A forecast in memory.

    Args:
        frame: its axes.
        space: sizes of the spatial dims.
    """

    def __init__(self, frame: Frame, space: tuple[int, ...]) -> None:
        self._frame = frame
        shape = frame.shape(space)
        self._arrays = [np.full(shape, np.nan, np.float32) for _ in frame.layout.channels]
        self._health = np.zeros(frame.shape(()), np.uint8) if frame.watched else None

    def done(self, recording: int, init: int, block: int) -> bool:
        """Nothing is ever done before."""
        return False

    def write(
        self, recording: int, init: int, block: int, values: np.ndarray, health: np.ndarray | None
    ) -> None:
        """Store one block."""
        place = _place(self._frame, recording, init, block, len(values))
        for channel, array in enumerate(self._arrays):
            array[place] = values[:, :, channel]
        if self._health is not None and health is not None:
            self._health[place] = health

    def dataset(self) -> xr.Dataset:
        """The whole forecast."""
        dataset = self._frame.coordinates()
        for channel, (name, array) in enumerate(zip(self._frame.variables, self._arrays, strict=True)):
            dataset[name] = (self._frame.dims, array, self._frame.attributes(channel))
        if self._health is None:
            return dataset
        told = (self._frame.dims[: self._health.ndim], self._health, self._frame.of_health())
        return dataset.assign_coords({HEALTH: told})


class ZarrStore:
    """A forecast on disk, resumable block by block.

    Args:
        path: final place of the store.
        frame: its axes.
        space: sizes of the spatial dims.
        identity: what decides the forecast's values; an unfinished store of another identity is not
            continued but begun anew.

    Raises:
        InputError: `path` exists already, or is named as a file of another kind.
    """

    def __init__(self, path: Path, frame: Frame, space: tuple[int, ...], identity: dict[str, Any]) -> None:
        if path.suffix.lower() in _OTHERS:
            raise InputError(
                f"a forecast is written as a Zarr store, not {path.suffix}: give --out "
                f"{path.with_suffix('.zarr')}; `rheos table` makes tables of it."
            )
        require_free(path)
        self._path, self._frame = path, frame
        self._aside = path.with_name(path.name + ".partial")
        self._journal = path.with_name(path.name + ".journal")
        stamp = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
        self._finished = self._resume(stamp)
        if self._finished is None:
            self._begin(space, stamp)
            self._finished = set()
        group = zarr.open_group(self._aside, mode="r+")
        self._arrays: list[Any] = [group[name] for name in frame.variables]
        self._health: Any = group[HEALTH] if frame.watched else None

    def _resume(self, stamp: str) -> set[tuple[int, int, int]] | None:
        if not (self._journal.exists() and self._aside.is_dir()):
            return None
        # A line cut short by a kill has no newline; its block is simply done again.
        lines = self._journal.read_text().split("\n")[:-1]
        if not lines or lines[0] != stamp:
            return None
        finished = set()
        for line in lines[1:]:
            recording, init, block = (int(part) for part in line.split())
            finished.add((recording, init, block))
        return finished

    def _begin(self, space: tuple[int, ...], stamp: str) -> None:
        self.discard()
        frame = self._frame
        frame.coordinates().to_zarr(self._aside, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(self._aside, mode="r+")
        lead = (1,) if len(frame.names) > 1 else ()
        chunks = (*lead, 1, min(frame.block, frame.members), frame.horizon, *space)
        for channel, name in enumerate(frame.variables):
            group.create_array(
                name,
                shape=frame.shape(space),
                chunks=chunks,
                dtype="float32",
                fill_value=float("nan"),
                dimension_names=frame.dims,
                attributes=frame.attributes(channel)
                | {"coordinates": f"valid_time {HEALTH}" if frame.watched else "valid_time"},
            )
        if frame.watched:
            group.create_array(
                HEALTH,
                shape=frame.shape(()),
                chunks=chunks[: len(frame.shape(()))],
                dtype="uint8",
                fill_value=0,
                dimension_names=frame.dims[: len(frame.shape(()))],
                attributes=frame.of_health(),
            )
        write_text(self._journal, stamp + "\n")

    def done(self, recording: int, init: int, block: int) -> bool:
        """Whether an earlier run wrote that block."""
        return (recording, init, block) in (self._finished or ())

    def write(
        self, recording: int, init: int, block: int, values: np.ndarray, health: np.ndarray | None
    ) -> None:
        """Write one block, then note it in the journal."""
        place = _place(self._frame, recording, init, block, len(values))
        for channel, array in enumerate(self._arrays):
            array[place] = np.ascontiguousarray(values[:, :, channel], dtype=np.float32)
        if self._health is not None and health is not None:
            self._health[place] = health
        with open(self._journal, "a", encoding="utf-8") as file:
            file.write(f"{recording} {init} {block}\n")
            file.flush()
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Remove what was written: it will never be whole."""
        shutil.rmtree(self._aside, ignore_errors=True)
        self._journal.unlink(missing_ok=True)

    def finish(self) -> Path:
        """Give the store its name."""
        os.replace(self._aside, self._path)
        self._journal.unlink(missing_ok=True)
        return self._path


def _place(frame: Frame, recording: int, init: int, block: int, rows: int) -> tuple[Any, ...]:
    first = block * frame.block
    lead = (recording,) if len(frame.names) > 1 else ()
    return (*lead, init, slice(first, first + rows))


def stamp_text(stamp: Any) -> str:
    """A stamp as text, the same for any type of index: ISO for dates, the number for frames."""
    return str(stamp.isoformat()) if hasattr(stamp, "isoformat") else str(stamp)


def require_free(path: Path) -> None:
    """Refuse a place that is taken, or in a folder that is not there.

    Raises:
        InputError: it is.
    """
    if path.exists():
        raise InputError(f"{path} exists; give another --out or remove it.")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it or give another --out.")
