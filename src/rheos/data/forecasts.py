"""Forecasts that somebody else has made: columns known ahead that forecast targets, in the targets' units.

A weather service's temperature, a grid operator's load, another model's output written to a column. Each is
put in the place of its target and coded as the target is, so that anchors and targets speak of the same.
"""

from collections.abc import Mapping

import numpy as np

from rheos.core.errors import InputError
from rheos.data.dataset import Layout, Recording
from rheos.data.options import closest


def require_forecasts(forecasts: Mapping[str, str], layout: Layout) -> None:
    """Check that targets and columns are what they are said to be.

    Args:
        forecasts: the column that forecasts a target, by the target's name.
        layout: of the data as a user sees them, directions being directions.

    Raises:
        InputError: a name is unknown, a column has another role, a target is a direction, or the data are no
            table.
    """
    if forecasts and layout.kind != "series":
        raise InputError(
            f"anchor=forecast takes columns of a table, and the data are a {layout.kind}; use anchor=ridge."
        )
    roles = dict.fromkeys(layout.channels, "a target")
    roles |= {name: f"a {role} column" for role in ("past", "static") for name in getattr(layout, role)}
    for target, column in forecasts.items():
        said = f"anchor.of.{target}={column}"
        if target not in layout.channels:
            raise InputError(f"{said}: no target is called {target!r}; {closest(target, layout.channels)}")
        if layout.circular[layout.channels.index(target)]:
            raise InputError(f"{said}: {target!r} is a direction, which no column can center; leave it out.")
        if column in layout.known_future:
            continue
        if column in roles:
            raise InputError(
                f"{said}: {column!r} is read as {roles[column]}, and a forecast is known ahead; add "
                f"roles.{column}=known_future."
            )
        known = (*layout.known_future, *roles)
        raise InputError(f"{said}: no column is called {column!r}; {closest(column, known)}")


def forecast_frames(recording: Recording, layout: Layout, forecasts: Mapping[str, str]) -> np.ndarray:
    """What was forecast of every frame, in the place of its target.

    Args:
        recording: of a table.
        layout: names its columns.
        forecasts: the column that forecasts a target, by the target's name; none gives no channels.

    Returns:
        `(frames, channels)` float64 in raw units, NaN where nothing was forecast; `(frames, 0)` without
        forecasts.
    """
    frames = np.full((len(recording), len(layout.channels) if forecasts else 0), np.nan)
    for target, column in forecasts.items():
        place = layout.channels.index(target)
        frames[:, place] = recording.known_future[:, layout.known_future.index(column)]
    return frames
