"""Damped persistence of anomalies: x_{o+h} = c_{phase(o+h)} + r_h (x_{o-1} - c_{phase(o-1)}), h = 0, 1, ...

c is the mean of every cell and calendar phase over the training span. With the anomaly a = x - c the damping
r_h = sum a_{o+h} a_{o-1} / sum a_{o-1}^2 is the least-squares one, every cell and lead for itself, without
intercept. For an AR(1) about a cycle this is the conditional mean, r_h = phi^{h+1}. The usual reference of
monthly and seasonal forecasts (van den Dool, "Empirical Methods in Short-Term Climate Prediction", 2007,
ch. 8). Residual paths are added as for every rule.

The season is the period of lowest generalized cross-validation, RSS / (n - p)^2, or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rheos.baseline.history import last_observed
from rheos.baseline.method import PathBaseline
from rheos.baseline.paths import PathEnsemble, Span, check
from rheos.baseline.phase import first_number
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Recording

_FEWEST_CYCLES = 3  # of a period, or its phases' means are those of single frames


@dataclass(frozen=True, slots=True)
class Damping:
    """The rule in anomalies: the last one, damped by lead.

    Attributes:
        factor: `(horizon, columns)`.
    """

    factor: np.ndarray
    warmup: int = 1
    period: int = 1

    def center(self, history: np.ndarray, horizon: int, columns: np.ndarray) -> np.ndarray:
        """Damp the last anomaly seen."""
        return self.factor[:, columns] * last_observed(history)


def phase_means(values: np.ndarray, phase: np.ndarray, season: int) -> np.ndarray:
    """Mean of every phase `(season, columns)`; a phase never seen has the column's mean, NaN where unseen.

    Args:
        values: `(frames, columns)`, NaN missing.
        phase: `(frames,)` of 0 ... season - 1.
        season: phases.
    """
    seen = np.isfinite(values)
    total, count = np.zeros((season, values.shape[1])), np.zeros((season, values.shape[1]))
    np.add.at(total, phase, np.where(seen, values, 0.0))
    np.add.at(count, phase, seen)
    all_frames = np.divide(
        total.sum(0), count.sum(0), out=np.full(values.shape[1], np.nan), where=count.sum(0) > 0
    )
    return np.divide(total, count, out=np.tile(all_frames, (season, 1)), where=count > 0)


def damping(anomaly: np.ndarray, horizon: int) -> np.ndarray:
    """Least-squares factor of every lead and column `(horizon, columns)`; 0 where nothing varies."""
    factor = np.zeros((horizon, anomaly.shape[1]))
    for lead in range(min(horizon, len(anomaly) - 1)):
        before, after = anomaly[: len(anomaly) - lead - 1], anomaly[lead + 1 :]
        both = np.isfinite(before) & np.isfinite(after)
        square = np.where(both, before, 0.0) ** 2
        product = np.where(both, before * after, 0.0)
        below = square.sum(0)
        np.divide(product.sum(0), below, out=factor[lead], where=below > 0)
    return factor


def best_season(spans: Sequence[Span], periods: Sequence[int]) -> int:
    """The period whose phase means serve best by generalized cross-validation, or 1."""
    shortest = min(len(span.values) for span in spans)
    usable = [1, *(p for p in periods if p > 1 and shortest >= _FEWEST_CYCLES * p)]
    costs = []
    for season in usable:
        cost = 0.0
        for span in spans:
            phase = (span.number + np.arange(len(span.values))) % season
            rest = (span.values - phase_means(span.values, phase, season)[phase]) / span.scale
            cost += np.nansum(rest**2) / (len(span.values) - season) ** 2
        costs.append(cost)
    return usable[int(np.argmin(costs))]


@dataclass(frozen=True, slots=True)
class FittedDampedAnomaly:
    """Climatologies, and the damped anomalies about them.

    Attributes:
        season: frames after which the phase repeats, 1 for none.
        climatology: `(season, columns)` of every recording, by name.
        anomalies: the rule in anomalies with its residual paths.
    """

    season: int
    climatology: dict[str, np.ndarray]
    anomalies: PathEnsemble

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """As :meth:`rheos.baseline.method.FittedBaseline.forecast`."""
        check(self.anomalies.spans, recording, origin)
        known, frequency = recording.until(origin), self.anomalies.frequency
        means, number = self.climatology[recording.name], first_number(recording.stamps, frequency)
        ahead = means[(number + origin + np.arange(self.anomalies.horizon)) % self.season]
        made = self.anomalies.forecast(about(known, means, number), origin, key)
        return (made + ahead.reshape(made.shape[1:])).astype(recording.values.dtype)


def about(recording: Recording, means: np.ndarray, number: int) -> Recording:
    """A recording's anomalies about its climatology `(season, columns)`; its first frame has that number."""
    phase = (number + np.arange(len(recording))) % len(means)
    return replace(recording, values=recording.values - means[phase].reshape(recording.values.shape))


class DampedAnomaly(PathBaseline):
    """Climatology plus the damped anomaly of now, each cell and lead for itself, with residual paths."""

    kind: Literal["damped_anomaly"] = "damped_anomaly"

    def fit(self, dataset: Dataset, horizon: int) -> FittedDampedAnomaly:
        """See :class:`rheos.baseline.method.Baseline`."""
        frequency = dataset.layout.frequency
        raw = [Span.of(recording, frequency) for recording in dataset.recordings]
        season = best_season(raw, dataset.layout.periods)
        means, spans, rules = {}, [], []
        for recording, span in zip(dataset.recordings, raw, strict=True):
            phase = (span.number + np.arange(len(span.values))) % season
            means[span.name] = phase_means(span.values, phase, season)
            spans.append(Span.of(about(recording, means[span.name], span.number), frequency))
            rules.append(Damping(damping(spans[-1].values, horizon)))
        return FittedDampedAnomaly(
            season, means, PathEnsemble.fit(dataset, horizon, spans, rules, self.recent)
        )
