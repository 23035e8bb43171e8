"""Forecast of others: anchor_s = f_s + a_s + b_s f_s + c_s (x_k - f_k) + d_s f_k, f forecast elsewhere.

A weather service's, a grid operator's or another model's forecast, read from a column known ahead and coded
as its target is; k is the last frame in which both are known. The correction is 0 unless it helped to
forecast blocks of time from those before them: model output statistics (Glahn and Lowry, Journal of Applied
Meteorology 11, 1972), the slope drawn toward 1 by a ridge penalty, with the last error, which most forecasts
make again. Where there is no forecast, at a lead or of a target, a rule that never saw the columns stands in,
with its own scale. The scale is the residual of blocks left out.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from rheos.core.errors import InputError
from rheos.data.anchor.base import (
    Anchor,
    FittedAnchor,
    after,
    blocks_of,
    chunks,
    history_squares,
    newest,
    some,
    whole_scale,
)
from rheos.data.anchor.damped_anomaly import DampedAnomaly
from rheos.data.anchor.penalty import forward, leave_out, solve
from rheos.data.anchor.perceptron import Perceptron
from rheos.data.anchor.persistence import Persistence
from rheos.data.anchor.ridge import Ridge
from rheos.data.anchor.seasonal import Seasonal
from rheos.data.dataset import Layout
from rheos.data.forecasts import require_forecasts
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

# YAML reads `2020` as a number.
Name = Annotated[str, BeforeValidator(str)]
Rule = Annotated[Ridge | Perceptron | Seasonal | Persistence | DampedAnomaly, Field(discriminator="kind")]

_BLOCKS = 6
_NO = 1e6  # a penalty under which a feature weighs nothing
# Of the forecast, of its last error and of the forecast there: a bias alone, the last error, the slope, all.
_PENALTIES = np.array(
    [
        [_NO, _NO, _NO],
        *([_NO, penalty, _NO] for penalty in (0.001, 0.1)),
        *([penalty, _NO, _NO] for penalty in (0.001, 0.1, 1.0)),
        *([penalty, penalty, penalty] for penalty in (0.0001, 0.01, 0.1, 1.0)),
    ]
)


class ForecastColumn(Anchor):
    """A forecast made by somebody else, from a column known ahead: `anchor.of.TARGET=COLUMN`.

    Attributes:
        of: the column that forecasts a target, by the target's name.
        correct: whether bias, slope and last error of the forecast may be corrected, by lead.
        otherwise: the rule for targets that are not named, and where a forecast is missing.
        most_windows: how many training windows are looked at.
    """

    kind: Literal["forecast"] = "forecast"
    of: dict[Name, Name] = Field(default_factory=dict)
    correct: bool = True
    otherwise: Rule = Ridge()
    most_windows: int = Field(default=12000, ge=1)

    @property
    def forecasts(self) -> dict[str, str]:
        """As the field `of` says."""
        return dict(self.of)

    def require(self, layout: Layout) -> None:
        """Check that the columns can forecast the targets.

        Raises:
            InputError: none is named, or see :func:`rheos.data.forecasts.require_forecasts`.
        """
        if not self.of:
            raise InputError("anchor=forecast has no column; give anchor.of.TARGET=COLUMN.")
        require_forecasts(self.of, layout)

    def fit(self, source: WindowSource, indices: np.ndarray) -> "FittedForecastColumn":
        """As :meth:`measure`: columns and rule have their own rhythm and unrest."""
        return replace(self.measure(source, indices), memory=self.remembered(source))

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedForecastColumn":
        """Fit the correction where there are forecasts, and the rule everywhere.

        Raises:
            InputError: a column never forecasts its target.
        """
        layout = source.dataset.layout
        hidden = np.array([layout.known_future.index(column) for column in sorted({*self.of.values()})])
        column = _Column(correct=self.correct, most_windows=self.most_windows).fit(source, indices)
        otherwise = self.otherwise.fit(source.without(hidden), indices)
        named = np.isin(layout.channels, list(self.of))
        scale = np.where(named, column.scale, otherwise.scale)
        return FittedForecastColumn(scale=scale, column=column, otherwise=otherwise, hidden=hidden)

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedForecastColumn":
        """The inverse of `numbers`."""
        return FittedForecastColumn(
            scale=scale,
            column=_Column().restore(after("column.", numbers)),
            otherwise=self.otherwise.restore(after("otherwise.", numbers)),
            hidden=numbers["hidden"],
        )


@dataclass(frozen=True, kw_only=True)
class FittedForecastColumn(FittedAnchor):
    """Forecasts of others, and a rule where there are none.

    Attributes:
        column: NaN where there is no forecast.
        otherwise: the rule.
        hidden: numbers of the columns of `known_future` that the rule does not see.
    """

    column: FittedAnchor
    otherwise: FittedAnchor
    hidden: np.ndarray

    def _blind(self, batch: WindowBatch) -> WindowBatch:
        return replace(batch, known_future=np.delete(batch.known_future, self.hidden, axis=2))

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The corrected forecast, or the rule's."""
        own = self.column.future(batch)
        return np.where(np.isfinite(own), own, self.otherwise.future(self._blind(batch)))

    def spread(self, batch: WindowBatch) -> np.ndarray:
        """The scale of what :meth:`future` took."""
        given = np.isfinite(self.column.future(batch))
        return np.where(given, self.column.spread(batch), self.otherwise.spread(self._blind(batch)))

    def numbers(self) -> dict[str, np.ndarray]:
        """Those of column and rule, their names before."""
        parts = {"column.": self.column, "otherwise.": self.otherwise}
        named = {f"{start}{name}": v for start, part in parts.items() for name, v in part.to_arrays().items()}
        return {"hidden": self.hidden, **named}


