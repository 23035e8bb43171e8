"""One and two network evaluations: flow maps against their twin at 25, and rectified flow's second round.

All models of a set have the same backbone, process, anchor and number of training steps. Their ensembles are
drawn for the same windows with the same keys and members, calibrated as each model was, and scored by CRPS.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rheos
from benchmarks.skill import CASES, Case
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import write_json
from rheos.denoise import FlowMap
from rheos.evaluation.scorecard import Scorecard
from rheos.sample import Preset, preset
from rheos.sample.preset import FLOW_PRESETS
from rheos.sample.solver import DDIM
from rheos.score.bootstrap import skill

SETS = ("vic_elec", "nyc_taxi")
MEMBERS = 50
TWIN, MANY = "default", 25
MODELS: dict[str, tuple[str, ...]] = {
    TWIN: (),
    "split_mean_flow": ("objective=split_mean_flow",),
    "mean_flow": ("objective=mean_flow",),
    "reflow": ("training.reflow=0.5",),
}
"""What is added to the default recipe."""


def samplers(name: str, forecaster: Any) -> dict[str, Preset]:
    """By name, what a model is drawn with."""
    many = preset("balanced").model_copy(update={"evaluations": MANY})
    if isinstance(forecaster.model.denoiser, FlowMap):
        words = {f"flow map, {chosen.evaluations}": chosen for chosen in FLOW_PRESETS.values()}
        return {**words, f"solver, {MANY}": many}
    euler = {
        f"euler, {n}": Preset(solver=DDIM(), grid=FLOW_PRESETS["balanced"].grid, evaluations=n)
        for n in (1, 2)
    }
    shipped = {"as shipped, 20": preset("balanced")} if name == TWIN else {}
    return {**shipped, f"solver, {MANY}": many, **euler}


def scored(forecaster: Any, source: str, chosen: Preset) -> Scorecard:
    """The scores that `rheos backtest` tells, by a sampler of one's own."""
    forecaster.model.presets = {"balanced": chosen}
    return rheos.backtest(forecaster, source, members=MEMBERS, baselines=())


def measured(case: Case, data: Path, name: str, steps: int) -> tuple[dict[str, Any], dict[str, Scorecard]]:
    """Fit a model and score it by each of its samplers: what is told of the fit, and the scores."""
    source = f"{data / case.file}{case.part}"
    said = [f"holdout={case.holdout}", f"training.steps={steps}", "training.checks=6", *MODELS[name]]
    began = time.process_time()
    forecaster = rheos.fit(source, case.horizon, words=[*case.words, *said])
    took = round(time.process_time() - began, 1)
    cards = {s: scored(forecaster, source, chosen) for s, chosen in samplers(name, forecaster).items()}
    history = forecaster.model.history
    fitted = {"steps": history.steps, "best_step": history.best_step, "held_out": history.scores}
    calibrated = history.calibration.get("note", "")
    return {"words": said, **fitted, "fit_cpu_seconds": took, "calibration": calibrated}, cards


def _told(sampler: str, card: Scorecard, twin: np.ndarray) -> dict[str, Any]:
    """The figures of one sampler."""
    scores = card.scores()["rheos"]
    return {
        "name": sampler,
        "evaluations": int(sampler.split()[-1]),
        "gain": list(skill(card.per_window("rheos"), twin)),
        **{key: scores[key] for key in ("crps", "coverage_90", "spread_skill")},
    }


def run(data: Path, steps: int, results: Path) -> None:
    """Measure the sets whose files are there, on one thread; figures are kept as they come."""
    torch.set_num_threads(1)
    keep_large_buffers()
    there = [name for name in SETS if (data / CASES[name].file).exists()]
    for name in set(SETS) - set(there):
        sys.stderr.write(f"{name}: {data / CASES[name].file} is absent, skipped\n")
    figures: dict[str, Any] = {"steps": steps, "members": MEMBERS, "sets": {name: {} for name in there}}
    twins: dict[str, np.ndarray] = {}
    for model in MODELS:
        for name in there:
            fitted, cards = measured(CASES[name], data, model, steps)
            if model == TWIN:
                twins[name] = cards[f"solver, {MANY}"].per_window("rheos")
            rows = [_told(sampler, card, twins[name]) for sampler, card in cards.items()]
            figures["sets"][name][model] = {**fitted, "windows": len(twins[name]), "samplers": rows}
            write_json(results / "few.json", figures)
            sys.stderr.write(f"{name}, {model}: measured\n")


def section(figures: dict[str, Any]) -> str:
    """The section of the page."""
    lines = [
        "## One and two evaluations",
        "",
        f"The default recipe, and the same with one option more, {figures['steps']} training steps each; one",
        "of a flow map takes about twice the time. Ensembles are calibrated, windows and keys the same, of",
        f"{figures['members']} members. CRPS is in standard deviations, its gain over the default at {MANY}",
        "evaluations with a 90 % interval.",
        "`euler` is DDIM, `solver` asks a flow map as the denoiser that it also is.",
        "",
        "| set | model | sampler, evaluations | CRPS | gain over the default at 25 | coverage of 90 % |",
        "| --- " * 6 + "|",
    ]
    for name, models in figures["sets"].items():
        for model, found in models.items():
            for one in found["samplers"]:
                value, low, high = one["gain"]
                said = " ".join(f"`{word}`" for word in MODELS[model]) or model
                cells = [f"{name}, {found['windows']} windows", said, one["name"], f"{one['crps']:.4f}"]
                cells += [f"{value:+.1%} ({low:+.1%} to {high:+.1%})", f"{one['coverage_90']:.3f}"]
                lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_verdicts(figures)]
    lines += ["```sh", f"python -m benchmarks few page --steps {figures['steps']}", "```", ""]
    return "\n".join(lines)


def _verdicts(figures: dict[str, Any]) -> list[str]:
    """Whether 1 and 2 evaluations are within 10 % of the twin, and the twin within 3 % of the default."""
    lines = []
    for name, models in figures["sets"].items():
        told = [
            f"{model} {one['evaluations']}: {-one['gain'][0]:+.1%}"
            for model, found in models.items()
            for one in found["samplers"]
            if model != TWIN and one["evaluations"] <= 2
        ]
        own = {one["name"]: one["crps"] for one in models[TWIN]["samplers"]}
        off = own[f"solver, {MANY}"] / own["as shipped, 20"] - 1.0
        lines += [
            f"On {name}, CRPS against the default's at {MANY} evaluations (bound +10 %): {', '.join(told)}; "
            f"that against the default's as shipped (bound +3 %): {off:+.1%}.",
            "",
        ]
    return lines
