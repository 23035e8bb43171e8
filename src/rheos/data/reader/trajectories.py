"""Trajectories: a long table `[scene,] frame, id, x, y[, z]`, one row an agent and frame.

A scene becomes one recording `(frames, space, agent)`; an agent that is not there has no row and is NaN.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rheos.data.dataset import Layout
from rheos.data.options import DataOptions, closest
from rheos.data.reader.columns import Column
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw, RawSequence
from rheos.data.reader.roles import AGENT_NAMES, SCENE_NAMES, SPACE, named
from rheos.data.reader.stamps import stamps
from rheos.data.reader.table import numbers_of, refuse_text, time_column, with_plain_columns

# Agents that stay a short while in a long recording leave an array of gaps, beyond this many a row too empty.
_MOST_ENTRIES, _ENTRIES_A_ROW = 50_000_000, 1000


def are_trajectories(columns: tuple[str, ...], options: DataOptions) -> bool:
    """Whether columns of these names tell where agents are: x, y, the agent and the frame."""
    if options.agent is not None:
        return True
    lower = {name.strip().lower() for name in columns}
    return {"x", "y"} <= lower and bool(lower & {"frame", "frame_id"}) and bool(lower & set(AGENT_NAMES))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one scene: stamps, agents, places and constants."""

    name: str
    axis: pd.Index
    agent: np.ndarray
    place: np.ndarray
    constants: np.ndarray


def from_trajectories(frame: pd.DataFrame, options: DataOptions, origin: str) -> Raw:
    """Understand a table of trajectories.

    Args:
        frame: the table, its rows in any order; never changed.
        options: roles and the rest; a `static` column becomes a constant of every agent.
        origin: the source, for messages.

    Raises:
        SourceError: a column is missing or is no numbers, or an agent is in two places at once.
    """
    notes: list[str] = []
    table = with_plain_columns(frame, origin)
    agent, scene, time = _keys(table, options, origin)
    axis = stamps(table[time], options, origin, notes)
    rest = tuple(name for name in table.columns if name not in (agent, scene, time))
    space, constants = _columns(rest, options, origin)
    given = [name for name in rest if name in (*space, *constants)]
    numbers = _numbers(table[given], space, options, origin, notes)
    others = [name for name in rest if name not in given]
    if others:
        shown = ", ".join(repr(name) for name in others[:6])
        notes.append(f"of {origin!r} only the places are read; left out: {shown}")
    names = _filled(table[scene], origin) if scene else pd.Series("", index=table.index)
    agents = _filled(table[agent], origin)
    scenes = [
        _Rows(
            str(name),
            axis[rows],
            agents.to_numpy()[rows],
            _stack(numbers, space, rows),
            _stack(numbers, constants, rows),
        )
        for name, rows in _groups(names)
    ]
    labels, slots = _numbered([rows.agent for rows in scenes], notes)
    layout = Layout(
        kind="trajectory",
        dims=("channel", "agent"),
        channels=space,
        coords={"agent": labels},
        static=tuple(f"{name}[{label}]" for name in constants for label in labels),
        periodic=(False,),
        time=time,
        sequence=scene or "scene",
    )
    sequences = [
        _scene(rows, slot, len(labels), constants, options, origin)
        for rows, slot in zip(scenes, slots, strict=True)
    ]
    return Raw(origin=origin, layout=layout, sequences=sequences, notes=notes)


def _keys(table: pd.DataFrame, options: DataOptions, origin: str) -> tuple[str, str | None, str]:
    """The columns of agents, of scenes where there are several, and of frames."""
    columns = tuple(table.columns)
    agent = options.agent if options.agent is not None else named(columns, AGENT_NAMES)
    if agent is None or agent not in columns:
        raise SourceError(
            f"data.agent={agent} names no column of {origin!r}", advice=closest(str(agent), columns)
        )
    scene = named([name for name in columns if name != agent], SCENE_NAMES)
    time = time_column(table.drop(columns=[agent]), options, scene, origin)
    if time is None:
        raise SourceError(
            f"data.time=rows, but rows of {origin!r} are agents", advice="name the column of frames"
        )
    return agent, scene, time


def _numbers(
    table: pd.DataFrame, space: tuple[str, ...], options: DataOptions, origin: str, notes: list[str]
) -> dict[str, Column]:
    """All columns as numbers, those of space and those of constants."""
    numbers = numbers_of(table, tuple(table.columns), options, origin, notes)
    for name in table.columns:
        if name in space and name not in numbers:
            value = str(table[name].iloc[0])
            raise SourceError(f"column {name!r} of {origin!r} holds no places but {value!r} in data row 1")
        if name not in numbers:
            refuse_text(table, name, "static", origin)
    return numbers


