"""What it gains that an anchor's scale follows a window's history: its own Gaussian, with it and without.

No network is trained: the ridge is fitted on the training span less its held-out blocks, and
N(center, scale^2) is scored on these by the closed form of the CRPS, a mean over leads and windows.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import skill
from rheos.core.files import write_json
from rheos.data.anchor.base import some
from rheos.data.codec import Chain
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.forecast.forecaster import options, reading
from rheos.forecast.held_out import split
from rheos.forecast.recipe import make_recipe

SETS = ("m4_hourly", "vic_elec", "nyc_taxi", "ETTh1", "exchange")
_MOST = 400


def run(data: Path, results: Path) -> None:
    """Measure the sets that are there."""
    found = {
        name: measure(skill.CASES[name], data) for name in SETS if (data / skill.CASES[name].file).exists()
    }
    write_json(results / "unrest.json", found)


def measure(case: skill.Case, data: Path) -> dict:
    """CRPS by variable without and with it, and the powers that the training windows gave."""
    given = dict(options(None, list(case.words)))
    dataset = read(f"{data / case.file}{case.part}", reading(given))
    recipe = make_recipe(dataset, case.horizon, given | {"holdout": case.holdout})
    known = dataset.until(case.holdout)
    windows = WindowSource(known, recipe.window, Chain(links=recipe.codec).fit(known))
    first, second = split(windows, recipe.validation)
    anchor = recipe.anchor.fit(windows, first)
    batch = windows.batch(some(second, _MOST))
    away = batch.future.astype(np.float64) - anchor.future(batch)
    scores = {
        name: np.nanmean(gaussian_crps(away, one.spread(batch)), axis=(0, 1)).tolist()
        for name, one in (("without", replace(anchor, unrest=None)), ("with", anchor))
    }
    powers = [0.0] * len(scores["with"]) if anchor.unrest is None else anchor.unrest.power.tolist()
    sys.stderr.write(f"{case.file}: measured\n")
    return {"variables": list(dataset.layout.channels), "powers": powers, **scores}


def gaussian_crps(away: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), z = away / s (Gneiting and Raftery 2007, eq. 21)."""
    from scipy.stats import norm

    z = away / scale
    return scale * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


def section(found: dict) -> str:
    """The section of the page."""
    lines = [
        "## Scales that follow a window's history",
        "",
        "CRPS of the anchor's own Gaussian on held-out blocks of the training span, in coded units, with no",
        "network: mean over variables without and with the scale's unrest, the gains from least to greatest",
        "over the variables that it acts on, and how many those are.",
        "",
        "| set | without | with | gain | on |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, one in found.items():
        gains = [
            1 - w / o for w, o, p in zip(one["with"], one["without"], one["powers"], strict=True) if p > 0
        ]
        told = f"{min(gains):+.1%} to {max(gains):+.1%}" if gains else "none"
        means = (f"{np.mean(one[which]):.4f}" for which in ("without", "with"))
        lines.append(f"| {name} | {' | '.join(means)} | {told} | {len(gains)} of {len(one['powers'])} |")
    return "\n".join([*lines, "", "```sh", "python -m benchmarks unrest page", "```", ""])
