"""Peers that model one series at a time (statsforecast), and how their members become joint paths.

    X_{n+h} = E[x_{n+h} | x_<=n] + sum_{j<h} psi_j e_{h-j},    e_i a one-step residual of a random past frame

psi_j, the response to a shock after j frames, is how the forecast moves when the last value does: 1 at once,
and at lead j the difference quotient of the library's own forecast. For ARIMA and additive ETS this is the
exact law of the model (Box and Jenkins, "Time Series Analysis", ch. 5) with the residuals' own distribution
in the place of the normal one; for multiplicative ETS it is its linear part. A member draws the same past
frames for all series, so that shocks which come together stay together.

A period of at most 12 frames is the model's own season. Longer or several ones are taken out by MSTL
(Bandara, Hyndman and Bergmeir 2021, arXiv 2107.13462) at every origin, and their last cycle goes on.
"""

import time
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from pydantic import Field

from rheos.baseline.paths import Span, check
from rheos.baseline.peer.base import FittedPeer, Peer, filled
from rheos.baseline.peer.deadline import OutOfTimeError, deadline
from rheos.core.keys import Key, Purpose
from rheos.data.dataset import Dataset, Recording

_LONGEST_SEASON = 12  # of the model's own; a search over longer ones takes minutes a series
_FEWEST_CYCLES = 2


class Model(Protocol):
    """A model of one series, as statsforecast has them."""

    def fit(self, y: np.ndarray) -> Any:
        """Learn; returns itself."""
        ...

    def forward(self, y: np.ndarray, h: int, fitted: bool = False) -> dict[str, np.ndarray]:
        """`mean` `(h,)` after another series with what was learned, and its one-step `fitted` values."""
        ...


class LastValue:
    """Takes the place of a model whose search failed: a random walk."""

    def fit(self, y: np.ndarray) -> "LastValue":
        """Nothing to learn."""
        return self

    def forward(self, y: np.ndarray, h: int, fitted: bool = False) -> dict[str, np.ndarray]:
        """The last value, and at every frame the one before."""
        return {"mean": np.repeat(y[-1], h), "fitted": np.concatenate((y[:1], y[:-1]))}


def responses(model: Model, y: np.ndarray, mean: np.ndarray, step: float) -> np.ndarray:
    """psi_0 .. psi_{h-1}: how the forecast answers a shock of the last value, `(h,)`."""
    moved = y.copy()
    moved[-1] += step
    answer = (model.forward(moved, len(mean))["mean"] - mean) / step
    return np.concatenate(([1.0], answer[:-1]))


def paths(mean: np.ndarray, psi: np.ndarray, shocks: np.ndarray) -> np.ndarray:
    """Members `(member, h)` from shocks `(member, h)` in order of time."""
    horizon = len(mean)
    lag = np.arange(horizon)[None, :] - np.arange(horizon)[:, None]
    weights = np.where(lag >= 0, psi[np.maximum(lag, 0)], 0.0)
    return mean + shocks @ weights


