"""A third of the observations dropped, at random and in day-long blocks: what it costs, beside filling first.

Targets and past covariates lose values, each column by itself, in the training span and in the
histories that forecasts start from; what is known ahead and the truths stay whole. `filled` draws straight
lines through the gaps before fitting, and through those of each history up to its origin, where the last
value is held.
"""

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import rheos
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import write_json
from rheos.data.dataset import Dataset
from rheos.data.reader import read
from rheos.evaluation.backtest import members_of
from rheos.forecast.engine import Engine
from rheos.forecast.forecaster import options, reading
from rheos.score import crps, skill

SHARE = 1 / 3


@dataclass(frozen=True)
class Case:
    """One data set: the file, the horizon, what is kept out, a day's frames, an ensemble's size."""

    file: str
    horizon: int
    holdout: int
    day: int
    words: tuple[str, ...] = ()
    members: int = 100


CASES = {
    "vic_elec": Case(
        "series/vic_elec.csv.xz",
        48,
        1344,
        48,
        ("roles.Holiday=known_future", "roles.Temperature=past", "roles.Date=ignore"),
    ),
    "weather": Case(
        "series/weather.csv.xz",
        24,
        672,
        24,
        ("data.duplicates=mean", "data.missing=[-9999]", "data.resample=1h"),
        members=50,
    ),
    "los_loop": Case("series/los_loop_speed.npz::speed", 12, 288, 288, ("data.period=288",), members=20),
}


def random(shape: tuple[int, ...], day: int, rng: np.random.Generator) -> np.ndarray:
    """Each entry by itself: True where it is dropped."""
    return rng.uniform(size=shape) < SHARE


def blocks(shape: tuple[int, ...], day: int, rng: np.random.Generator) -> np.ndarray:
    """Days that begin anywhere, column by column, until the share is dropped."""
    dropped = np.zeros(shape, bool)
    for column in dropped.T:
        while column.mean() < SHARE - 0.5 * day / len(column):
            start = rng.integers(len(column) - day)
            column[start : start + day] = True
    return dropped


PATTERNS = {"random": random, "blocks": blocks}


def without(dataset: Dataset, pattern: Callable[..., np.ndarray], day: int) -> Dataset:
    """The data with a pattern dropped; the last frame stays, so that all end alike."""
    (recording,) = dataset.recordings
    rng = np.random.default_rng(0)
    parts = {}
    for name in ("values", "past"):
        dropped = pattern(getattr(recording, name).shape, day, rng)
        dropped[-1:] = False
        parts[name] = np.where(dropped, np.nan, getattr(recording, name))
    return replace(dataset, recordings=(replace(recording, **parts),))


def filled(dataset: Dataset, cut: int) -> Dataset:
    """Straight lines through the gaps before a frame; later frames are empty, but for the last."""
    (recording,) = dataset.recordings
    parts = {}
    for name in ("values", "past"):
        values = getattr(recording, name)
        known = pd.DataFrame(values[:cut]).interpolate(limit_direction="both").to_numpy(values.dtype)
        parts[name] = np.concatenate([known, np.full_like(values[cut:], np.nan)])
        parts[name][-1:] = values[-1:]
    return replace(dataset, recordings=(replace(recording, **parts),))


def run(data: Path, budget: str, names: list[str], threads: int, results: Path) -> None:
    """Measure each set; sets whose file is absent are skipped by name."""
    torch.set_num_threads(threads)
    keep_large_buffers()
    for name in names:
        if name not in CASES:
            continue
        if not (data / CASES[name].file.partition("::")[0]).exists():
            sys.stderr.write(f"{name}: {data / CASES[name].file} is absent, skipped\n")
            continue
        found = measure(CASES[name], data, budget)
        write_json(results / f"dropped-{name}.json", {"name": name, "threads": threads, **found})


