"""The scorecard: scores of Rheos beside the baselines on the same windows, and the verdict."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rheos.evaluation.tally import Tally
from rheos.evaluation.verdict import verdict
from rheos.score import Interval, aggregate, skill

_FEWEST = 5  # windows below which recordings are evidence of their own


def by_window(scores: np.ndarray, windows: int) -> np.ndarray:
    """Pieces of evidence for a bootstrap: recordings of one window share their weather and are averaged.

    With fewer than 5 windows every window of every recording counts by itself.

    Args:
        scores: `(windows * recordings,)`, the recordings of a window side by side.
        windows: of each recording.
    """
    if windows < _FEWEST:
        return scores
    return np.asarray(aggregate(scores.reshape(windows, -1), axes=1))


@dataclass(slots=True, kw_only=True)
class Scorecard:
    """Scores on windows that no forecaster has seen.

    Attributes:
        tallies: scores by forecaster, "rheos" first.
        channels: names of the variables.
        scale: `(channel,)` standard deviation of each variable over the training span.
        init_times: stamp of the last known frame of each window, in order of time.
        windows: number of windows of each recording.
        members: size of every ensemble.
        evaluations: network calls made for Rheos' forecasts.
        seconds: seconds spent on them.
    """

    tallies: dict[str, Tally]
    channels: tuple[str, ...]
    scale: np.ndarray
    init_times: list[str] = field(default_factory=list)
    windows: int = 0
    members: int = 0
    evaluations: int = 0
    seconds: float = 0.0

    def per_window(self, name: str) -> np.ndarray:
        """CRPS of each window in training standard deviations; several recordings are averaged."""
        return by_window(self.tallies[name].per_window(self.scale), self.windows)

    @property
    def best_baseline(self) -> str:
        """The baseline of lowest CRPS."""
        means = {n: float(aggregate(self.per_window(n))) for n in self.tallies if n != "rheos"}
        return min(means, key=lambda name: means[name])

    @property
    def skill(self) -> Interval:
        """Skill against the best baseline with its 90 % paired block-bootstrap interval."""
        return skill(self.per_window("rheos"), self.per_window(self.best_baseline))

    @property
    def verdict(self) -> str:
        """One sentence: better than the best baseline or not, and how sure that is."""
        name = self.best_baseline.replace("_", " ")
        return verdict(self.skill, f"the best baseline, {name}", self.windows)

    def scores(self) -> dict[str, dict[str, Any]]:
        """All sets of scores by forecaster."""
        return {name: tally.scores(self.channels, self.scale) for name, tally in self.tallies.items()}

    def to_dict(self) -> dict[str, Any]:
        """What `rheos backtest --json` prints; numbers that do not exist are null."""
        value, low, high = (float(x) if np.isfinite(x) else None for x in self.skill)
        return {
            "scores": self.scores(),
            "skill": value,
            "skill_interval": [low, high],
            "best_baseline": self.best_baseline,
            "verdict": self.verdict,
            "windows": self.windows,
            "members": self.members,
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "per_window": {
                name: [float(x) if np.isfinite(x) else None for x in self.per_window(name)]
                for name in self.tallies
            },
            "init_times": self.init_times,
        }
