"""What was understood of a source, what is wrong with it, and the option that mends each problem."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from rheos.data.channel import Channel, observed
from rheos.data.dataset import Dataset
from rheos.data.direction import period_of
from rheos.data.late import late_columns
from rheos.data.options import DataOptions, option_line
from rheos.data.reader import Reading, Source, SourceError, survey
from rheos.data.stay import stays

_OFTEN = 3
_SENTINELS = (99.0, 99.9, 999.0, 999.9, 9999.0, 9999.9, 99999.0, 999999.0, 32767.0, 32768.0, 1e20, 1e30, 1e36)
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with the source.

    Attributes:
        what: what was found, and where.
        mend: the options that mend it as they are typed, "" where no option does.
        fatal: whether the source cannot be read without the remedy.
    """

    what: str
    mend: str
    fatal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A source as it was understood; figures hold for the source with `options` given.

    Attributes:
        source: as the user named it.
        kind: "series", "field" or "trajectory"; "" where the source cannot be read.
        recordings: how many independent sequences there are.
        frames: fewest and most frames of a recording.
        dims: sizes of the feature axes.
        ranges: first and last coordinate of the spatial axes.
        periodic: the spatial axes that close on themselves.
        frequency: step of the frames, "" for frame numbers.
        span: first and last stamp over all recordings.
        calendar: CF calendar of the stamps.
        gap_frames: frames that had no row, over all recordings.
        longest_gap: the longest run of them, in frames.
        longest_gap_at: the stamp it starts at.
        never_observed: share of the cells of a field that never hold a value, such as land.
        agents: of trajectories, how many there are over all scenes; those of two scenes are different ones.
        together: most of them in one frame.
        stay: fewest, median and most frames from an agent's first to its last.
        channels: the targets.
        roles: names of the covariates, by role.
        periods: seasonal periods in frames.
        memory: bytes of the recordings in memory.
        chunks: how the source is stored in pieces, "" where it is not.
        notes: what was decided on the user's behalf.
        problems: what is wrong.
        options: the options that mend the problems, as they are typed.
        horizon: frames to forecast that the user asked about.
        recipe: the proposed recipe; filled in by who proposes it.
        cost: time and memory of training and forecasting; likewise.
        limits: lowest and highest value of the variables that have one; likewise.
    """

    source: str
    kind: str = ""
    recordings: int = 0
    frames: tuple[int, int] = (0, 0)
    dims: dict[str, int] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    periodic: tuple[str, ...] = ()
    frequency: str = ""
    span: tuple[str, str] = ("", "")
    calendar: str = "standard"
    gap_frames: int = 0
    longest_gap: int = 0
    longest_gap_at: str = ""
    never_observed: float = 0.0
    agents: int = 0
    together: int = 0
    stay: tuple[int, int, int] = (0, 0, 0)
    channels: tuple[Channel, ...] = ()
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    periods: tuple[int, ...] = ()
    memory: int = 0
    chunks: str = ""
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    options: str = ""
    horizon: int | None = None
    recipe: dict[str, Any] | None = None
    cost: dict[str, Any] | None = None
    limits: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def readable(self) -> bool:
        """Whether the source can be read, with the remedies where there are some."""
        return bool(self.kind)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join([*_head(self), *_channel_table(self), *_tail(self)])


def inspect(
    source: Source, options: DataOptions | Mapping[str, Any] | None = None, horizon: int | None = None
) -> Inspection:
    """Look at a source without training anything.

    Unlike `read`, which stops at the first problem, this applies the remedy of each one and goes on.

    Args:
        source: as in `rheos.data.reader.read`.
        options: how it is to be read.
        horizon: frames to forecast, if known.

    Raises:
        InputError: nothing at all can be understood of the source.
    """
    if not isinstance(options, DataOptions):
        options = DataOptions.of(options or {})
    origin = str(source) if isinstance(source, str | Path) else f"the {type(source).__name__}"
    problems: list[Problem] = []
    mends: list[Mapping[str, Any]] = []
    reading, options = _mended(source, options, problems, mends)
    if reading is not None:
        suspects = _sentinels(reading.dataset)
        if suspects:
            values = sorted(set(suspects.values()))
            names = ", ".join(repr(name) for name in list(suspects)[:4])
            where = f"{names}, ..." if len(suspects) > 4 else names
            what = f"{' and '.join(f'{value:g}' for value in values)} in {where} stand far from all else"
            mends.append({"missing": values})
            problems.append(Problem(what=what, mend=option_line(mends[-1]), fatal=False))
            options = options.amended(mends[-1])
            reading, options = _mended(source, options, problems, mends)
    if reading is None:
        return Inspection(source=origin, problems=tuple(problems), options=_gathered(mends), horizon=horizon)
    return _described(origin, reading, problems, _gathered(mends), horizon)


def _mended(
    source: Source, options: DataOptions, problems: list[Problem], mends: list[Mapping[str, Any]]
) -> tuple[Reading | None, DataOptions]:
    while True:
        try:
            return survey(source, options), options
        except SourceError as error:
            mend = error.mend
            if mend is None and not problems:
                raise
            problems.append(Problem(what=error.what, mend=option_line(mend) if mend else "", fatal=True))
            if mend is None or len(problems) > 50 or options.amended(mend) == options:
                return None, options
            mends.append(mend)
            options = options.amended(mend)


def _gathered(mends: list[Mapping[str, Any]]) -> str:
    merged: dict[str, Any] = {}
    for mend in mends:
        for name, value in mend.items():
            if isinstance(value, Mapping):
                merged[name] = {**merged.get(name, {}), **value}
            elif name == "missing":
                merged[name] = [*merged.get(name, []), *value]
            else:
                merged[name] = value
    return option_line(merged)


def _sentinels(dataset: Dataset) -> dict[str, float]:
    """Extreme values that look like a code for "missing", by channel."""
    found = {}
    for place, name in enumerate(dataset.layout.channels):
        seen = observed(dataset, place)
        for value in (seen.min(), seen.max()) if seen.size else ():
            rest = seen[seen != value]
            known = np.isclose(abs(value), _SENTINELS, rtol=1e-6).any() or _is_code(value, seen, rest)
            if known and rest.size and np.abs(rest - value).min() > rest.max() - rest.min():
                found[name] = float(np.float32(value)) if abs(value) < 1e6 else float(value)
    return found


def _is_code(value: float, seen: np.ndarray, rest: np.ndarray) -> bool:
    """Whether it is a whole number below 0 that comes again and again where all else is positive."""
    often = int((seen == value).sum()) >= _OFTEN
    return bool(value < 0 and value == round(value) and often and rest.size and rest.max() > rest.min() >= 0)


def _described(
    origin: str, reading: Reading, problems: list[Problem], options: str, horizon: int | None
) -> Inspection:
    dataset, layout = reading.dataset, reading.dataset.layout
    lengths = [len(recording) for recording in dataset.recordings]
    late = late_columns(dataset)
    channels = tuple(Channel.of(dataset, place, late) for place in range(len(layout.channels)))
    problems += [
        Problem(
            what=f"{channel.name!r} is {channel.minimum:g} throughout",
            mend=option_line({"roles": {channel.name: "ignore"}}) if len(channels) > 1 else "",
            fatal=False,
        )
        for channel in channels
        if channel.constant
    ]
    for channel, declared in zip(channels, layout.circular, strict=True):
        period = period_of(channel.name, channel.unit, channel.minimum, channel.maximum)
        if period is not None and not declared:
            what = (
                f"{channel.name!r} runs from {channel.minimum:g} to {channel.maximum:g} as a direction does, "
                "but is taken for a number, the two ends of which lie far apart"
            )
            mend = option_line({"circular": {channel.name: period}})
            problems.append(Problem(what=what, mend=mend, fatal=False))
    longest = max(reading.gaps, key=lambda gaps: gaps.longest)
    if horizon is not None and horizon >= max(lengths):
        what = f"a horizon of {horizon} frames is longer than the data, which has {max(lengths)} frames"
        problems.append(Problem(what=what, mend="", fatal=True))
    first = min(recording.stamps[0] for recording in dataset.recordings)
    last = max(recording.stamps[-1] for recording in dataset.recordings)
    stamps = dataset.recordings[0].stamps
    return Inspection(
        source=origin,
        kind=layout.kind,
        recordings=len(lengths),
        frames=(min(lengths), max(lengths)),
        dims=dict(zip(layout.dims, dataset.features, strict=True)),
        ranges={
            name: (float(values[0]), float(values[-1]))
            for name, values in layout.coords.items()
            if values.dtype.kind in "fiu" and name != "agent"
        },
        periodic=tuple(n for n, closed in zip(layout.dims[1:], layout.periodic, strict=False) if closed),
        frequency=layout.frequency or "",
        span=(str(first), str(last)),
        calendar=str(stamps.calendar) if isinstance(stamps, xr.CFTimeIndex) else "standard",
        gap_frames=sum(gaps.frames for gaps in reading.gaps),
        longest_gap=longest.longest,
        longest_gap_at=longest.at,
        never_observed=_never_observed(dataset),
        **_agents(dataset),
        channels=channels,
        roles={
            role: names
            for role, names in (
                ("known_future", layout.known_future),
                ("past", layout.past),
                ("static", layout.static),
            )
            if names
        },
        periods=layout.periods,
        memory=sum(r.values.nbytes + r.known_future.nbytes + r.past.nbytes for r in dataset.recordings),
        chunks=reading.chunks,
        notes=reading.notes,
        problems=tuple(problems),
        options=options,
        horizon=horizon,
    )


def _agents(dataset: Dataset) -> dict[str, Any]:
    """What there is to say of agents."""
    if dataset.layout.kind != "trajectory":
        return {}
    frames = np.concatenate([stays(recording.values) for recording in dataset.recordings])
    frames = frames[frames > 0]
    together = max(int(np.isfinite(r.values).all(1).sum(-1).max()) for r in dataset.recordings)
    stay = (int(frames.min()), int(np.median(frames)), int(frames.max()))
    return {"agents": len(frames), "together": together, "stay": stay}


def _never_observed(dataset: Dataset) -> float:
    if dataset.layout.kind != "field":
        return 0.0
    seen = np.any([np.isfinite(recording.values).any(axis=0) for recording in dataset.recordings], axis=0)
    return float(1.0 - seen.mean())


def _head(found: Inspection) -> list[str]:
    lines = [found.source]
    if not found.readable:
        return [*lines, "  cannot be read"]
    fewest, most = found.frames
    frames = f"{most} frames" if fewest == most else f"{fewest} to {most} frames"
    word = "scenes" if found.agents else "sequences"
    several = f"{found.recordings} {word} of " if found.recordings > 1 else ""
    axes = " x ".join(f"{size} {name}" for name, size in found.dims.items())
    lines.append(f"  {found.kind:9} {several}{frames}, {axes}")
    if found.agents:
        shortest, middle, most = found.stay
        stay = f"for {shortest} to {most} frames, half of them for {middle} or more"
        lines.append(f"  agents    {found.agents}, at most {found.together} at once, {stay}")
    step = f"step {found.frequency}" if found.frequency else "frame numbers"
    calendar = "" if found.calendar == "standard" else f", calendar {found.calendar}"
    lines.append(f"  time      {step}, {found.span[0]} to {found.span[1]}{calendar}")
    lines += [
        f"  {name:9} {first:g} to {last:g}{', closes on itself' if name in found.periodic else ''}"
        for name, (first, last) in found.ranges.items()
    ]
    if found.gap_frames:
        longest = f"the longest, {found.longest_gap} frames, at {found.longest_gap_at}"
        lines.append(f"  gaps      {found.gap_frames} frames missing, {longest}")
    if found.never_observed:
        lines.append(f"  mask      {found.never_observed:.1%} of the cells never hold a value")
    periods = ", ".join(str(period) for period in found.periods) or "none"
    lines.append(f"  periods   {periods} (frames)")
    chunks = f", stored in pieces of {found.chunks}" if found.chunks else ""
    return [*lines, f"  memory    {found.memory / 2**20:.1f} MiB{chunks}"]


def _channel_table(found: Inspection) -> list[str]:
    shown = found.channels[:_SHOWN]
    if not shown:
        return []
    width = max(len("target"), *(len(channel.name) for channel in shown))
    lines = ["", f"  {'target':{width}}  {'unit':8} {'min':>11} {'mean':>11} {'max':>11} {'missing':>8}"]
    for channel in shown:
        figures = (
            f"{channel.minimum:11.5g} {channel.mean:11.5g} {channel.maximum:11.5g} {channel.missing:8.2%}"
        )
        lines.append(f"  {channel.name:{width}}  {channel.unit[:8]:8} {figures}{channel.remark}")
    if len(found.channels) > _SHOWN:
        lines.append(f"  ... and {len(found.channels) - _SHOWN} more")
    return [*lines, *(f"  {role}: {', '.join(names)}" for role, names in found.roles.items())]


def _tail(found: Inspection) -> list[str]:
    lines = []
    if found.notes:
        lines += ["", "  notes", *(f"  - {note}" for note in found.notes)]
    if found.problems:
        lines += ["", "  problems"]
        for problem in found.problems:
            lines.append(f"  - {problem.what}" + (f": {problem.mend}" if problem.mend else ""))
    if found.options:
        lines += ["", f"  all remedies together, with which the figures hold: {found.options}"]
    return lines
