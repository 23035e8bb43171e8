"""A scorecard as text."""

from rheos.evaluation.scorecard import Scorecard

COLUMNS = ("crps", "wql", "crps_sum", "rmse", "coverage_90", "spread_skill")


def table(card: Scorecard) -> str:
    """Rows of forecasters, best CRPS first, then the verdict; CRPS and RMSE in training deviations."""
    scores = card.scores()
    names = sorted(scores, key=lambda name: scores[name]["crps"] or float("inf"))
    width = max(len(name) for name in names)
    lines = [" " * width + "".join(f"{column:>14}" for column in COLUMNS)]
    for name in names:
        cells = (scores[name][column] for column in COLUMNS)
        lines.append(f"{name:<{width}}" + "".join(f"{'-' if c is None else f'{c:.4f}':>14}" for c in cells))
    spent = f"{card.members} members, {card.evaluations} network evaluations, {card.seconds:.1f} s"
    return "\n".join([*lines, "", card.verdict, spent])
