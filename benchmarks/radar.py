"""Radar, 30 minutes ahead: Rheos beside extrapolation and STEPS on the later part of an event, both in mm/h.

Two events, 5 minutes a frame, means over cells of 4 km; of the wider one the middle 256 km. Everything goes
through the harness of `rheos compare`: nothing is fitted on the last frames, windows do not overlap. The
peers also run on cells of 2 km, their members averaged to 4 km, which is kinder to them. Needs the extra
`radar`.

Each method's scores are kept under `--work` and not measured again, so a run that was stopped goes on.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from rheos.baseline import Persistence
from rheos.baseline.peer import Extrapolation, Steps
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import read_json, write_json
from rheos.core.keys import Key
from rheos.data.reader import read
from rheos.evaluation.comparison.contender import BaselineContender, Contender, Drawing, RecipeContender
from rheos.evaluation.comparison.task import Task
from rheos.forecast.forecaster import load
from rheos.forecast.override import parse_words
from rheos.score import crps
from rheos.score.fractions import Fractions, fractions

HORIZON, MEMBERS, BOX = 6, 20, 5
THRESHOLDS = (0.5, 1.0, 5.0)
KILOMETERS = 4
WORDS = (
    "history=4",
    "anchor=advection",
    "codec=[{kind: log, offset: 0.5}, {kind: scale}]",
    f"block={MEMBERS}",
    "network.base=16",
    "network.multipliers=[1, 2]",
    "network.detail=8",
    "network.patch=4",
)

Forecast = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Event:
    """One recording.

    Attributes:
        file: in the folder of the data.
        holdout: last frames that nothing is fitted on, about a third.
        note: what it is.
    """

    file: str
    holdout: int
    note: str


EVENTS = {
    "knmi": Event("fields/knmi_radar_5min_20100826.npz", 30, "Netherlands, 26 August 2010, 92 frames"),
    "fmi": Event("fields/fmi_radar_5min_20160928.npz", 18, "Finland, 28 September 2016, 40 frames"),
}


def rates(name: str, content: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rain rates in mm/h `(frames, 256, 256)` on cells of 1 km.

    KNMI gives accumulations, FMI reflectivities, Z = 223 R^1.53 as in the Finnish archive; there what is
    below 0.1 mm/h counts as dry.
    """
    if name == "knmi":
        return content["accum"] * float(content["scale_mm"]) * 12.0
    decibels = (content["dbz_code"][:, 128:384, 128:384].astype(float) - 64.0) / 2.0
    found = (10.0 ** (decibels / 10.0) / 223.0) ** (1.0 / 1.53)
    return np.where(found >= 0.1, found, 0.0)


