"""Charged particles, 10 frames known and 20 forecast: what the learned prior and turning with space gain.

Each arm of GeoTDM's ablation that is told here (Han et al. 2024, arXiv 2410.13027, table 4) is the default
recipe with one part changed, with about as many parameters, the same number of training steps and systems,
and three seeds. Members are not calibrated, as theirs are not.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rheos
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import write_json
from rheos.data.dataset import Dataset
from rheos.data.generator import Charged
from rheos.forecast.draw import ensembles
from rheos.forecast.model import FittedModel
from rheos.score import displacement, energy_score
from rheos.score.bootstrap import skill

KNOWN, AHEAD, MEMBERS = 10, 20, 5
SEEDS = (0, 1, 2)
OURS, LAST, FIXED = "equivariant, learned prior", "equivariant, last-frame prior", "U-Net, learned prior"
ARMS: dict[str, tuple[str, ...]] = {
    OURS: (),
    # Weights this dear are 0: the anchor is the last place, its scale one number a frame, as in the others.
    LAST: ("anchor.penalty=1e12",),
    # A grid of particles, not turned into each other: one stage, attention along frames.
    FIXED: (
        "network=field",
        "network.base=24",
        "network.multipliers=[1]",
        "network.patch=1",
        "network.blocks=2",
        "network.attention_from=0",
    ),
}
"""What is added to the default recipe."""
FIGURES = ("ade", "fde", "best_ade", "best_fde", "energy")
PUBLISHED = {
    "GeoTDM": (0.110, 0.258),
    "GeoTDM, last-frame prior": (0.123, 0.282),
    "GeoTDM, no equivariance": (0.251, 0.542),
    "EqMotion": (0.141, 0.310),
    "EGNN": (0.186, 0.426),
    "SVAE": (0.378, 0.732),
}
"""ADE and FDE, means of 5 samples, from the paper's tables 1 and 4."""


def systems(count: int, seed: int) -> Dataset:
    """Charged particles in three dimensions, the 30 first frames of each system."""
    return Charged(systems=count, frames=KNOWN + AHEAD).generate(seed)


def score(model: FittedModel, data: Dataset) -> dict[str, np.ndarray]:
    """Figures of each system `(systems,)`: displacements are means over its particles."""
    source = model.source(data)
    drawn = ensembles(model, source, np.arange(len(source)), MEMBERS, model.preset("balanced"), "test")
    members = np.concatenate([values for _, values, _ in drawn]).swapaxes(0, 1).astype(np.float64)
    truth = np.stack([r.values[KNOWN:] for r in data.recordings])
    errors = displacement(members, truth, frames=1)
    found = {figure: values.mean(-1) for figure, values in errors._asdict().items()}
    flat = members.reshape(*members.shape[:2], -1), truth.reshape(len(truth), -1)
    return found | {"energy": energy_score(*flat, per_entry=True)}


def measured(
    words: tuple[str, ...], seed: int, sizes: dict[str, int], known: Dataset, data: Dataset
) -> dict[str, Any]:
    """Fit one arm with one seed and score it."""
    said = [f"history={KNOWN}", f"training.steps={sizes['steps']}", f"training.batch={sizes['batch']}"]
    said += ["training.checks=1", f"seed={seed}", *words]
    began = time.process_time()
    model = rheos.fit(known, AHEAD, words=said).model
    took = time.process_time() - began
    return {
        "parameters": model.history.parameters,
        "fit_cpu_seconds": round(took, 1),
        "best_step": model.history.best_step,
        "scores": score(model, data),
    }


