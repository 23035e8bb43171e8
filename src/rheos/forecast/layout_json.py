"""Layouts and stamps as JSON, for a model's `config.json`."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rheos.data.dataset import Layout


def stamps_to_json(stamps: pd.Index) -> dict[str, Any]:
    """Stamps as JSON: numbers, ISO stamps, or ISO stamps of a calendar."""
    if isinstance(stamps, xr.CFTimeIndex):
        return {"calendar": stamps.calendar, "values": [stamp.isoformat() for stamp in stamps]}
    if isinstance(stamps, pd.DatetimeIndex):
        return {"values": [stamp.isoformat() for stamp in stamps]}
    step = int(stamps[1]) - int(stamps[0]) if len(stamps) > 1 else 1
    return {"start": int(stamps[0]), "length": len(stamps), "step": step}


def stamps_from_json(content: Mapping[str, Any]) -> pd.Index:
    """The inverse of :func:`stamps_to_json`."""
    if "start" in content:
        start, step = content["start"], content["step"]
        return pd.RangeIndex(start, start + step * content["length"], step)
    if "calendar" in content:
        import cftime

        kind = cftime._cftime.DATE_TYPES[content["calendar"]]
        parts = ([int(part) for part in re.split(r"[-T:.]", value)] for value in content["values"])
        return xr.CFTimeIndex([kind(*numbers) for numbers in parts])
    return pd.DatetimeIndex(pd.to_datetime(content["values"], format="ISO8601"))


def layout_to_json(layout: Layout) -> dict[str, Any]:
    """A layout as JSON."""
    content = {name: getattr(layout, name) for name in Layout.__slots__}
    content["coords"] = {name: np.asarray(values).tolist() for name, values in layout.coords.items()}
    return content


def layout_from_json(content: Mapping[str, Any]) -> Layout:
    """The inverse of :func:`layout_to_json`."""
    lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
    coords = {name: np.asarray(values) for name, values in content["coords"].items()}
    return Layout(**{**content, **lists, "coords": coords})
