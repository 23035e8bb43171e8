"""What each part of the default recipe gains: the recipe without it, on real tables, the same training steps.

Every arm is the default recipe but for some words, with the same steps of training, windows and keys. The
last frames of a set, those scored by `skill`, are passed over; an arm is scored on as many frames before
them. Fits are kept as they come, so that a measurement that was stopped goes on.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rheos
from benchmarks import skill
from benchmarks.processes import Study, of_skill, scores
from benchmarks.processes_page import Gain, gain
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import read_json, write_json
from rheos.score.bootstrap import skill as gain_of_windows

SETS = {"vic_elec": 3000, "nyc_taxi": 3200, "ETTh1": 700, "weather": 700, "exchange": 600}
"""Steps that take about five minutes on one idle core; they, not minutes, are the same for all arms."""
DEFAULT, FIRM, BARE = "default", "calibration.toward_anchor=false", "calibration=none"
ARMS: dict[str, str] = {
    DEFAULT: "",
    FIRM: "the way back to the anchor",
    BARE: "shift and scale",
    "anchor.memory=0": "the anchor's recent errors",
    "anchor=persistence": "the ridge",
    "lags=[]": "seasonal lags",
    "process=plain": "frame mixing",
    "training.averaging=0.001": "averaged weights",
    "process.floor=0.7": "mixing down to 0.5, in the place of 0.7",
}
"""What is added to the recipe, and what it then lacks; one fit serves the second and the third.

The way back to the anchor came when many of the others were measured: all but the first two lack it, too, and
are compared with the second.
"""


def study_of(name: str) -> Study:
    """What every arm is told of a set."""
    holdout = skill.CASES[name].holdout
    return of_skill(name, holdout, (f"holdout={holdout}", f"training.steps={SETS[name]}"), members=50)


def run(data: Path, names: Sequence[str], seeds: int, results: Path) -> None:
    """Measure what `results` lacks, on one thread, seed by seed, then arm by arm.

    Args:
        data: folder of the data sets.
        names: of the sets.
        seeds: of each arm.
        results: where figures are kept.
    """
    torch.set_num_threads(1)
    keep_large_buffers()
    for seed in range(seeds):
        for arm in ARMS:
            for name in names if arm != BARE else ():
                _measure(name, data, arm, seed, results / f"ablation-{name}.json")


def _measure(name: str, data: Path, arm: str, seed: int, file: Path) -> None:
    """One arm with one seed, unless the file has it."""
    study = study_of(name)
    told = {"name": name, "note": study.note, "horizon": study.horizon, "words": list(study.words)}
    told |= {"members": study.members}
    kept = read_json(file) if file.exists() else {**told, "arms": {}}
    if any(kept[key] != value for key, value in told.items()):
        raise SystemExit(f"{file} was measured with other settings; move it away to measure anew.")
    if str(seed) in kept["arms"].get(arm, {}):
        return
    dataset = study.data(data)
    if dataset is None:
        sys.stderr.write(f"{name}: its file is absent from {data}, skipped\n")
        return
    own = tuple(dict.fromkeys((FIRM, arm))) if arm != DEFAULT else ()
    forecaster = rheos.fit(dataset, study.horizon, words=(*study.words, *own, f"seed={seed}"))
    arms = {FIRM: True, BARE: False} if arm == FIRM else {arm: True}
    for one, calibrated in arms.items():
        found = scores(forecaster, study, dataset, calibrated)
        kept["arms"].setdefault(one, {})[str(seed)] = found
        sys.stderr.write(f"{name}, {one}, seed {seed}: {np.mean(found['crps']):.4f}\n")
    write_json(file, kept)


def section(found: list[dict[str, Any]]) -> str:
    """The section of the page."""
    names = [study["name"] for study in found]
    lines = [
        "## Ablation",
        "",
        "What the default recipe gains in CRPS over itself without a part, with the same steps of training,",
        "about five minutes on one idle core (training ends before where held-out scores rise):",
        "positive where the part helps. Intervals are 90 %: a paired block bootstrap over windows, where an",
        "arm has more than one seed widened by Student's over seeds; the number of seeds stands behind. The",
        "default is **better** or _worse_ where its interval leaves zero out; on one seed that is said of",
        "this seed alone. The frames scored by the table of skill are passed over: windows lie before them.",
        "From the second row on both sides keep all of the way from the anchor, which came last.",
        "",
        *(f"- {s['name']}: {s['note']}; `{' '.join(s['words'])}`, {s['members']} members" for s in found),
        "",
        f"| without | words | {' | '.join(names)} |",
        "| --- " * (2 + len(names)) + "|",
        f"| (CRPS of the default) | | {' | '.join(_mean(study) for study in found)} |",
    ]
    for arm, lacks in ARMS.items():
        if lacks and any(arm in study["arms"] for study in found):
            lines.append(f"| {lacks} | `{arm}` | {' | '.join(_gain(study, arm) for study in found)} |")
    return "\n".join([*lines, "", "```sh", "python -m benchmarks ablation page", "```", ""])


def _mean(study: dict[str, Any]) -> str:
    found = [np.mean(one["crps"]) for one in study["arms"].get(DEFAULT, {}).values()]
    return f"{np.mean(found):.4f}" if found else ""


def _gain(study: dict[str, Any], arm: str) -> str:
    """A cell: the gain, its interval and the number of seeds; empty where none was measured."""
    whole = DEFAULT if arm == FIRM else FIRM
    ours, theirs = study["arms"].get(whole, {}), study["arms"].get(arm, {})
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return ""
    one, other = (np.array(by_seed[seeds[0]]["crps"]) for by_seed in (ours, theirs))
    found = gain(study, whole, arm) or Gain(*gain_of_windows(one, other))
    return f"{found} x{len(seeds)}"
