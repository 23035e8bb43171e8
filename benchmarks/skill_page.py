"""The sections on skill of docs/benchmarks.md, from what `python -m benchmarks skill` measured."""

from typing import Any

COLUMNS = (
    "rheos",
    "persistence",
    "seasonal",
    "climatology",
    "lag_ridge",
    "auto_ets",
    "auto_arima",
    "deep_ar",
    "patch_tst",
    "random_walk",
    "damped_anomaly",
)
SCORES = {"crps": "CRPS", "wql": "wql", "crps_sum": "CRPS-sum"}
ALSO_SUMS = ("los_loop", "solar_fl", "exchange")
ENOUGH = 28
"""Windows from which on reliability has a bound."""

Row = dict[str, Any]


def section(skills: list[Row]) -> str:
    """Skill, reliability, effort and commands of all sets that were measured."""
    parts = [*_skill(skills), *_against(skills), *_behind(skills), *_reliability(skills), *_effort(skills)]
    return "\n".join([*parts, *_commands(skills)])


def _value(row: Row, name: str, score: str) -> float | None:
    method = row["methods"].get(name)
    return None if method is None else method["scores"][score]


def _skill(skills: list[Row]) -> list[str]:
    lines = [
        "## Skill",
        "",
        f"| set | score | {' | '.join(name.replace('_', ' ') for name in COLUMNS)} |",
        "| --- " * (len(COLUMNS) + 2) + "|",
    ]
    for row in skills:
        scores = [row["score"], *(["crps_sum"] if row["name"] in ALSO_SUMS else [])]
        for score in scores:
            values = [_value(row, name, score) for name in COLUMNS]
            best = min(v for v in values if v is not None)
            cells = ["" if v is None else _bold(v, best) for v in values]
            lines.append(f"| {row['name']} | {SCORES[score]} | {' | '.join(cells)} |")
    return [*lines, ""]


def _bold(value: float, best: float) -> str:
    text = f"{value:.4f}" if value >= 0.01 else f"{value:.5f}"
    return f"**{text}**" if value == best else text


def _against(skills: list[Row]) -> list[str]:
    """Against the best other of each set: gain, interval, win, and how far behind at worst."""
    lines = [
        "Against the best other, paired block bootstrap; a win is an interval above zero:",
        "",
        "| set | score | best other | gain (90 %) | |",
        "| --- | --- | --- | --- | --- |",
    ]
    won, behind = [], []
    for row in skills:
        ours = row["methods"]["rheos"]["against"]
        for score in [row["score"], *(["crps_sum"] if row["name"] in ALSO_SUMS else [])]:
            other = ours[score]["best_other"]
            value, low, high = other["gain"]
            word = "" if low is None else "win" if low > 0 else "loss" if high < 0 else ""
            if score == row["score"]:
                won += [row["name"]] if word == "win" else []
            behind += [f"{row['name']} ({SCORES[score]}, {-value:.1%})"] if value < -0.03 else []
            interval = "too few windows" if low is None else f"{low:+.1%} to {high:+.1%}"
            lines.append(
                f"| {row['name']} | {SCORES[score]} | {other['name'].replace('_', ' ')} | {value:+.1%} "
                f"({interval}) | {word} |"
            )
    lines += [
        "",
        f"Wins over the best of all others: {len(won)} ({', '.join(won) or 'none'}). More than 3 % behind "
        f"anyone: {', '.join(behind) or 'nowhere'}.",
        "",
    ]
    return lines


def _behind(skills: list[Row]) -> list[str]:
    """For sets of several variables that are behind: on which of them, against the same other."""
    lines = []
    for row in skills:
        other = row["methods"]["rheos"]["against"][row["score"]]["best_other"]
        ours = row["methods"]["rheos"]["scores"]["crps_by_variable"]
        theirs = row["methods"][other["name"]]["scores"]["crps_by_variable"]
        if other["gain"][0] >= 0 or len(ours) < 2:
            continue
        ratios = {name: ours[name] / theirs[name] for name in ours if ours[name] and theirs[name]}
        worse = sorted((n for n in ratios if ratios[n] > 1), key=lambda n: -ratios[n])
        worst = ", ".join(f"{name} ({ratios[name]:.2f})" for name in worse[:8])
        lines += [
            f"On {row['name']} it is ahead on {len(ratios) - len(worse)} of {len(ratios)} variables and "
            f"behind, as a ratio of CRPS to that of {other['name'].replace('_', ' ')}, on: {worst}.",
            "",
        ]
    return lines


