"""The comparison: who is better than whom, by how much, how sure that is, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rheos.evaluation.comparison.result import Result
from rheos.evaluation.comparison.settings import SCORES, Comparing
from rheos.evaluation.comparison.task import Task
from rheos.evaluation.scorecard import by_window
from rheos.evaluation.tally import Tally
from rheos.evaluation.verdict import verdict
from rheos.score import Interval, aggregate, flatness, mean_difference, skill


def score_by_window(tally: Tally, score: str, scale: np.ndarray) -> np.ndarray:
    """A score window by window, whose mean is the score of all: `(windows * recordings,)`.

    CRPS is in training standard deviations. The other two are ratios of sums: a window's share is its
    quantile loss over the mean magnitude of all windows, which is every forecaster's.
    """
    if score == "crps":
        return tally.per_window(scale)
    total = score == "crps_sum"
    losses = np.stack(tally.loss_of_sum if total else tally.loss).mean(1)
    return losses / np.mean(tally.magnitude_of_sum if total else tally.magnitude)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results of several forecasters on the same windows.

    Attributes:
        task: what they were given.
        results: of every forecaster, one a seed; the seeds' windows are averaged before anything is compared.
        limits: under which a forecaster took part, by name.
        settings: whom the verdict is about, whom all are compared with, and by what, among others.
    """

    task: Task
    results: Mapping[str, list[Result]]
    limits: Mapping[str, str]
    settings: Comparing

    @property
    def subject(self) -> str:
        """Whom the verdict is about."""
        return self.settings.subject or next(iter(self.results))

    @property
    def reference(self) -> str:
        """Whom all are compared with, beside the best other."""
        return self.settings.reference or self.subject

    @property
    def score(self) -> str:
        """What decides: "crps", "wql" or "crps_sum"."""
        return self.settings.score

    def per_window(self, name: str, score: str | None = None) -> np.ndarray:
        """Mean over seeds of a forecaster's score in each window."""
        rows = [score_by_window(r.tally, score or self.score, self.task.scale) for r in self.results[name]]
        return by_window(np.mean(rows, axis=0), self.task.windows)

    def value(self, name: str, score: str | None = None) -> float:
        """A forecaster's score, mean over windows and seeds."""
        return float(aggregate(self.per_window(name, score)))

    @property
    def ranking(self) -> list[str]:
        """Names, lowest score first; those without a score last."""
        return sorted(self.results, key=lambda name: (np.isnan(self.value(name)), self.value(name)))

    def best_other(self, name: str, score: str | None = None) -> str | None:
        """The best of the others; None where there is none."""
        means = {other: self.value(other, score) for other in self.results if other != name}
        found = {other: mean for other, mean in means.items() if np.isfinite(mean)}
        return min(found, key=lambda other: found[other]) if found else None

    def gain(self, name: str, other: str, score: str | None = None) -> Interval:
        """Skill of one against another with its 90 % paired block-bootstrap interval: 1 - mean / mean."""
        return skill(self.per_window(name, score), self.per_window(other, score))

    def difference(self, name: str, other: str, score: str | None = None) -> Interval:
        """Mean of one's score minus the other's with its interval; below zero throughout is a win."""
        return mean_difference(self.per_window(name, score), self.per_window(other, score))

    @property
    def verdict(self) -> str:
        """One sentence: is the subject better than the best other, and how sure is that."""
        other = self.best_other(self.subject)
        if other is None:
            return f"Nothing to compare {self.subject} with, so there is no verdict."
        gain = self.gain(self.subject, other)
        against = f"the best other, {other}"
        return verdict(gain, against, self.task.windows, self.subject, SCORES[self.score])

    def scores(self, name: str) -> dict[str, Any]:
        """A forecaster's set of scores, each a mean over seeds; null where one is missing."""
        channels = self.task.dataset.layout.channels
        sets = [result.tally.scores(channels, self.task.scale) for result in self.results[name]]
        return {key: _mean([scores[key] for scores in sets]) for key in sets[0]}

    def reliability(self, name: str) -> dict[str, Any]:
        """How far a forecaster's intervals and ranks can be trusted, windows of all seeds averaged.

        Returns:
            "coverage_90" with its 90 % block-bootstrap interval, and "flatness", how often chance alone would
            bend a flat rank histogram as much; null where there are too few windows.
        """
        tallies, windows = [result.tally for result in self.results[name]], self.task.windows
        shares = [[aggregate(window) for window in tally.covered] for tally in tallies]
        covered = by_window(np.mean(shares, axis=0), windows)
        bins = np.mean([tally.bins for tally in tallies], axis=0)
        if windows == len(covered):
            bins = bins.reshape(windows, -1, bins.shape[-1]).sum(1)
        found = mean_difference(covered, np.zeros(len(covered)))
        return {"coverage_90": [_number(x) for x in found], "flatness": _number(flatness(bins))}

    def spread_over_seeds(self, name: str) -> float | None:
        """Standard deviation over seeds of a forecaster's score; None for a single seed."""
        rows = [score_by_window(r.tally, self.score, self.task.scale) for r in self.results[name]]
        return float(np.std([aggregate(row) for row in rows], ddof=1)) if len(rows) > 1 else None

    def cost(self, name: str) -> dict[str, float | None]:
        """A forecaster's cost, each number a mean over seeds, the peak of memory the highest of them."""
        costs = [result.cost for result in self.results[name]]
        peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes is not None]
        return {
            "training_seconds": float(np.mean([cost.training_seconds for cost in costs])),
            "forecast_seconds": float(np.mean([cost.forecast_seconds for cost in costs])),
            "evaluations": float(np.mean([cost.evaluations for cost in costs])),
            "peak_bytes": max(peaks) if peaks else None,
        }

    def notes(self, name: str) -> list[str]:
        """Limits and remarks of a forecaster, each once."""
        said = [note for result in self.results[name] for note in result.notes]
        return list(dict.fromkeys(filter(None, [self.limits.get(name, ""), *said])))

    def to_dict(self) -> dict[str, Any]:
        """What `rheos compare --json` prints; numbers that do not exist are null."""
        return {
            "verdict": self.verdict,
            "score": self.score,
            "subject": self.subject,
            "reference": self.reference,
            "ranking": self.ranking,
            "task": self.task.identity(),
            "methods": {name: self._method(name) for name in self.ranking},
        }

    def _method(self, name: str) -> dict[str, Any]:
        scores = [s for s in SCORES if s != "crps_sum" or self.task.sums]
        return {
            "seeds": [result.seed for result in self.results[name]],
            "scores": self.scores(name),
            "reliability": self.reliability(name),
            "spread_over_seeds": self.spread_over_seeds(name),
            "against": {s: self._against(name, s) for s in scores},
            "cost": self.cost(name),
            "notes": self.notes(name),
            "per_window": {s: [_number(x) for x in self.per_window(name, s)] for s in scores},
        }

    def _against(self, name: str, score: str) -> dict[str, Any]:
        rivals = {"best_other": self.best_other(name, score)}
        if name != self.reference:
            rivals["reference"] = self.reference
        return {
            which: {
                "name": other,
                "gain": [_number(x) for x in self.gain(name, other, score)],
                "difference": [_number(x) for x in self.difference(name, other, score)],
            }
            for which, other in rivals.items()
            if other is not None
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: list[Any]) -> Any:
    if isinstance(values[0], dict):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    return None if any(value is None for value in values) else float(np.mean(values))
