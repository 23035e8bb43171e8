"""What it gains that forecasts follow recent errors: the anchor's own Gaussian, with them and without.

No network is trained. The anchor is fitted on the training span less a last part of it, on whose windows
N(center, scale^2) is scored by the closed form of the CRPS; the windows of `skill` are passed over.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import skill
from benchmarks.unrest import gaussian_crps
from rheos.core.files import write_json
from rheos.data.anchor.recent import follow
from rheos.data.codec import Chain
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.evaluation.windows import window_origins
from rheos.forecast.forecaster import options, reading
from rheos.forecast.held_out import split
from rheos.forecast.recipe import make_recipe
from rheos.score.bootstrap import skill as gain_of

SETS = ("vic_elec", "nyc_taxi", "weather", "ETTh1", "ETTm1", "exchange", "solar_fl", "los_loop")
_MOST, _SHARE = 100, 5
_INSIDE = 1.6448536  # deviations that hold 90 % of a Gaussian
_ARMS = {"neither": (False, False), "level": (True, False), "spread": (False, True), "both": (True, True)}


def run(data: Path, names: Sequence[str], results: Path) -> None:
    """Measure the sets that are there."""
    there = [name for name in names if (data / skill.CASES[name].file).exists()]
    write_json(results / "recent.json", {name: measure(skill.CASES[name], data) for name in there})


def measure(case: skill.Case, data: Path) -> dict:
    """CRPS by window in coded units, and coverage of 90 %, of every arm."""
    given = dict(options(None, list(case.words)))
    dataset = read(f"{data / case.file}{case.part}", reading(given)).until(case.holdout)
    lengths = [recording.observed for recording in dataset.recordings]
    count = min(_MOST, min(lengths) // _SHARE // case.horizon)
    held = count * case.horizon
    recipe = make_recipe(dataset, case.horizon, given | {"holdout": held})
    known = dataset.until(held)
    windows = WindowSource(known, recipe.window, Chain(links=recipe.codec).fit(known))
    anchor = recipe.anchor.fit(windows, split(windows, recipe.validation)[0])
    source = follow(WindowSource(dataset, recipe.window, windows.codec), anchor)
    origins = window_origins(dataset, [n - held for n in lengths], case.horizon, count)
    found: dict[str, list[tuple[float, float]]] = {arm: [] for arm in _ARMS}
    for at in zip(*origins, strict=True):
        batch = source.gather(np.arange(len(at)), np.array(at))
        center, scale, recent = anchor.future(batch), anchor.spread(batch), batch.recent
        for arm, (level, spread) in _ARMS.items():
            away = batch.future - center - (scale * recent["level"] if level else 0.0)
            found[arm].append(_scores(away, scale * recent["spread"] if spread else scale))
    sys.stderr.write(f"{case.file}: measured\n")
    arms = {
        arm: {"crps": [round(crps, 6) for crps, _ in rows], "coverage": round(float(np.mean(rows, 0)[1]), 6)}
        for arm, rows in found.items()
    }
    return {"memory": anchor.memory, "arms": arms}


def _scores(away: np.ndarray, scale: np.ndarray) -> tuple[float, float]:
    """CRPS and the share of entries inside the central 90 %, means over what came."""
    scale = np.broadcast_to(scale, away.shape)
    inside = np.where(np.isfinite(away), np.abs(away) <= _INSIDE * scale, np.nan)
    return float(np.nanmean(gaussian_crps(away, scale))), float(np.nanmean(inside))


def section(found: dict) -> str:
    """The section of the page."""
    lines = [
        "## Anchors that follow their recent errors",
        "",
        "CRPS of the anchor's own Gaussian, with no network, on at most 100 windows that end where those",
        "of `skill` begin and that nothing was fitted on: without looking at recent errors, and what it",
        "gains to follow their level, their spread, and both, with 90 % intervals of a paired block",
        "bootstrap; coverage of 90 % with neither and with both. The memory of 20 windows, and how firmly",
        "it is drawn toward no change, were chosen on such windows of the first five sets.",
        "",
        "| set | windows | neither | level | spread | both | coverage: neither | both |",
        "| --- " * 8 + "|",
    ]
    for name, one in found.items():
        plain = np.array(one["arms"]["neither"]["crps"])
        gains = [gain_of(np.array(one["arms"][arm]["crps"]), plain) for arm in ("level", "spread", "both")]
        told = " | ".join(f"{100 * g.value:+.1f}% ({100 * g.low:+.1f} to {100 * g.high:+.1f})" for g in gains)
        covered = " | ".join(f"{one['arms'][arm]['coverage']:.3f}" for arm in ("neither", "both"))
        lines.append(f"| {name} | {len(plain)} | {plain.mean():.4f} | {told} | {covered} |")
    return "\n".join([*lines, "", "```sh", "python -m benchmarks recent page", "```", ""])