def _reliability(skills: list[Row]) -> list[str]:
    lines = [
        "## Reliability",
        "",
        "Of the default recipe; the interval of the coverage is by block bootstrap, `flat` says how often "
        f"chance alone would bend a flat rank histogram as much. Bounds from {ENOUGH} windows on: coverage "
        "0.87 to 0.93, spread / skill 0.85 to 1.15, flat 0.01 and more; with fewer the interval holds 0.90.",
        "",
        "| set | windows | coverage of 90 % (90 %) | spread / skill | flat | within |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in skills:
        ours, windows = row["methods"]["rheos"], row["task"]["windows"]
        (value, low, high), flat = ours["reliability"]["coverage_90"], ours["reliability"]["flatness"]
        ratio = ours["scores"]["spread_skill"]
        if windows >= ENOUGH:
            bounds = {
                "coverage": 0.87 <= value <= 0.93,
                "spread": 0.85 <= ratio <= 1.15,
                "flat": flat is not None and flat >= 0.01,
            }
            missed = [name for name, within in bounds.items() if not within]
            verdict = f"no: {', '.join(missed)}" if missed else "yes"
        else:
            verdict = "" if low is None else "yes" if low <= 0.9 <= high else "no: coverage"
        interval = "too few" if low is None else f"{low:.3f} to {high:.3f}"
        told = "" if flat is None else f"{flat:.3f}"
        lines.append(
            f"| {row['name']} | {windows} | {value:.3f} ({interval}) | {ratio:.2f} | {told} | {verdict} |"
        )
    return [*lines, ""]


def _effort(skills: list[Row]) -> list[str]:
    lines = [
        "## Effort",
        "",
        "Seconds from data to fitted method, and of all forecasts of the set; peak memory of the process.",
        "",
        "| set | rheos: steps (best) | fit s | forecasts s | peak MiB | others: fit s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in skills:
        cost, model = row["methods"]["rheos"]["cost"], row["model"]
        peak = "" if cost["peak_bytes"] is None else f"{cost['peak_bytes'] / 2**20:.0f}"
        others = ", ".join(
            f"{name.replace('_', ' ')} {method['cost']['training_seconds']:.0f}"
            for name, method in row["methods"].items()
            if name != "rheos" and method["cost"]["training_seconds"] >= 1
        )
        lines.append(
            f"| {row['name']} | {model['steps']} ({model['best_step']}) | {cost['training_seconds']:.0f} | "
            f"{cost['forecast_seconds']:.0f} | {peak} | {others} |"
        )
    machines = {(s["machine"], s["threads"]) for s in skills}
    return [*lines, "", *(f"Machine: {m}, {t} thread(s) a set." for m, t in sorted(machines)), ""]


def _commands(skills: list[Row]) -> list[str]:
    lines = ["## Commands", ""]
    for row in skills:
        left = f"; not run: {', '.join(row['left_out'])}" if row["left_out"] else ""
        lines += [
            f"{row['name']}: {row['note']} (data `{row['task']['fingerprint']}`, seed 0{left})",
            "",
            "```sh",
            row["command"],
            "```",
            "",
        ]
    notes: dict[tuple[str, str], list[str]] = {}
    for row in skills:
        for name, method in row["methods"].items():
            if name != "rheos" and method["notes"]:
                notes.setdefault((name.replace("_", " "), method["notes"][0]), []).append(row["name"])
    lines += ["Limits of the peers:", ""]
    lines += [f"- {name} ({', '.join(sets)}): {note}" for (name, note), sets in sorted(notes.items())]
    return [*lines, ""]
