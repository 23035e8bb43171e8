"""The running account of one forecaster's scores: per window, lead time and variable, no ensemble kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from rheos.data.circle import Circle
from rheos.score import LEVELS_19, aggregate, circular_crps, covered, crps, quantile_loss, ranks

_BINS = 20
_GIVEN = ("area", "sums", "circle")


@dataclass(slots=True)
class Tally:
    """Scores of one forecaster, window by window.

    Args:
        area: weights of the cells `(*space)`, mean 1; an array of shape () without space.
        sums: whether variables share a unit, so that their sum means something.
        circle: which variables are directions. Their CRPS is that of the circle; all else is computed on the
            line about the ensemble's mean direction, on which nothing is further than half a period.

    Attributes:
        crps: fair CRPS of each window `(lead_time, channel)`, units of the channel.
        squared: squared error of the ensemble mean, likewise.
        variance: ensemble variance times (M + 1)/M, likewise.
        covered: share inside the central 90 % interval, likewise.
        levels: coverage of the central 50, 80, 90 and 95 % intervals, `(4,)` a window.
        loss: quantile loss summed over entries, `(level,)` a window, and `magnitude` sum |y|.
        bins: ranks of a window, `(20,)` bins of equal probability; a rank that several bins meet is shared.
    """

    area: np.ndarray
    sums: bool
    circle: Circle = field(default_factory=Circle)
    crps: list[np.ndarray] = field(default_factory=list)
    squared: list[np.ndarray] = field(default_factory=list)
    variance: list[np.ndarray] = field(default_factory=list)
    covered: list[np.ndarray] = field(default_factory=list)
    levels: list[np.ndarray] = field(default_factory=list)
    loss: list[np.ndarray] = field(default_factory=list)
    magnitude: list[float] = field(default_factory=list)
    loss_of_sum: list[np.ndarray] = field(default_factory=list)
    magnitude_of_sum: list[float] = field(default_factory=list)
    bins: list[np.ndarray] = field(default_factory=list)

    def add(self, ensemble: np.ndarray, truth: np.ndarray) -> None:
        """Take in one window.

        Args:
            ensemble: `(member, lead_time, channel, *space)`, raw units.
            truth: `(lead_time, channel, *space)`, NaN missing.
        """
        space = tuple(range(2, truth.ndim))
        count = len(ensemble)
        self.crps.append(aggregate(self._crps(ensemble, truth), self.area, space))
        magnitude = float(np.abs(truth[~np.isnan(truth)]).sum())
        middle = self.circle.middle(ensemble)
        ensemble, truth = self.circle.about(ensemble, middle), self.circle.about(truth, middle, 1)
        mean = ensemble.mean(0, dtype=np.float64)
        self.squared.append(aggregate((mean - truth) ** 2, self.area, space))
        variance = (
            ensemble.var(0, ddof=1, dtype=np.float64) * (count + 1) / count if count > 1 else mean * np.nan
        )
        self.variance.append(aggregate(np.where(np.isnan(truth), np.nan, variance), self.area, space))
        self.covered.append(aggregate(covered(ensemble, truth), self.area, space))
        self.levels.append(np.array([aggregate(covered(ensemble, truth, p)) for p in (0.5, 0.8, 0.9, 0.95)]))
        self._add_quantiles(ensemble, truth, magnitude)
        rank = ranks(ensemble, truth, seed=len(self.crps))
        times = np.bincount(rank[~np.isnan(rank)].astype(int), minlength=count + 1)
        below = np.append(0, times.cumsum())
        ends = np.linspace(0, count + 1, _BINS + 1)
        self.bins.append(np.diff(np.interp(ends, np.arange(count + 2), below)))

    @property
    def histogram(self) -> np.ndarray:
        """Ranks of all windows, `(20,)`."""
        return np.sum(self.bins, axis=0) if self.bins else np.zeros(_BINS)

    def _crps(self, ensemble: np.ndarray, truth: np.ndarray) -> np.ndarray:
        score = crps(ensemble, truth)
        for number in self.circle.channels:
            members, value = ensemble[:, :, number], truth[:, number]
            score[:, number] = circular_crps(members, value, self.circle.period[number])
        return score

    def _add_quantiles(self, ensemble: np.ndarray, truth: np.ndarray, magnitude: float) -> None:
        loss = quantile_loss(ensemble, truth, LEVELS_19)
        self.loss.append(np.nansum(loss.reshape(len(LEVELS_19), -1), axis=1))
        self.magnitude.append(magnitude)
        if self.sums:
            total = truth.sum(1)
            loss = quantile_loss(ensemble.sum(2), total, LEVELS_19)
            self.loss_of_sum.append(np.nansum(loss.reshape(len(LEVELS_19), -1), axis=1))
            self.magnitude_of_sum.append(float(np.nansum(np.abs(total))))

    def to_dict(self) -> dict[str, Any]:
        """All that was taken in, as lists; numbers that do not exist are null."""
        kept = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name not in _GIVEN}
        return {name: _nullable(value) for name, value in kept.items()}

    @classmethod
    def from_dict(
        cls, content: Mapping[str, Any], area: np.ndarray, sums: bool, circle: Circle | None = None
    ) -> "Tally":
        """The account that :meth:`to_dict` wrote.

        Raises:
            KeyError: an entry is absent.
            ValueError: an entry does not hold numbers.
        """
        tally = cls(area, sums, circle or Circle())
        for f in fields(cls):
            if f.name not in _GIVEN:
                setattr(tally, f.name, list(np.array(content[f.name], np.float64)))
        return tally

    def per_window(self, scale: np.ndarray) -> np.ndarray:
        """CRPS of each window, mean over lead times and variables, in training standard deviations.

        Args:
            scale: `(channel,)` standard deviation of each variable over the training span.
        """
        return np.array([aggregate(score / scale) for score in self.crps])

    def by_lead(self, scale: np.ndarray) -> dict[str, np.ndarray]:
        """CRPS, skill (RMSE) and spread by lead time, in training standard deviations."""
        crps_of, squared, variance = (np.stack(x) for x in (self.crps, self.squared, self.variance))
        return {
            "crps": aggregate(crps_of / scale, axes=(0, 2)),
            "rmse": np.sqrt(aggregate(squared / scale**2, axes=(0, 2))),
            "spread": np.sqrt(aggregate(variance / scale**2, axes=(0, 2))),
        }

    def scores(self, channels: tuple[str, ...], scale: np.ndarray) -> dict[str, object]:
        """The set of scores that `--json` prints; null where there is nothing to score.

        Args:
            channels: names of the variables.
            scale: `(channel,)` standard deviation of each variable over the training span.
        """
        crps_of, squared, variance = (np.stack(x) for x in (self.crps, self.squared, self.variance))
        error = aggregate(squared / scale**2)
        by_variable = aggregate(crps_of, axes=(0, 1))
        return {
            "crps": _number(aggregate(aggregate(crps_of, axes=(0, 1)) / scale)),
            "crps_by_variable": {c: _number(v) for c, v in zip(channels, by_variable, strict=True)},
            "wql": _ratio(self.loss, self.magnitude),
            "crps_sum": _ratio(self.loss_of_sum, self.magnitude_of_sum) if self.sums else None,
            "rmse": _number(np.sqrt(error)),
            "coverage_90": _number(aggregate(np.stack(self.covered))),
            "spread_skill": _number(np.sqrt(aggregate(variance / scale**2) / error)) if error > 0 else None,
        }


def _nullable(values: np.ndarray) -> list[Any]:
    boxed = values.astype(object)
    boxed[~np.isfinite(values)] = None
    return list(boxed.tolist())


def _number(value: np.ndarray | float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ratio(losses: list[np.ndarray], magnitudes: list[float]) -> float | None:
    total = sum(magnitudes)
    return float(np.sum(losses, axis=0).mean() / total) if total > 0 else None