def seasons(y: np.ndarray, periods: Sequence[int], horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """The seasonal part of a series by MSTL `(frames,)`, and its last cycles continued `(horizon,)`."""
    from statsforecast.mstl import mstl

    # Loess at every tenth of a window, straight lines between: R's own default, and much quicker.
    jump = max(1, min(periods) // 10)
    parts = mstl(y, list(periods), stl_kwargs={"trend_jump": jump, "low_pass_jump": jump})
    inside, ahead = np.zeros(len(y)), np.zeros(horizon)
    for period in periods:
        name = f"seasonal{period}" if len(periods) > 1 else "seasonal"
        part = np.asarray(parts[name], np.float64)
        inside += part
        ahead += part[len(part) - period + np.arange(horizon) % period]
    return inside, ahead


@dataclass(slots=True)
class FittedUnivariate(FittedPeer):
    """Models of every series of every recording.

    Attributes:
        horizon: frames to forecast.
        points: last frames that a model sees.
        spans: training span of every recording, by name.
        models: of every column, None where it never was observed, by name.
        periods: that MSTL takes out, by name.
        notes: how many series needed the fallback.
    """

    horizon: int
    points: int
    spans: dict[str, Span]
    models: dict[str, list[Model | None]]
    periods: dict[str, tuple[int, ...]]
    notes: tuple[str, ...] = ()

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """See :class:`rheos.baseline.method.FittedBaseline`."""
        check(self.spans, recording, origin)
        known = recording.values[max(0, origin - self.points) : origin]
        known = known.reshape(len(known), -1)
        # The first residuals still settle; they lend nothing.
        settled = len(known) // 10
        drawn = key.at(Purpose.BOOTSTRAP).integers(len(known) - settled, self.horizon).numpy()
        out = np.full((len(key), self.horizon, known.shape[1]), np.nan, recording.values.dtype)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for column, model in enumerate(self.models[recording.name]):
                if model is not None:
                    out[..., column] = self._column(recording.name, model, known[:, column], settled, drawn)
        return out.reshape(len(key), self.horizon, *recording.values.shape[1:])

    def _column(
        self, name: str, model: Model, known: np.ndarray, settled: int, drawn: np.ndarray
    ) -> np.ndarray:
        """Members `(member, horizon)` of one series."""
        y, ahead = filled(known), np.zeros(self.horizon)
        if y.std() == 0:
            return np.full(drawn.shape, y[-1])
        if self.periods[name]:
            inside, ahead = seasons(y, self.periods[name], self.horizon)
            y = y - inside
        told = model.forward(y, self.horizon, fitted=True)
        # A filled gap has no shock of its own.
        residual = np.where(np.isfinite(known), y - told["fitted"], np.nan)[settled:]
        residual = np.where(np.isfinite(residual), residual - np.nanmean(residual), 0.0)
        mean = np.asarray(told["mean"], np.float64)
        psi = responses(model, y, mean, float(residual.std()) or 1.0)
        return ahead + paths(mean, psi, residual[drawn])


class UnivariatePeer(Peer):
    """Base of the peers that model every series by itself.

    Attributes:
        points: last points of the training span, and of the history at every origin, that a model sees.
        seconds: most seconds that the search of one series may take.
    """

    packages: ClassVar[tuple[str, ...]] = ("statsforecast",)
    points: int = Field(default=2000, ge=50)
    seconds: float = Field(default=60.0, gt=0)

    @property
    def limits(self) -> str:
        """The limits it is run under, in one line."""
        return (
            f"last {self.points} points, at most {self.seconds:g} s a series, each by itself; searched "
            f"once on the training span, its state brought up to every origin; periods beyond "
            f"{_LONGEST_SEASON} by MSTL; gaps filled by straight lines; members from resampled residuals"
        )

    @abstractmethod
    def model(self, season: int) -> Model:
        """A model to be fitted, whose own season has that many frames."""

    def fit(self, dataset: Dataset, horizon: int) -> FittedUnivariate:
        """See :class:`rheos.baseline.method.Baseline`."""
        self.require()
        spans, models, periods, failed, total = {}, {}, {}, 0, 0
        for recording in dataset.recordings:
            span = Span.of(recording, dataset.layout.frequency)
            values = span.values[-self.points :]
            usable = tuple(p for p in dataset.layout.periods if 1 < p <= len(values) // (_FEWEST_CYCLES + 1))
            own = len(usable) == 1 and usable[0] <= _LONGEST_SEASON
            spans[span.name], periods[span.name] = span, () if own else usable
            season = usable[0] if own else 1
            fitted: list[Model | None] = []
            for column in range(values.shape[1]):
                if not np.isfinite(span.mean[column]):
                    fitted.append(None)
                    continue
                y = filled(values[:, column])
                found = self._searched(y, () if own else usable, self.model(season))
                failed += isinstance(found, LastValue)
                total += 1
                fitted.append(found)
            models[span.name] = fitted
        notes = (f"the search failed for {failed} of {total} series; a random walk took its place",)
        return FittedUnivariate(horizon, self.points, spans, models, periods, notes if failed else ())

    def _searched(self, y: np.ndarray, periods: Sequence[int], model: Model) -> Model:
        """The best model of one series, or a random walk where none is found in time."""
        if y.std() == 0:
            return LastValue()
        began = time.perf_counter()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if periods:
                y = y - seasons(y, periods, 1)[0]
            try:
                with deadline(max(0.1, self.seconds - (time.perf_counter() - began))):
                    model.fit(y)
                return model
            except OutOfTimeError:
                return LastValue()
            except (ArithmeticError, IndexError, ValueError, RuntimeError, np.linalg.LinAlgError):
                # A library's search that breaks on one odd series of hundreds is counted, not hidden.
                return LastValue()