def _columns(
    rest: tuple[str, ...], options: DataOptions, origin: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of space, and those of constants."""
    found = [named(rest, [word]) for word in SPACE]
    space = tuple(name for name in found if name is not None and options.roles.get(name) != "ignore")
    if len(space) < 2:
        shown = ", ".join(rest) or "none"
        raise SourceError(
            f"{origin!r} does not say where its agents are: it has no columns x and y beside {shown}",
            advice="rename the columns that do",
        )
    for name, role in options.roles.items():
        if name not in rest:
            raise SourceError(f"roles.{name} names no column of {origin!r}", advice=closest(name, rest))
        if role not in ("static", "ignore") and name not in space:
            raise SourceError(
                f"roles.{name}={role} does not suit {origin!r}, whose rows are places of agents",
                advice=f"make it a constant of every agent with roles.{name}=static",
            )
    return space, tuple(name for name in rest if options.roles.get(name) == "static")


def _filled(column: pd.Series, origin: str) -> pd.Series:
    """Names of scenes or agents: whole numbers where they are such, else words."""
    absent = column.isna().to_numpy()
    if absent.any():
        row = int(np.flatnonzero(absent)[0]) + 1
        raise SourceError(
            f"{origin!r} has no {column.name!r} in data row {row} ({int(absent.sum())} such rows)",
            advice="fill it in or remove the row",
        )
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(np.float64)
        if (values == np.round(values)).all():
            return pd.Series(values.astype(np.int64), index=column.index)
    return column.astype(str)


def _groups(names: pd.Series) -> list[tuple[str, np.ndarray]]:
    codes, labels = pd.factorize(names)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return [(str(labels[codes[rows[0]]]), rows) for rows in parts]


def _stack(numbers: dict[str, Column], names: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
    return np.stack([numbers[n].values[rows] for n in names], 1) if names else np.zeros((len(rows), 0))


def _numbered(agents: list[np.ndarray], notes: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels of the agent axis, and the place on it of every row.

    Scenes that share their names of agents share their axis too; where names are used once, as those of
    many recordings together are, each scene numbers its own agents.
    """
    together = pd.Index(np.concatenate(agents)).unique().sort_values()
    own = [pd.Index(part).unique().sort_values() for part in agents]
    most = max(len(part) for part in own)
    if len(together) <= 2 * most:
        return np.asarray(together), [together.get_indexer(part) for part in agents]
    notes.append(
        f"the {len(together)} agents are numbered in each scene anew, 0 to {most - 1}, in order of names"
    )
    return np.arange(most), [index.get_indexer(part) for index, part in zip(own, agents, strict=True)]


def _scene(
    rows: _Rows, slot: np.ndarray, agents: int, names: tuple[str, ...], options: DataOptions, origin: str
) -> RawSequence:
    of = f" of scene {rows.name!r}" if rows.name else ""
    frame, stamped = pd.factorize(rows.axis, sort=True)
    entries = len(stamped) * agents
    if entries > max(_MOST_ENTRIES, _ENTRIES_A_ROW * len(rows.axis)):
        raise SourceError(
            f"{origin!r}{of} has {len(rows.axis)} rows for {len(stamped)} frames and {agents} agents, few "
            "of which meet",
            advice="cut it into scenes with a column 'scene'",
        )
    space, constants = rows.place.shape[1], rows.constants.shape[1]
    cells = pd.DataFrame(np.concatenate([rows.place, rows.constants], 1)).assign(frame=frame, slot=slot)
    twice = cells.duplicated(["frame", "slot"]).to_numpy()
    if twice.any():
        cells = _once(cells, twice, rows, of, options, origin)
    values = np.full((len(stamped), space, agents), np.nan)
    values[cells["frame"], :, cells["slot"]] = cells[range(space)].to_numpy()
    static = np.full((constants, agents), np.nan)
    for place in range(constants):
        seen = cells.groupby("slot")[space + place]
        changed = np.flatnonzero((seen.nunique() > 1).to_numpy())
        if len(changed):
            agent = rows.agent[np.flatnonzero(slot == seen.nunique().index[changed[0]])[0]]
            raise SourceError(
                f"column {names[place]!r} of {origin!r} is not static{of}: it changes for agent {agent}",
                {"roles": {names[place]: "ignore"}},
            )
        first = seen.first()
        static[place, first.index] = first.to_numpy()
    return RawSequence(
        name=rows.name,
        stamps=stamped,
        values=values,
        known_future=np.zeros((len(values), 0), np.float32),
        past=np.zeros((len(values), 0), np.float32),
        static=static.ravel(),
    )


def _once(
    cells: pd.DataFrame, twice: np.ndarray, rows: _Rows, of: str, options: DataOptions, origin: str
) -> pd.DataFrame:
    """One row an agent and frame."""
    if options.duplicates == "refuse":
        at = int(np.flatnonzero(twice)[0])
        what = (
            f"{origin!r} has agent {rows.agent[at]} twice in frame {rows.axis[at]}{of} ({int(twice.sum())} "
            "such rows)"
        )
        raise SourceError(what, {"duplicates": "mean"})
    return cells.groupby(["frame", "slot"], as_index=False).agg(options.duplicates)
