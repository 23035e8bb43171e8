"""A rule and its residual paths: X_m = rule(history) + [y - rule](whole horizon at training origin o_m).

The origins o_m are those of the forecast's own phase. A path carries all channels, cells and leads of one
origin together, so the ensemble keeps the dependence that the rule leaves behind. Which period defines
the phase is chosen on the training span, by the fair CRPS of earlier origins' paths; of the phase's
origins the latest 100 count, so that a season long gone does not. Paths are made when needed; what is
stored is the training span itself.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from rheos.baseline.phase import first_number
from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.data.dataset import Dataset, Recording
from rheos.score.crps import crps
from rheos.score.entries import aggregate

_CYCLES_BACK = 4
_SHORTEST_REACH = 64
_FEWEST_PATHS = 2
_FILLS = 8


class Rule(Protocol):
    """A point forecast of one sequence."""

    @property
    def warmup(self) -> int:
        """Frames of history without which there is no forecast."""
        ...

    @property
    def period(self) -> int:
        """The longest period it looks back on, 1 for none."""
        ...

    def center(self, history: np.ndarray, horizon: int, columns: np.ndarray) -> np.ndarray:
        """Forecast `(horizon, len(columns))` from `(frames, len(columns))`; NaN where nothing is known."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """The training span of one sequence, features flattened to columns.

    Attributes:
        name: of the sequence.
        values: `(frames, columns)`, a view of the recording's.
        number: of its first frame (:func:`rheos.baseline.phase.first_number`).
        mean: `(columns,)`, NaN where a column never was observed.
        scale: standard deviation `(columns,)`, 1 where it is 0 or unknown.
    """

    name: str
    values: np.ndarray
    number: int
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, recording: Recording, frequency: str | None) -> "Span":
        """Flatten a recording and take its moments."""
        values = recording.values.reshape(len(recording), -1)
        seen = ~np.isnan(values)
        count = seen.sum(0)
        safe = np.maximum(count, 1)
        mean = np.where(seen, values, 0).sum(0, dtype=np.float64) / safe
        square = (np.where(seen, values - mean, 0) ** 2).sum(0) / safe
        return cls(
            recording.name,
            values,
            first_number(recording.stamps, frequency),
            np.where(count > 0, mean, np.nan),
            np.where(square > 0, np.sqrt(square), 1.0),
        )

    def origins(self, warmup: int, horizon: int) -> np.ndarray:
        """Indices of first future frames whose future lies inside the span and is observed for half or more.

        Raises:
            InputError: there is none.
        """
        first = np.arange(warmup, len(self.values) - horizon + 1)
        alive = np.isfinite(self.mean)
        share = (~np.isnan(self.values)).sum(1) / max(alive.sum(), 1)
        total = np.concatenate(([0.0], np.cumsum(share)))
        kept = first[total[first + horizon] - total[first] >= 0.5 * horizon]
        if len(kept) == 0:
            raise InputError(
                f"the training span of sequence {self.name!r} has {len(self.values)} frames, in which no "
                f"future of {horizon} frames after {warmup} of history is observed for half or more; give "
                "more data or a smaller --horizon."
            )
        return kept


@dataclass(frozen=True, slots=True)
class PathEnsemble:
    """A fitted baseline: rules, training spans and the period that defines their phase.

    Attributes:
        horizon: frames to forecast.
        frequency: of the frames.
        spans: training span of every sequence, by name.
        rules: rule of every sequence, by name.
        phase_period: frames after which the phase repeats; 1: all origins are alike.
        recent: how many of the latest origins of a phase are used; where all are alike, all are.
    """

    horizon: int
    frequency: str | None
    spans: dict[str, Span]
    rules: dict[str, Rule]
    recent: int
    phase_period: int = 1

    @classmethod
    def fit(
        cls, dataset: Dataset, horizon: int, spans: Sequence[Span], rules: Sequence[Rule], recent: int
    ) -> "PathEnsemble":
        """Put rules and spans together and choose the phase.

        Raises:
            InputError: a span has no origin to take a path from.
        """
        for span, rule in zip(spans, rules, strict=True):
            span.origins(rule.warmup, horizon)
        names = [span.name for span in spans]
        ensemble = cls(
            horizon,
            dataset.layout.frequency,
            dict(zip(names, spans, strict=True)),
            dict(zip(names, rules, strict=True)),
            recent,
        )
        return replace(ensemble, phase_period=choose_phase(ensemble, dataset.layout.periods))

    def center(self, name: str, values: np.ndarray, origin: int, columns: np.ndarray) -> np.ndarray:
        """The rule's forecast `(horizon, columns)` from what precedes it, the mean as last resort."""
        rule = self.rules[name]
        reach = max(_SHORTEST_REACH, self.horizon) + _CYCLES_BACK * rule.period
        history = values[max(0, origin - reach) : origin, columns]
        forecast = rule.center(history, self.horizon, columns)
        return np.where(np.isnan(forecast), self.spans[name].mean[columns], forecast)

    def pool(self, name: str, number: int, period: int, end: int | None = None) -> np.ndarray:
        """Training origins, up to `end`, of the phase of frame `number`; all where the phase has none."""
        span = self.spans[name]
        origins = span.origins(self.rules[name].warmup, self.horizon)
        origins = origins if end is None else origins[origins <= end]
        alike = origins[(span.number + origins - number) % period == 0]
        if period == 1 or len(alike) == 0:
            return origins
        return alike[-self.recent :]

    def path(self, name: str, pool: np.ndarray, index: int, columns: np.ndarray) -> np.ndarray:
        """Residuals `(horizon, columns)` after one origin of the pool; gaps come from the next origins."""
        span = self.spans[name]
        out = self._residual(span, int(pool[index]), columns)
        alive = np.isfinite(span.mean[columns])
        for step in range(1, min(_FILLS, len(pool))):
            if not np.isnan(out[:, alive]).any():
                return out
            other = self._residual(span, int(pool[(index + step) % len(pool)]), columns)
            out = np.where(np.isnan(out), other, out)
        return np.where(np.isnan(out) & alive, 0.0, out)

    def _residual(self, span: Span, origin: int, columns: np.ndarray) -> np.ndarray:
        future = span.values[origin : origin + self.horizon, columns]
        return future - self.center(span.name, span.values, origin, columns)

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """As :meth:`rheos.baseline.method.FittedBaseline.forecast`.

        Members are dealt from the shuffled pool, so they differ until it is used up.
        """
        check(self.spans, recording, origin)
        name = recording.name
        values = recording.values[:origin].reshape(origin, -1)
        columns = np.arange(values.shape[1])
        number = first_number(recording.stamps, self.frequency) + origin
        pool = self.pool(name, number, self.phase_period)
        one = replace(key, words=key.words[:1], member=torch.zeros(1, dtype=torch.int64))
        order = one.at(Purpose.BOOTSTRAP).uniform((len(pool),))[0].argsort().numpy()
        dealt = order[key.member.numpy() % len(pool)]
        center = self.center(name, values, origin, columns)
        out = np.empty((len(key), self.horizon, values.shape[1]), recording.values.dtype)
        for index in np.unique(dealt):
            out[dealt == index] = center + self.path(name, pool, int(index), columns)
        return out.reshape(len(key), self.horizon, *recording.values.shape[1:])


