"""JSON lines as GluonTS writes them: one series a line with `start`, `target` and covariates.

A folder or archive with `train` and `test` parts gives its training part; `SOURCE::test` gives the
other, of whose windows that continue one another only the longest is kept.
"""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from rheos.data.dataset import Layout
from rheos.data.options import DataOptions, closest
from rheos.data.reader.files import content, unpacked
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw, RawSequence
from rheos.data.reader.rhythm import by_months, normal

_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.xz")


@dataclass(frozen=True, slots=True)
class _Line:
    where: str
    record: dict[str, Any]


def is_json_name(name: str) -> bool:
    """Whether a file name ends like one of JSON lines."""
    return name.lower().endswith(_SUFFIXES)


def from_json_file(path: Path, options: DataOptions) -> Raw:
    """Read one file of JSON lines."""
    lines = _lines(content(path), path.name, str(path))
    return _understood(lines, _frequency_beside(path), options, str(path), [])


def from_json_folder(path: Path, part: str | None, options: DataOptions) -> Raw:
    """Read a folder of JSON lines, with or without parts."""
    files = {
        str(PurePosixPath(*file.relative_to(path).parts)): file
        for file in sorted(path.rglob("*"))
        if file.is_file() and is_json_name(file.name)
    }
    return _from_members({name: content(file) for name, file in files.items()}, part, options, str(path))


def from_tar(raw: bytes, part: str | None, options: DataOptions, origin: str) -> Raw:
    """Read an (unpacked) tar archive of such a folder, without writing anything to disk."""
    members = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member) if member.isfile() and is_json_name(member.name) else None
                if file is not None:
                    members[member.name] = unpacked(file.read(), f"{origin}::{member.name}")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(f"{origin!r} is a damaged archive ({error})", advice="fetch it again") from None
    return _from_members(members, part, options, origin)


def _from_members(members: dict[str, bytes], part: str | None, options: DataOptions, origin: str) -> Raw:
    notes: list[str] = []
    frequency, data = None, {}
    for name, raw in members.items():
        if PurePosixPath(name).name.startswith("metadata"):
            frequency = _stated(_loaded(raw, f"{origin}/{name}"))
        else:
            data[name] = raw
    if not data:
        raise SourceError(f"{origin!r} holds no table, grid or JSON lines", advice="name a file")
    parts = tuple(dict.fromkeys(PurePosixPath(name).parent.name or "." for name in data))
    if part is not None and part not in parts:
        raise SourceError(f"{origin!r} has no part {part!r}", advice=closest(part, parts))
    if part is None and len(parts) > 1:
        part = "train" if "train" in parts else None
        if part is None:
            raise SourceError(
                f"{origin!r} has several parts ({', '.join(parts)})", advice=f"name one: {origin}::{parts[0]}"
            )
        notes.append(f"of the parts {', '.join(parts)} 'train' was read; another is named by SOURCE::test")
    chosen = {
        name: raw for name, raw in data.items() if part is None or PurePosixPath(name).parent.name == part
    }
    lines = [line for name, raw in chosen.items() for line in _lines(raw, name, origin)]
    return _understood(lines, frequency, options, origin, notes)


def _lines(raw: bytes, name: str, origin: str) -> list[_Line]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(
            f"{name!r} in {origin!r} is not text in UTF-8", advice="write it in UTF-8"
        ) from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name!r} line {number}"
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SourceError(
                f"{where} is not JSON ({error.msg} at column {error.colno})", advice="write one object a line"
            ) from None
        if not isinstance(record, dict):
            raise SourceError(
                f"{where} is not an object but {type(record).__name__}", advice="write one object a line"
            )
        found.append(_Line(where, record))
    if not found:
        raise SourceError(f"{name!r} in {origin!r} is empty")
    return found


