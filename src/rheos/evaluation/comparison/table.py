"""A comparison as text: one table, what each forecaster's reader should know, the verdict."""

from collections.abc import Callable

import numpy as np

from rheos.evaluation.comparison.comparison import Comparison
from rheos.evaluation.comparison.settings import SCORES
from rheos.score import Interval

Row = tuple[str, ...]


def _heads(found: Comparison) -> Row:
    return (
        "method", SCORES[found.score], "sd of seeds", "cover 90 %", "spread/skill",
        "gain on best other (90 %)", f"gain on {found.reference} (90 %)",
        "fit s", "forecast s", "evaluations", "peak MiB",
    )  # fmt: skip


def _shown(value: float | None, form: Callable[[float], str] = "{:.4f}".format) -> str:
    return "-" if value is None or not np.isfinite(value) else form(value)


def _interval(gain: Interval | None) -> str:
    if gain is None or not np.isfinite(gain.value):
        return "-"
    if not np.isfinite(gain.low):
        return f"{gain.value:+.1%}"
    return f"{gain.value:+.1%} ({gain.low:+.1%} to {gain.high:+.1%})"


def rows(found: Comparison) -> list[Row]:
    """One row a forecaster, lowest score first."""
    made: list[Row] = []
    for name in found.ranking:
        scores, cost, other = found.scores(name), found.cost(name), found.best_other(name)
        peak = cost["peak_bytes"]
        made.append(
            (
                name,
                _shown(found.value(name)),
                _shown(found.spread_over_seeds(name)),
                _shown(scores["coverage_90"], "{:.3f}".format),
                _shown(scores["spread_skill"], "{:.2f}".format),
                _interval(None if other is None else found.gain(name, other)),
                _interval(None if name == found.reference else found.gain(name, found.reference)),
                _shown(cost["training_seconds"], "{:.1f}".format),
                _shown(cost["forecast_seconds"], "{:.1f}".format),
                _shown(cost["evaluations"], "{:.0f}".format),
                _shown(None if peak is None else peak / 2**20, "{:.0f}".format),
            )
        )
    return made


def remarks(found: Comparison) -> list[str]:
    """What was compared on, and each forecaster's limits and notes."""
    task, seeds = found.task, max(len(results) for results in found.results.values())
    recordings = len(task.dataset.recordings)
    sequences = f" of {recordings} sequences" if recordings > 1 else ""
    unit = " in training standard deviations" if found.score == "crps" else ""
    lines = [
        f"{SCORES[found.score]}{unit}, lower is better; {task.windows} window(s){sequences} of "
        f"{task.horizon} frames, {task.members} members, {seeds} seed(s)."
    ]
    return lines + [f"{name}: {'; '.join(notes)}." for name in found.ranking if (notes := found.notes(name))]


def text(found: Comparison) -> str:
    """For the terminal."""
    lines = [_heads(found), *rows(found)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    shown = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*shown, "", *remarks(found), found.verdict])


def markdown(found: Comparison) -> str:
    """For table.md."""
    heads = _heads(found)
    lines = [heads, ("---",) * len(heads), *rows(found)]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*table, "", *(f"- {line}" for line in remarks(found)), "", found.verdict, ""])