def check(names: Collection[str], recording: Recording, origin: int) -> None:
    """Raise InputError unless the sequence is known and something precedes the origin."""
    if recording.name not in names:
        raise InputError(
            f"sequence {recording.name!r} is not one of the {len(names)} that were fitted; fit it again."
        )
    if not 0 < origin <= len(recording):
        raise InputError(
            f"a forecast at frame {origin} of sequence {recording.name!r} needs 1 to {len(recording)} frames "
            "before it; give another origin."
        )


def choose_phase(ensemble: PathEnsemble, periods: Sequence[int], trials: int = 40, most: int = 30) -> int:
    """The period whose phases give the best paths: lowest fair CRPS on origins of the training span.

    Trials lie in the later half of the span, and each sees earlier paths only, as a forecast does.

    Args:
        ensemble: rules and spans.
        periods: candidates.
        trials: how many training origins are forecast.
        most: paths a trial.

    Returns:
        1, all origins alike, unless a period with at least 2 paths in every trial does better.
    """
    candidates = (1, *(period for period in periods if period > 1))
    names = list(ensemble.spans)
    names = [names[i] for i in np.unique(np.linspace(0, len(names) - 1, min(8, len(names))).astype(int))]
    scores: dict[int, list[float]] = {period: [] for period in candidates}
    for name in names:
        origins = ensemble.spans[name].origins(ensemble.rules[name].warmup, ensemble.horizon)
        spaced = np.linspace(len(origins) // 2, len(origins) - 1, max(trials // len(names), 3)).astype(int)
        for origin in origins[np.unique(spaced)]:
            for period, score in _trial(ensemble, name, int(origin), candidates, most).items():
                scores[period].append(score)
    complete = max(len(s) for s in scores.values())
    mean = {p: np.mean(s) for p, s in scores.items() if s and len(s) == complete and np.isfinite(s).all()}
    return min(mean, key=lambda period: mean[period]) if mean else 1


def _trial(
    ensemble: PathEnsemble, name: str, origin: int, periods: Sequence[int], most: int
) -> dict[int, float]:
    span = ensemble.spans[name]
    alive = np.flatnonzero(np.isfinite(span.mean))
    columns = alive[np.unique(np.linspace(0, len(alive) - 1, min(64, len(alive))).astype(int))]
    truth = span.values[origin : origin + ensemble.horizon, columns]
    center = ensemble.center(name, span.values, origin, columns)
    out = {}
    for period in periods:
        pool = ensemble.pool(name, span.number + origin, period, origin - ensemble.horizon)
        # Where the phase has no origin yet the pool is that of all of them: no evidence for the period.
        if len(pool) < _FEWEST_PATHS or (origin - pool[0]) % period:
            continue
        picks = np.unique(np.linspace(0, len(pool) - 1, min(most, len(pool))).astype(int))
        paths = np.stack([ensemble.path(name, pool, int(i), columns) for i in picks])
        out[period] = float(aggregate(crps(center + paths, truth) / span.scale[columns]))
    return out
