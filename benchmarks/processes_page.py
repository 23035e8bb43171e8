"""The section on processes, and the table of the guide in docs/tasks/process.md, from the kept figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from benchmarks.processes import ARMS, DEFAULT, WHOLE
from rheos.core.files import read_json, write_text
from rheos.score.bootstrap import skill

Study = dict[str, Any]
BEGIN = "<!-- measured: `python -m benchmarks page` writes what follows -->"
END = "<!-- end of what was measured -->"
BETTER, WORSE, SAME = "better", "worse", "not told apart"


@dataclass(frozen=True)
class Gain:
    """By how much an arm is better than its rival: 1 - its score / the rival's, scores averaged over seeds.

    Attributes:
        value: the gain.
        low: end of its 90 % interval.
        high: the other end.
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Better or worse where the interval leaves zero out."""
        if self.low > 0.0:
            return BETTER
        return WORSE if self.high < 0.0 else SAME

    def __str__(self) -> str:
        mark = {BETTER: "**", WORSE: "_", SAME: ""}[self.verdict]
        return f"{mark}{self.value:+.1%}{mark} ({self.low:+.1%} to {self.high:+.1%})"


def gain(study: Study, arm: str, rival: str, score: str = "crps") -> Gain | None:
    """An arm against another by the seeds that both have; None where these are fewer than two.

    Windows and seeds are both a sample. The ends by windows are those of the block bootstrap of scores
    averaged over seeds, those by seeds Student's of the gains of single seeds; their distances from the
    gain add up as squares, which counts twice what is of neither alone and is the wider for it.
    """
    ours, theirs = (study["arms"].get(name, {}) for name in (arm, rival))
    seeds = sorted(set(ours) & set(theirs))
    if len(seeds) < 2:
        return None
    rows = [np.array([by_seed[s][score] for s in seeds]) for by_seed in (ours, theirs)]
    value, *ends = skill(rows[0].mean(0), rows[1].mean(0))
    each = 1.0 - rows[0].mean(1) / rows[1].mean(1)
    by_seeds = t.ppf(0.95, len(seeds) - 1) * each.std(ddof=1) / np.sqrt(len(seeds))
    low, high = (float(np.hypot(end - value, by_seeds)) for end in ends)
    return Gain(value, value - low, value + high)


def arm_of(*words: str) -> str:
    """The name of the arm that adds these words, in any order."""
    return next(name for name, added in ARMS.items() if set(added) == set(words))


SHARED: dict[str, tuple[str, ...]] = {
    "clean history": (),
    "clean history, no anchor": ("anchor=none",),
    "diffused history": ("process.history=diffused",),
    "diffused history, no anchor": ("process.history=diffused", "anchor=none"),
}
"""What floors are compared under."""
SCORES = {"crps": "CRPS", "energy": "energy score"}
FLOORS = {"0.7": ("process.floor=0.7",), "0.5": ()}


def section(studies: list[Study]) -> str:
    """The section of the page."""
    small, whole = by_network(studies)
    members = ", ".join(f"{s['name']} {s['members']}" for s in studies)
    lines = [
        "## Processes",
        "",
        "The same recipe but for the words named: a small backbone, the same number of training steps,",
        "preset `balanced` (20 evaluations), the same windows and keys, not calibrated. Scores are fair,",
        "in deviations of the training span: CRPS, and the energy score of a window's path as one vector,",
        "which also sees how frames go together. They are averaged over seeds. Intervals are 90 %: that",
        "of a paired block bootstrap over windows, widened by Student's over seeds. A difference is",
        "**better** or _worse_ where its interval leaves zero out. No default of the process had been chosen",
        "on any of these windows; those of tables of `skill` lie before the ones that other defaults were",
        "judged on, those of elnino are the ones that samplers were compared on above. Budgets are small,",
        "so this says which process learns fastest, not which is best in the end.",
        "",
        *(f"- {s['name']}: {s['note']}; {_windows(s)} windows, `{' '.join(s['words'])}`" for s in studies),
        "",
        f"Members of an ensemble: {members}.",
        "",
        "What frame mixing gains over plain diffusion (`process=plain`, floor 1), all else the same:",
        "",
        *_frame_mixing(small),
        *_default_size(whole),
        *_spectra(small),
        *_all(small),
        *_told(studies),
        "```sh",
        "python -m benchmarks processes page",
        "```",
        "",
    ]
    return "\n".join(lines)


def _windows(study: Study) -> int:
    return len(next(iter(study["arms"][DEFAULT].values()))["crps"])


def _mean(study: Study, arm: str, score: str) -> float:
    return float(np.mean([np.mean(found[score]) for found in study["arms"][arm].values()]))


def pooled(gains: list[Gain]) -> Gain:
    """The mean over sets, which know nothing of each other: distances to the ends add up as squares."""
    value = float(np.mean([one.value for one in gains]))
    low = np.linalg.norm([one.value - one.low for one in gains]) / len(gains)
    high = np.linalg.norm([one.high - one.value for one in gains]) / len(gains)
    return Gain(value, value - float(low), value + float(high))


def _frame_mixing(studies: list[Study]) -> list[str]:
    """Gains of frame mixing over plain diffusion, all else the same."""
    heads = [f"floor {floor}: {score}" for score in SCORES.values() for floor in FLOORS]
    lines = [
        f"| set | history, anchor | plain: CRPS | {' | '.join(heads)} |",
        "| --- " * 7 + "|",
    ]
    for shared, words in SHARED.items():
        plain = arm_of("process=plain", *words)
        rows: list[list[Gain | None]] = []
        for study in studies:
            pairs = [(arm_of(*more, *words), score) for score in SCORES for more in FLOORS.values()]
            found = [gain(study, arm, plain, score) for arm, score in pairs]
            if any(found):
                cells = " | ".join("" if one is None else str(one) for one in found)
                lines.append(f"| {study['name']} | {shared} | {_mean(study, plain, 'crps'):.4f} | {cells} |")
                rows.append(found)
        columns = [[one for one in column if one is not None] for column in zip(*rows, strict=True)]
        if len(rows) > 1:
            cells = " | ".join(str(pooled(one)) if len(one) == len(rows) else "" for one in columns)
            lines.append(f"| mean of {len(rows)} sets | {shared} |  | {cells} |")
    return [*lines, ""]


def _default_size(studies: list[Study]) -> list[str]:
    """The same with the default network, and floors against each other."""
    if not studies:
        return []
    lines = ["The same with the default network and more steps, floor 0.7 against 0.5 below:", ""]
    lines += _frame_mixing(studies)
    for study in studies:
        told = (f"{gain(study, 'process.floor=0.7', DEFAULT, score)} in {SCORES[score]}" for score in SCORES)
        lines.append(f"- {study['name']}, floor 0.7 against 0.5: {', '.join(told)}.")
    return [*lines, ""]


def by_network(studies: Iterable[Study]) -> tuple[list[Study], list[Study]]:
    """Studies with small networks, and those with the default one."""
    small, whole = [], []
    for study in studies:
        (whole if study["name"].endswith(WHOLE) else small).append(study)
    return small, whole


def _spectra(studies: list[Study]) -> list[str]:
    """Spectrum errors of fields, the mean and range over seeds."""
    lines: list[str] = []
    for study in studies:
        rows = {
            arm: [found["spectrum"] for found in study["arms"][arm].values()]
            for arm in ARMS
            if "spectrum" in next(iter(study["arms"].get(arm, {}).values()), {})
        }
        if rows:
            lines += [
                f"Spectra on {study['name']}: mean over leads and wave numbers of |log10 of the ratio to the",
                "truth's|, its mean and range over seeds.",
                "",
                "| recipe | spectrum error | CRPS | energy score |",
                "| --- " * 4 + "|",
            ]
        for arm, errors in rows.items():
            scores = " | ".join(f"{_mean(study, arm, score):.4f}" for score in ("crps", "energy"))
            told = f"{np.mean(errors):.4f} ({min(errors):.4f} to {max(errors):.4f})"
            lines.append(f"| {_word(arm)} | {told} | {scores} |")
        lines += [""] if rows else []
    return lines


def _word(arm: str) -> str:
    return arm if arm == DEFAULT else f"`{arm}`"


def _all(studies: list[Study]) -> list[str]:
    """Every arm against the default, and what it took."""
    lines = [
        "Every recipe against the default (`dydiff`, floor 0.5, clean history, the data's own anchor), CRPS.",
        "With the default, in brackets, by how much its worst seed exceeds its best: smaller differences",
        "between single runs say nothing.",
        "",
        f"| recipe | {' | '.join(s['name'] for s in studies)} |",
        "| --- " * (len(studies) + 1) + "|",
    ]
    for arm in ARMS:
        found = [gain(study, arm, DEFAULT) for study in studies]
        if arm == DEFAULT:
            cells = [f"{_mean(s, arm, 'crps'):.4f} ({_seed_range(s):.1%})" for s in studies]
        elif any(found):
            cells = ["" if one is None else str(one) for one in found]
        else:
            continue
        lines.append(f"| {_word(arm)} | {' | '.join(cells)} |")
    return [*lines, ""]


def _seed_range(study: Study) -> float:
    means = [np.mean(found["crps"]) for found in study["arms"][DEFAULT].values()]
    return float(max(means) / min(means) - 1.0)


def _told(studies: list[Study]) -> list[str]:
    """The verdicts of frame mixing in sentences, seeds, calibration and cost."""
    lines = []
    for shared, words in SHARED.items():
        plain = arm_of("process=plain", *words)
        for floor, more in FLOORS.items():
            by = _by_verdict(studies, arm_of(*more, *words), plain)
            if by:
                told = "; ".join(f"{verdict} on {', '.join(names)}" for verdict, names in by.items())
                lines.append(f"- floor {floor} against plain diffusion, {shared}: {told}.")
    runs = [found for s in studies for by_seed in s["arms"].values() for found in by_seed.values()]
    untrained = sum(found["best_step"] == 0 for found in runs)
    seeds = sorted({len(by_seed) for s in studies for by_seed in s["arms"].values()})
    minutes = sum(found["cpu_seconds"] for found in runs) / 60
    lines += [
        "",
        f"Seeds of each: {' or '.join(map(str, seeds))}. Of {len(runs)} fits {untrained} kept the untrained",
        f"network, which held-out blocks found no worse; all took {minutes:.0f} minutes of one core.",
        "",
    ]
    return lines


def _by_verdict(studies: Iterable[Study], arm: str, rival: str) -> dict[str, list[str]]:
    """Names of the sets by verdict, those of no figures left out."""
    found: dict[str, list[str]] = {}
    for study in studies:
        one = gain(study, arm, rival)
        if one is not None:
            found.setdefault(one.verdict, []).append(study["name"])
    return {verdict: found[verdict] for verdict in (BETTER, WORSE, SAME) if verdict in found}


def guide(studies: list[Study]) -> list[str]:
    """The table of the guide: recipes from the greatest mean gain over the default to the least."""
    rows = {arm: {s["name"]: gain(s, arm, DEFAULT) for s in studies} for arm in ARMS if arm != DEFAULT}
    found = {arm: {name: one for name, one in row.items() if one is not None} for arm, row in rows.items()}
    told = {arm: row for arm, row in found.items() if row}
    lines = ["| recipe | better than the default | worse | not told apart |", "| --- " * 4 + "|"]
    for arm in sorted(told, key=lambda arm: -float(np.mean([one.value for one in told[arm].values()]))):
        cells = [
            ", ".join(f"{name} {one.value:+.1%}" for name, one in told[arm].items() if one.verdict == verdict)
            for verdict in (BETTER, WORSE, SAME)
        ]
        lines.append(f"| `{arm}` | {' | '.join(cells)} |")
    return lines


def write_guide(results: Path, page: Path) -> None:
    """Put the table between its marks on the guide's page."""
    studies = kept(results)
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    if studies:
        small, _ = by_network(studies)
        write_text(page, "\n".join([before + BEGIN, "", *guide(small), "", END + after]))


def kept(results: Path) -> list[Study]:
    """What was measured, by the name of the set."""
    return [read_json(path) for path in sorted(results.glob("processes-*.json"))]