def _loaded(raw: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(raw)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise SourceError(f"{where!r} is not JSON", advice="mend or remove it") from None
    return record if isinstance(record, dict) else {}


def _stated(record: dict[str, Any]) -> str | None:
    found = record.get("freq") or record.get("time_granularity")
    return str(found) if found else None


def _frequency_beside(path: Path) -> str | None:
    for folder in (
        path.parent / "metadata",
        path.parent,
        path.parent.parent / "metadata",
        path.parent.parent,
    ):
        if (folder / "metadata.json").is_file():
            return _stated(_loaded(content(folder / "metadata.json"), str(folder / "metadata.json")))
    return None


def _understood(
    lines: list[_Line], frequency: str | None, options: DataOptions, origin: str, notes: list[str]
) -> Raw:
    given = options.frequency or frequency or _stated(lines[0].record)
    if given is None:
        raise SourceError(
            f"{origin!r} does not say its frequency", advice="give data.frequency=h (or min, D, B, W, MS)"
        )
    step = normal(given, f"the frequency of {origin!r}")
    sequences = [_sequence(line, step, place) for place, line in enumerate(lines)]
    sequences = _longest(sequences, notes)
    widths = {s.values.shape[1] for s in sequences}
    covariates = {(s.known_future.shape[1], s.past.shape[1], len(s.static)) for s in sequences}
    if len(widths) > 1 or len(covariates) > 1:
        raise SourceError(
            f"the lines of {origin!r} do not all have the same number of variables and covariates",
            advice="make them alike",
        )
    known, past, static = covariates.pop()
    channels = widths.pop()
    layout = Layout(
        channels=("target",) if channels == 1 else tuple(f"target{i}" for i in range(channels)),
        frequency=step,
        known_future=tuple(f"feat_dynamic_real{i}" for i in range(known)),
        past=tuple(f"past_feat_dynamic_real{i}" for i in range(past)),
        static=tuple(f"feat_static{i}" for i in range(static)),
    )
    return Raw(origin=origin, layout=layout, sequences=sequences, notes=notes)


def _sequence(line: _Line, frequency: str, place: int) -> RawSequence:
    record, where = line.record, line.where
    for name in ("start", "target"):
        if name not in record:
            raise SourceError(f"{where} has no {name!r}", advice="give every line 'start' and 'target'")
    target = _numbers(record["target"], "target", where)
    target = target[:, None] if target.ndim == 1 else target.T
    if target.ndim != 2 or target.size == 0:
        raise SourceError(f"{where} has an empty target", advice="remove that line")
    known = _covariate(record, "feat_dynamic_real", where)
    past = _covariate(record, "past_feat_dynamic_real", where)
    frames = max(len(target), len(known))
    if (known.shape[1] and len(known) < len(target)) or (past.shape[1] and len(past) != len(target)):
        raise SourceError(
            f"{where} has {len(target)} values of target but "
            f"{len(known) if known.shape[1] else len(past)} of a covariate",
            advice="make them equally long",
        )
    static = [
        _numbers(record[name], name, where).ravel()
        for name in ("feat_static_real", "feat_static_cat")
        if name in record
    ]
    return RawSequence(
        name=str(record.get("item_id", place)),
        stamps=_span(record["start"], frames, frequency, where),
        values=_long(target, frames),
        known_future=_long(known, frames),
        past=_long(past, frames),
        static=np.concatenate(static) if static else np.zeros(0),
    )


def _numbers(value: Any, name: str, where: str) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=object)
        return np.where(array == None, np.nan, array).astype(np.float64)  # noqa: E711
    except (ValueError, TypeError):
        raise SourceError(
            f"{where} has something else than numbers of equal lengths in {name!r}", advice="mend that line"
        ) from None


def _covariate(record: dict[str, Any], name: str, where: str) -> np.ndarray:
    if not record.get(name):
        return np.zeros((0, 0))
    array = _numbers(record[name], name, where)
    return array[:, None] if array.ndim == 1 else array.T


def _long(array: np.ndarray, frames: int) -> np.ndarray:
    out = np.full((frames, array.shape[1]), np.nan)
    out[: len(array)] = array
    return out


def _span(start: Any, frames: int, frequency: str, where: str) -> pd.DatetimeIndex:
    try:
        first = pd.Timestamp(start)
    except (ValueError, TypeError):
        raise SourceError(
            f"{where} has a start that cannot be read: {start!r}", advice="write it as 2020-01-31 00:00:00"
        ) from None
    if first is pd.NaT:
        raise SourceError(f"{where} has no start", advice="write it as 2020-01-31 00:00:00")
    first = first.tz_convert("UTC").tz_localize(None) if first.tz is not None else first
    if by_months(frequency):
        first = first.normalize().replace(
            day=first.days_in_month if frequency.split("-")[0].endswith("E") else 1
        )
    return pd.DatetimeIndex(pd.date_range(first, periods=frames, freq=frequency, unit="ns").to_numpy())


def _longest(sequences: list[RawSequence], notes: list[str]) -> list[RawSequence]:
    """Without those whose target another one continues."""
    groups: dict[tuple[str, bytes], list[RawSequence]] = {}
    for sequence in sequences:
        key = (str(sequence.stamps[0]), sequence.values[:10].tobytes())
        groups.setdefault(key, []).append(sequence)
    kept = []
    for group in groups.values():
        best = max(group, key=lambda s: len(s.values))
        nested = all(np.array_equal(s.values, best.values[: len(s.values)], equal_nan=True) for s in group)
        kept += [best] if nested else group
    if len(kept) < len(sequences):
        notes.append(
            f"of {len(sequences)} windows that continue one another the {len(kept)} longest were kept"
        )
    order = {id(sequence): place for place, sequence in enumerate(sequences)}
    return _renamed(sorted(kept, key=lambda s: order[id(s)]), len(kept) < len(sequences))


def _renamed(sequences: list[RawSequence], again: bool) -> list[RawSequence]:
    if again and all(sequence.name.isdigit() for sequence in sequences):
        for place, sequence in enumerate(sequences):
            sequence.name = str(place)
    return sequences
