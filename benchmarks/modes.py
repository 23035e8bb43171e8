"""What a field's neighborhood and modes add to damped anomalies: the anchors' own Gaussians, with no network.

Half a year is forecast from each of the last origins before the frames that `skill` scores, by anchors fitted
on all that came before; N(center, scale^2) is scored by the closed form of the CRPS.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks import skill
from benchmarks.unrest import gaussian_crps
from rheos.core.files import write_json
from rheos.data.anchor import Anchor, DampedAnomaly, DampedModes
from rheos.data.codec import Chain
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.forecast.recipe import make_recipe
from rheos.score.bootstrap import skill as gain_of

SET, ORIGINS = "ersstv5", 8
RULE = "damped anomalies"
ARMS: dict[str, Anchor] = {
    RULE: DampedAnomaly(),
    "and a neighborhood": DampedModes(modes=0),
    "and modes": DampedModes(around=0.0),
    "and both": DampedModes(),
}


def run(data: Path, results: Path) -> None:
    """Measure, if the file is there."""
    case = skill.CASES[SET]
    if not (data / case.file).exists():
        sys.stderr.write(f"{SET}: {data / case.file} is absent, skipped\n")
        return
    known = read(data / case.file).until(case.holdout)
    found: dict[str, dict[str, list[list[float]]]] = {arm: {"crps": [], "square": []} for arm in ARMS}
    for number in range(ORIGINS, 0, -1):
        dataset = known.until((number - 1) * case.horizon)
        training = dataset.until(case.horizon)
        recipe = make_recipe(training, case.horizon, {})
        windows = WindowSource(training, recipe.window, Chain(links=recipe.codec).fit(training))
        source = WindowSource(dataset, recipe.window, windows.codec)
        batch = source.batch(np.array([len(source) - 1]))
        for arm, config in ARMS.items():
            anchor = config.fit(windows, np.arange(len(windows)))
            away, scale = batch.future - anchor.future(batch), anchor.spread(batch)
            for name, values in (("crps", gaussian_crps(away, scale)), ("square", (away / scale) ** 2)):
                found[arm][name].append(np.nanmean(values, axis=(0, 2, 3, 4)).round(6).tolist())
    write_json(results / "modes.json", {"set": SET, "arms": found})


def section(found: dict) -> str:
    """The section of the page."""
    arms = {arm: np.array(rows["crps"]) for arm, rows in found["arms"].items()}
    count, leads = arms[RULE].shape
    lines = [
        "## Damped anomalies of a field, its neighborhood and its modes",
        "",
        f"CRPS of the anchor's own Gaussian on {found['set']}, with no network, in coded units: the {count}",
        f"half years before the frames that `skill` scores, each {leads} months ahead from all that came",
        "before. Gains over damped anomalies with 90 % intervals of a paired block bootstrap; width is the",
        "root mean square of errors in units of the scale, 1 where it is right. How many modes there are",
        "and how wide the neighborhood is was chosen on such half years.",
        "",
        "| anchor | CRPS | months 1 to 3 | months 4 to 6 | all | latest | width |",
        "| --- " * 7 + "|",
    ]
    for arm, rows in arms.items():
        parts = (slice(None, 3), slice(3, None), slice(None))
        gains = [gain_of(rows[:, part].mean(1), arms[RULE][:, part].mean(1)) for part in parts]
        told = [f"{g.value:+.1%} ({g.low:+.1%} to {g.high:+.1%})" for g in gains] if arm != RULE else [""] * 3
        last = "" if arm == RULE else f"{1 - rows[-1].mean() / arms[RULE][-1].mean():+.1%}"
        width = np.sqrt(np.mean(found["arms"][arm]["square"]))
        lines.append(f"| {arm} | {rows.mean():.4f} | {' | '.join(told)} | {last} | {width:.2f} |")
    return "\n".join([*lines, "", "```sh", "python -m benchmarks modes page", "```", ""])