class _Column(Anchor):
    """The forecasts alone, NaN where there are none."""

    kind: Literal["column"] = "column"
    correct: bool = True
    most_windows: int = 12000

    def measure(self, source: WindowSource, indices: np.ndarray) -> "_FittedColumn":
        moments, past = _moments(source, some(indices, self.most_windows))
        whole = moments.sum(0)
        places = {name: place for place, name in enumerate(source.dataset.layout.channels)}
        for target, column in source.spec.forecasts.items():
            if not whole[:, places[target], -2, -2].any():
                raise InputError(
                    f"anchor.of.{target}={column}: in the training span {column!r} has no value where "
                    f"{target!r} has one; fill it in or leave it out."
                )
        best = _best(moments) if self.correct else np.full(moments.shape[2], len(_PENALTIES))
        none = (best == len(_PENALTIES))[:, None]
        penalties = _PENALTIES[np.where(none[:, 0], 0, best)][None, None]
        weights = np.where(none, 0.0, solve(whole, penalties)[0])
        square = np.where(none[:, 0], whole[..., -1, -1], leave_out(moments, penalties)[0])
        scale = whole_scale(np.stack([square, whole[..., -2, -2]]), past)
        return _FittedColumn(scale=scale, weights=weights)

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "_FittedColumn":
        return _FittedColumn(scale=scale, weights=numbers["weights"])


@dataclass(frozen=True, kw_only=True)
class _FittedColumn(FittedAnchor):
    """The correction `(S, channels, 4)`: weights of :func:`_features`, and the bias."""

    weights: np.ndarray

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The corrected forecasts, NaN where there are none."""
        known = _features(batch)
        correction = (known * self.weights[..., :-1]).sum(-1) + self.weights[..., -1]
        return known[..., 0] + correction

    def numbers(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights}


def _features(batch: WindowBatch) -> np.ndarray:
    """Forecast, its last known error and what was forecast there, `(b, S, channels, 3)`.

    NaN where there is no forecast; no known error is an error of 0 there.
    """
    frames = batch.history.shape[1]
    past, ahead = batch.forecast[:, :frames], batch.forecast[:, frames:].astype(np.float64)
    error, where = newest(batch.history - past)
    there = np.take_along_axis(past, where[:, None], axis=1)
    last = np.nan_to_num(np.where(np.isfinite(error), [error, there[:, 0]], 0.0))[:, :, None]
    return np.stack([ahead, *np.broadcast_to(last, (2, *ahead.shape))], axis=-1)


def _moments(source: WindowSource, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of z z^T, z = (features, 1, error), of each block of time, and squares of the history.

    Returns:
        `(blocks, S, channels, 5, 5)` and `(2, P, channels)`.
    """
    spec, channels = source.spec, source.features[0]
    blocks = max(1, min(_BLOCKS, len(indices) // 2))
    block = blocks_of(source.sequence[indices], source.origin[indices], blocks)
    moments = np.zeros((blocks, spec.horizon, channels, *(len(_PENALTIES[0]) + 2,) * 2))
    past = np.zeros((2, spec.history, channels))
    for number in range(blocks):
        for batch in chunks(source, indices[block == number]):
            known = _features(batch)
            error = (batch.future - known[..., 0])[..., None]
            z = np.concatenate([known, np.ones_like(error), error], axis=-1)
            z[~np.isfinite(error[..., 0])] = 0.0
            moments[number] += np.einsum("bsci,bscj->scij", z, z)
            past += history_squares(batch.history)
    return moments, past


def _best(moments: np.ndarray) -> np.ndarray:
    """The number of the best penalties of each channel, for all leads; beyond the last for no correction."""
    square = forward(moments, _PENALTIES[:, None, None])
    if len(moments) < 2:
        return np.full(square.shape[2], len(_PENALTIES))
    in_units = square / np.maximum(square[-1:], 1e-30)
    return in_units.sum(1).argmin(0)