def run(steps: int, results: Path, count: int = 1000, tested: int = 96) -> None:
    """Measure all arms on one thread; figures are kept as they come."""
    torch.set_num_threads(1)
    keep_large_buffers()
    sizes = {"steps": steps, "batch": 32, "systems": count, "tested": tested}
    known, data = systems(count, 43), systems(tested, 44)
    figures: dict[str, Any] = {**sizes, "members": MEMBERS, "arms": {name: {"seeds": []} for name in ARMS}}
    each: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in ARMS}
    for seed in SEEDS:
        for name, words in ARMS.items():
            found = measured(words, seed, sizes, known, data)
            each[name].append(found.pop("scores"))
            arm = figures["arms"][name]
            arm |= {"words": list(words), "parameters": found.pop("parameters")}
            told = {figure: float(values.mean()) for figure, values in each[name][-1].items()}
            arm["seeds"].append({"seed": seed, **found, **told})
            sys.stderr.write(f"{name}, seed {seed}: {told}\n")
        figures["gains"] = {rival: _gains(each, rival) for rival in (LAST, FIXED)}
        write_json(results / "nbody.json", figures)


def _gains(each: dict[str, list[dict[str, np.ndarray]]], rival: str) -> dict[str, Any]:
    """How much less each figure of ours is: of each seed, and of their mean by system with its interval."""
    gains = {}
    for figure in FIGURES:
        ours, theirs = ([scores[figure] for scores in each[name]] for name in (OURS, rival))
        mean = skill(np.mean(ours, axis=0), np.mean(theirs, axis=0), block=1)
        seeds = [float(1 - a.mean() / b.mean()) for a, b in zip(ours, theirs, strict=True)]
        gains[figure] = {"mean": list(mean), "seeds": seeds}
    return gains


def section(figures: dict[str, Any]) -> str:
    """The section of the page."""
    f = figures
    lines = [
        "## Charged particles",
        "",
        f"Five particles in space, {KNOWN} frames known, {AHEAD} forecast; {f['systems']} systems to train",
        f"on (an eighth of them held out), {f['tested']} others to score, {f['members']} members;",
        f"seeds: {len(f['arms'][OURS]['seeds'])}.",
        f"All arms have {f['steps']} training steps of {f['batch']} systems, about the same number of",
        "parameters, and the same recipe but for what is named. ADE and FDE are means over members, as",
        "published; the energy score is of the whole system's path, by entry.",
        "",
        "| | parameters | ADE | FDE | best of 5 | energy score |",
        "| --- " * 6 + "|",
    ]
    for name, arm in f["arms"].items():
        cells = {figure: [seed[figure] for seed in arm["seeds"]] for figure in FIGURES}
        mean = {figure: f"{np.mean(values):.3f}" for figure, values in cells.items()}
        spread = {figure: f"{min(values):.3f} to {max(values):.3f}" for figure, values in cells.items()}
        told = [f"{mean[figure]} ({spread[figure]})" for figure in ("ade", "fde")]
        told += [f"{mean['best_ade']}/{mean['best_fde']}", f"{mean['energy']} ({spread['energy']})"]
        lines.append(f"| {name} | {arm['parameters']} | {' | '.join(told)} |")
    lines += ["", *_verdicts(f["gains"]), "", *_published(f), ""]
    lines += ["```sh", f"python -m benchmarks nbody page --steps {f['steps']}", "```", ""]
    return "\n".join(lines)


def _verdicts(gains: dict[str, Any]) -> list[str]:
    """What the learned prior and turning with space gain, seed by seed."""
    lines = ["| ours against | figure | less by (90 %) | seed by seed |", "| --- " * 4 + "|"]
    for rival, rows in gains.items():
        for figure in ("ade", "fde", "energy"):
            value, low, high = rows[figure]["mean"]
            seeds = ", ".join(f"{gain:+.1%}" for gain in rows[figure]["seeds"])
            lines.append(f"| {rival} | {figure} | {value:+.1%} ({low:+.1%} to {high:+.1%}) | {seeds} |")
    return lines


def _published(f: dict[str, Any]) -> list[str]:
    """The paper's figures, and what is not the same."""
    told = "; ".join(f"{name} {ade:.3f}/{fde:.3f}" for name, (ade, fde) in PUBLISHED.items())
    return [
        f"Published ADE/FDE, means of 5 samples (Han et al. 2024, tables 1 and 4): {told}. Not the same "
        f"protocol: theirs trains for 4000 epochs of 3000 systems, here for {f['steps'] * f['batch']} "
        "draws of a system; forces are cut off at close encounters there and softened here; and their arm "
        "without equivariance keeps its graph."
    ]