def coarse(fields: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of cells of the last two axes."""
    *rest, y, x = fields.shape
    return fields.reshape(*rest, y // factor, factor, x // factor, factor).mean((-3, -1))


def as_dataset(name: str, content: Mapping[str, np.ndarray], kilometers: int) -> xr.Dataset:
    """An event as a source for Rheos."""
    values = coarse(rates(name, content), kilometers).astype(np.float32)
    place = np.arange(values.shape[-1]) * float(kilometers)
    stamps = pd.to_datetime(content["time"], format="%Y%m%d%H%M")
    return xr.Dataset(
        {"rain": (("time", "y", "x"), values, {"units": "mm/h"})},
        coords={"time": stamps, "y": place, "x": place},
    )


def task_of(name: str, content: Mapping[str, np.ndarray], kilometers: int) -> Task:
    """What is asked of everyone."""
    source = as_dataset(name, content, kilometers)
    return Task(read(source), HORIZON, EVENTS[name].holdout, members=MEMBERS)


def score(task: Task, forecast: Forecast) -> dict[str, Any]:
    """Fair CRPS in mm/h by window and lead, and fractions skill at each threshold, over all windows."""
    by_window, parts = [], dict.fromkeys(THRESHOLDS, Fractions())
    for recording, origin, truth in task.cases():
        members = forecast(recording, origin)
        by_window.append(crps(members, truth).mean((1, 2, 3)).tolist())
        for threshold in THRESHOLDS:
            parts[threshold] += fractions(members[:, :, 0], truth[:, 0], threshold, BOX)
    return {
        "crps": float(np.mean(by_window)),
        "crps_by_window": np.mean(by_window, axis=1).tolist(),
        "crps_by_lead": np.mean(by_window, axis=0).tolist(),
        "fractions_skill": {f"{t:g}": part.skill for t, part in parts.items()},
    }


def contenders(steps: int) -> dict[str, tuple[Contender, int]]:
    """Who takes part, and the kilometers of the cells that it sees."""
    rheos = RecipeContender("rheos", parse_words([*WORDS, f"training.steps={steps}"]), {})
    persistence = BaselineContender("persistence", Persistence())
    extrapolation = BaselineContender("extrapolation", Extrapolation())
    cascade = BaselineContender("steps", Steps())
    return {
        "rheos": (rheos, KILOMETERS),
        "persistence": (persistence, KILOMETERS),
        "extrapolation": (extrapolation, KILOMETERS),
        "steps": (cascade, KILOMETERS),
        "extrapolation, 2 km": (extrapolation, 2),
        "steps, 2 km": (cascade, 2),
    }


def anchor_alone(task: Task, model: Any) -> Forecast:
    """What the anchor is worth without its network: white normal errors of its own spread, inside limits."""
    source = model.source(task.dataset)
    history = model.recipe.history

    def forecast(recording: int, origin: int) -> np.ndarray:
        center, scale = (part[:, history:] for part in model.anchor(source.at(recording, origin)))
        key = Key.of(0, task.members, task.dataset.recordings[recording].name, str(origin))
        normal = key.normal(center.shape[1:]).numpy()
        return np.maximum(source.codec.decode(center + scale * normal, {}), 0.0)

    return forecast


def measure(event: Event, name: str, data: Path, steps: int, work: Path) -> dict[str, Any]:
    """All methods on one event."""
    with np.load(data / event.file) as content:
        tasks = {side: task_of(name, content, side) for side in (KILOMETERS, 2)}
    task, methods = tasks[KILOMETERS], {}
    for label, (contender, side) in contenders(steps).items():
        kept = work / f"{name}-{label.replace(', ', '-').replace(' ', '')}.json"
        if not kept.exists():
            contender.require()
            began, spent = time.perf_counter(), time.process_time()
            ready = contender.fit(tasks[side], 0, work / f"{name}-model", _told)
            fitted = {"fit_seconds": time.perf_counter() - began, "fit_cpu": time.process_time() - spent}
            factor = KILOMETERS // side
            began = time.perf_counter()
            found = score(task, lambda r, o, ready=ready, k=factor: coarse(ready.forecast(r, o), k))
            found |= fitted | {"forecast_seconds": time.perf_counter() - began}
            if label == "rheos":
                model = ready.engine.model
                found["training"] = {"steps": model.history.steps, "best_step": model.history.best_step}
                write_json(work / f"{name}-anchor.json", score(task, anchor_alone(task, model)))
            write_json(kept, found | {"limits": contender.limits})
        methods[label] = read_json(kept)
        if label == "rheos":
            methods["anchor alone"] = read_json(work / f"{name}-anchor.json")
        sys.stderr.write(f"\n{name}: {label}: {methods[label]['crps']:.4f} mm/h\n")
    return {
        "name": name,
        "event": asdict(event),
        "windows": task.windows,
        "init_times": task.init_times(),
        "members": MEMBERS,
        "words": [*WORDS, f"training.steps={steps}"],
        "pysteps": version("pysteps"),
        "methods": methods,
    }


def _transfer(name: str, other: str, data: Path, work: Path, results: Path) -> None:
    """Add what the model of the other event makes of this one, of which it has seen nothing."""
    kept, row = work / f"{name}-transfer.json", results / f"radar-{name}.json"
    if not kept.exists():
        with np.load(data / EVENTS[name].file) as content:
            task = task_of(name, content, KILOMETERS)
        drawing = Drawing.of(load(work / f"{other}-model"), task, 0)
        write_json(kept, score(task, drawing.forecast))
    found = read_json(row)
    found["methods"]["rheos, fitted on the other event"] = read_json(kept)
    write_json(row, found)


def _told(done: int, total: int, note: str) -> None:
    sys.stderr.write(f"\r{note} {done}/{total}".ljust(79)[:79])


def run(data: Path, steps: int, names: list[str], threads: int, folders: tuple[Path, Path]) -> None:
    """Measure each event; those whose file is absent are skipped by name."""
    torch.set_num_threads(threads)
    keep_large_buffers()
    work, results = folders
    work.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (data / EVENTS[name].file).exists():
            sys.stderr.write(f"{name}: {data / EVENTS[name].file} is absent, skipped\n")
            continue
        found = measure(EVENTS[name], name, data, steps, work)
        write_json(results / f"radar-{name}.json", {**found, "threads": threads})
    for name, other in (tuple(EVENTS), tuple(EVENTS)[::-1]):
        if name in names and (work / f"{other}-model" / "config.json").exists():
            _transfer(name, other, data, work, results)


def section(events: list[dict]) -> str:
    """The part of the page."""
    lines = [
        "## Radar",
        "",
        f"{HORIZON * 5} minutes ahead, {HORIZON} frames of 5 minutes, {MEMBERS} members, cells of "
        f"{KILOMETERS} km, on the later part of an event whose earlier part was trained on "
        "(`python -m benchmarks radar`). "
        f"CRPS is fair and in mm/h; fractions skill is over boxes of {BOX} x {BOX} cells, higher is better. "
        "`2 km`: the peer runs on cells of 2 km and its members are averaged. `anchor alone`: the model's "
        "anchor and spread with white normal errors, no network.",
    ]
    for e in events:
        lines += [
            "",
            f"{e['name']}: {e['event']['note']}, {e['windows']} windows, `{' '.join(e['words'])}`",
            "",
        ]
        marks = [f"FSS {t:g}" for t in THRESHOLDS]
        lines += [f"| | CRPS | {' | '.join(marks)} | fit s |", "| --- " * (len(marks) + 3) + "|"]
        for label, m in sorted(e["methods"].items(), key=lambda item: item[1]["crps"]):
            skills = " | ".join(f"{m['fractions_skill'][f'{t:g}']:.3f}" for t in THRESHOLDS)
            fit = f"{m['fit_cpu']:.0f}" if "fit_cpu" in m else ""
            lines.append(f"| {label} | {m['crps']:.4f} | {skills} | {fit} |")
        lines += ["", *_verdicts(e)]
    lines += ["", "Limits of the peers:", ""]
    told = {label: m["limits"] for label, m in events[0]["methods"].items() if m.get("limits")}
    lines += [f"- {label}: {limits}" for label, limits in told.items() if "2 km" not in label]
    return "\n".join([*lines, ""])


def _verdicts(event: dict) -> list[str]:
    """Against each peer's better run, and how many windows agree."""
    methods = event["methods"]
    ours, lines = methods["rheos"], []
    for peer in ("extrapolation", "steps"):
        runs = (peer, f"{peer}, 2 km")
        best = min(runs, key=lambda label: methods[label]["crps"])
        ratio = ours["crps"] / methods[best]["crps"]
        pairs = zip(ours["crps_by_window"], methods[best]["crps_by_window"], strict=True)
        wins = sum(a < b for a, b in pairs)
        skills = []
        for t in (f"{t:g}" for t in THRESHOLDS):
            theirs = max(methods[label]["fractions_skill"][t] for label in runs)
            skills.append(f"{t}: {ours['fractions_skill'][t] - theirs:+.3f}")
        lines.append(
            f"- against {best}: CRPS {ratio:.3f} of its, lower in {wins} of {event['windows']} windows; "
            f"fractions skill less that of its better run, by threshold {', '.join(skills)}"
        )
    return lines
