"""Which column is for what: the user's word first, then what the table's shape suggests."""

from collections.abc import Iterable, Mapping

from rheos.data.options import Role, closest
from rheos.data.reader.problem import SourceError

STAMP_NAMES = [
    "time",
    "timestamp",
    "datetime",
    "date",
    "ds",
    "date_time",
    "valid_time",
    "stamp",
    "period",
    "frame",
    "frame_id",
]
"""Columns that are the time."""
TIME_NAMES = [
    *STAMP_NAMES,
    "month",
    "week",
    "day",
    "quarter",
    "year",
]
"""And those that are it where nothing else is."""
SERIES_NAMES = ("unique_id", "series_id", "item_id", "uid")
TARGET_NAMES = ("y", "target", "value")
SCENE_NAMES = ("scene", "scene_id", "scene_name", *SERIES_NAMES)
AGENT_NAMES = (
    "agent_id",
    "track_id",
    "ped_id",
    "particle_id",
    "agent",
    "track",
    "ped",
    "pedestrian",
    "particle",
    "id",
)
SPACE = ("x", "y", "z")


def named(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """The column with the earliest of these names, whatever its case."""
    by_name = {column.strip().lower(): column for column in reversed(list(columns))}
    return next((by_name[name] for name in names if name in by_name), None)


def assign(
    columns: tuple[str, ...], given: Mapping[str, Role], default: Mapping[str, Role], origin: str
) -> dict[str, Role]:
    """Role of every column.

    Args:
        columns: names, without the time column and the name of the sequence.
        given: the user's roles.
        default: the role of a column the user says nothing of.
        origin: the source, for messages.

    Raises:
        SourceError: a role names no column, or no column is a target.
    """
    for name in given:
        if name not in columns:
            raise SourceError(f"roles.{name} names no column of {origin!r}", advice=closest(name, columns))
    roles = {name: given.get(name, default[name]) for name in columns}
    if "target" not in roles.values():
        ignored = ", ".join(repr(name) for name in columns[:6]) or "none"
        raise SourceError(
            f"no column of {origin!r} is a target (columns: {ignored})",
            advice="make one a target with roles.COLUMN=target",
        )
    return roles