def measure(case: Case, data: Path, budget: str) -> dict[str, Any]:
    """One set: complete data, and each pattern as it is and filled first.

    Args:
        case: the set.
        data: the folder of the data sets.
        budget: of each fit, a time such as "3m", or "steps=400" where the machine has other work to do.
    """
    dataset = read(str(data / case.file), reading(options(words=case.words)))
    cut = len(dataset.recordings[0]) - case.holdout
    forms: dict[str, Callable[[int], Dataset]] = {"complete": lambda origin: dataset}
    for name, pattern in PATTERNS.items():
        gappy = without(dataset, pattern, case.day)
        forms[name] = lambda origin, gappy=gappy: gappy
        forms[f"{name}, filled"] = lambda origin, gappy=gappy: filled(gappy, origin)
    trained = f"training.{budget}" if "=" in budget else f"training.time={budget}"
    fitted, scores = {}, {}
    for name, form in forms.items():
        words = [f"holdout={case.holdout}", trained, "training.checks=3"]
        forecaster = rheos.fit(form(cut), case.horizon, words=words)
        scores[name] = _scores(forecaster, form, dataset, case)
        history = forecaster.model.history
        fitted[name] = {"steps": history.steps, "best_step": history.best_step}
        sys.stderr.write(f"{name}: {np.mean(scores[name]):.4f} after {history.steps} steps\n")
    pairs = [(name, "complete") for name in PATTERNS] + [(name, f"{name}, filled") for name in PATTERNS]
    return {
        "words": list(case.words),
        "horizon": case.horizon,
        "budget": budget,
        "members": case.members,
        "windows": len(scores["complete"]),
        "crps": {name: float(np.mean(values)) for name, values in scores.items()},
        "gains": [[*pair, *skill(scores[pair[0]], scores[pair[1]])] for pair in pairs],
        "by_window": {name: values.tolist() for name, values in scores.items()},
        "fits": fitted,
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}",
    }


def _scores(forecaster: Any, form: Callable[[int], Dataset], dataset: Dataset, case: Case) -> np.ndarray:
    """Fair CRPS of each window, a mean over variables in deviations of the complete training span."""
    (recording,) = dataset.recordings
    cut = len(recording) - case.holdout
    scale = np.nanstd(recording.values[:cut].astype(np.float64), axis=0)
    model, found = forecaster.model, []
    for origin in range(cut, len(recording) - case.horizon + 1, case.horizon):
        engine = Engine(model, form(origin), model.preset("balanced"))
        drawn = members_of(engine, 0, origin, case.members)
        truth = recording.values[origin : origin + case.horizon]
        found.append(float(np.nanmean(crps(drawn / scale, truth / scale))))
    return np.array(found)


def section(studies: list[dict[str, Any]]) -> str:
    """The section of the page."""
    lines = [
        "## Dropped observations",
        "",
        "A third of the values of targets and past covariates dropped, each column by itself, in training",
        "and in the histories: at random, or in day-long blocks. Truths are complete. `filled` is the same",
        "recipe after straight lines through all gaps, those of a history up to its origin. CRPS in standard",
        "deviations; 90 % intervals of paired block bootstrap. Bounds: at random 5 % worse, in blocks 15 %.",
        "",
        "| set | complete | at random | filled | in blocks | filled |",
        "| --- " * 6 + "|",
    ]
    for s in studies:
        cells = [f"{value:.4f}" for value in s["crps"].values()]
        lines.append(f"| {s['name']}, {s['windows']} windows | {' | '.join(cells)} |")
    lines += ["", "| set | dropped | worse than complete | better than filled |", "| --- " * 4 + "|"]
    for s in studies:
        for name in PATTERNS:
            gains = {other: gain for one, other, *gain in s["gains"] if one == name}
            cost, won = gains["complete"], gains[f"{name}, filled"]
            told = f"{-cost[0]:+.1%} ({-cost[2]:+.1%} to {-cost[1]:+.1%})"
            lines.append(
                f"| {s['name']} | {name} | {told} | {won[0]:+.1%} ({won[1]:+.1%} to {won[2]:+.1%}) |"
            )
    budgets = ", ".join(f"{s['name']} {s['budget']}, {s['members']} members" for s in studies)
    lines += ["", f"Training budget of each fit: {budgets}.", ""]
    return "\n".join([*lines, "```sh", "python -m benchmarks dropped page", "```", ""])
