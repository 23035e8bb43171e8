"""Damped anomaly: anchor_(o+h) = c_(o+h) + rho_h (x_o - c_o), c the climatology of the calendar.

Climatology and persistence of the anomaly, each as far as it holds: the forecast that dynamical models of
sea-surface temperature are measured against (van den Dool, "Empirical Methods in Short-Term Climate
Prediction", 2007, chapter 8). c is a regression on the calendar's features, one an entry; rho_h, one an
entry and lead, is drawn toward its channel's. Damping and scale are measured on blocks of time whose
climatology was fitted without them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.data.anchor.base import (
    Anchor,
    FittedAnchor,
    history_squares,
    newest,
    some,
    time_blocks,
    whole_scale,
    window_bytes,
)
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_WINDOWS_BYTES = 384 * 2**20
_PIECE_BYTES = 64 * 2**20
_FEWEST_WINDOWS = 64
_PENALTY = 1e-3  # of the number of frames; the calendar's features have variance of about 1/2


class DampedAnomaly(Anchor):
    """The calendar's mean and a damped share of the last departure from it.

    Attributes:
        blocks: of time, left out in turn to measure damping and scale.
        pooling: how many entries' weight the channel's common damping has.
        most_windows: how many training windows are looked at.
    """

    kind: Literal["damped_anomaly"] = "damped_anomaly"
    blocks: int = Field(default=5, ge=2)
    pooling: float = Field(default=1.0, ge=0)
    most_windows: int = Field(default=12000, ge=1)

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedDampedAnomaly":
        """Fit climatology, damping and scale."""
        fitting = max(_FEWEST_WINDOWS, _WINDOWS_BYTES // window_bytes(source))
        batch = source.batch(some(indices, min(self.most_windows, fitting)))
        frame = _Frames.of(batch)
        shape = batch.future.shape[1:]
        coefficients = np.zeros((frame.origin_calendar.shape[-1], frame.last.shape[1]))
        sums = np.zeros((4, shape[0], frame.last.shape[1]))  # x x, x y, y y and how many
        block = time_blocks(batch, max(1, min(self.blocks, len(batch) // 2)))
        for piece in _pieces(frame):
            part = frame.entries(piece)
            coefficients[:, piece] = _climatology(part, np.ones(len(batch), bool))
            for number in range(block.max() + 1):
                mine = block == number
                left_out = _climatology(part, ~mine if (~mine).any() else mine)
                sums[:, :, piece] += _products(part.rows(mine), left_out)
        damping = self._damping(sums.reshape(4, *shape))
        xx, xy, yy, count = sums.reshape(4, *shape)
        square = np.maximum(yy - 2 * damping * xy + damping**2 * xx, 0.0)
        return FittedDampedAnomaly(
            scale=whole_scale(np.stack([square, count]), history_squares(batch.history)),
            coefficients=coefficients.reshape(-1, *shape[1:]),
            damping=damping,
        )

    def _damping(self, sums: np.ndarray) -> np.ndarray:
        """rho `(S, *features)` from sums `(4, S, *features)`."""
        xx, xy = sums[:2]
        space = tuple(range(2, xx.ndim))
        common = xy.sum(space, keepdims=True) / np.maximum(xx.sum(space, keepdims=True), 1e-30)
        weight = self.pooling * xx.mean(space, keepdims=True) if space else 0.0
        return np.asarray(np.clip((xy + weight * common) / np.maximum(xx + weight, 1e-30), 0.0, 1.0))

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedDampedAnomaly":
        """The inverse of `numbers`."""
        return FittedDampedAnomaly(
            scale=scale, coefficients=numbers["coefficients"], damping=numbers["damping"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """What the fit sees of b windows, E entries a frame and k calendar features and a constant.

    Attributes:
        last: `(b, E)`, each entry's last observed value, NaN where there is none.
        last_calendar: `(b, E, k)` of that value's frame, or `(b, 1, k)` where it is the origin's for all.
        origin, origin_calendar: `(b, E)` and `(b, k)` of the last history frame.
        future: `(b, S, E)`.
        future_calendar: `(b, S, k)`.
    """

    last: np.ndarray
    last_calendar: np.ndarray
    origin: np.ndarray
    origin_calendar: np.ndarray
    future: np.ndarray
    future_calendar: np.ndarray

    @classmethod
    def of(cls, batch: WindowBatch) -> "_Frames":
        rows, frames = batch.history.shape[:2]
        history = batch.history.reshape(rows, frames, -1)
        calendar = _with_constant(batch.calendar)
        last, where = newest(history)
        late = (where == frames - 1) | ~np.isfinite(last)
        return cls(
            last=last,
            last_calendar=calendar[:, frames - 1 : frames]
            if late.all()
            else calendar[np.arange(rows)[:, None], where],
            origin=history[:, -1],
            origin_calendar=calendar[:, frames - 1],
            future=batch.future.reshape(rows, batch.future.shape[1], -1),
            future_calendar=calendar[:, frames:],
        )

    def entries(self, piece: slice) -> "_Frames":
        """Some entries."""
        return _Frames(
            last=self.last[:, piece],
            last_calendar=self.last_calendar
            if self.last_calendar.shape[1] == 1
            else self.last_calendar[:, piece],
            origin=self.origin[:, piece],
            origin_calendar=self.origin_calendar,
            future=self.future[..., piece],
            future_calendar=self.future_calendar,
        )

    def rows(self, kept: np.ndarray) -> "_Frames":
        """Some windows."""
        return _Frames(**{name: getattr(self, name)[kept] for name in self.__dataclass_fields__})

    def anomaly(self, coefficients: np.ndarray) -> np.ndarray:
        """Departure of the last value from the climatology `(b, E)`, 0 where nothing was observed."""
        usual = np.einsum(
            "bek,ke->be",
            np.broadcast_to(self.last_calendar, (*self.last.shape, len(coefficients))),
            coefficients,
        )
        return np.nan_to_num(self.last - usual)


def _with_constant(calendar: np.ndarray) -> np.ndarray:
    ones = np.ones((*calendar.shape[:-1], 1))
    return np.concatenate([calendar.astype(np.float64), ones], axis=-1)


def _pieces(frames: _Frames) -> Iterator[slice]:
    """Entries in groups of bounded memory."""
    rows, entries = frames.last.shape
    leads, features = frames.future_calendar.shape[1:]
    size = max(1, _PIECE_BYTES // (8 * max(rows * leads, rows * features, features**2)))
    for start in range(0, entries, size):
        yield slice(start, start + size)


def _climatology(frames: _Frames, kept: np.ndarray) -> np.ndarray:
    """Regression of the origin's frame on its calendar, `(k, E)`; the constant is not shrunk."""
    features, values = frames.origin_calendar[kept], frames.origin[kept].astype(np.float64)
    seen = np.isfinite(values)
    count = features.shape[1]
    products = (features[:, :, None] * features[:, None]).reshape(len(features), -1)
    gram = (seen.T.astype(np.float64) @ products).reshape(-1, count, count)
    right = np.where(seen, values, 0.0).T @ features
    shrunk = np.append(np.full(count - 1, 1.0), 0.0)
    gram += (_PENALTY * np.maximum(seen.sum(0), 1))[:, None, None] * np.diag(shrunk)
    # Where nothing was seen the constant would be undetermined.
    gram[seen.sum(0) == 0] = np.eye(count)
    return np.linalg.solve(gram, right[..., None])[..., 0].T


def _products(frames: _Frames, coefficients: np.ndarray) -> np.ndarray:
    """Sums over windows of x x, x y, y y and 1 for the last anomaly x and the future's y, `(4, S, E)`."""
    x = frames.anomaly(coefficients)[:, None]
    y = frames.future - frames.future_calendar @ coefficients
    seen = np.isfinite(y)
    y = np.where(seen, y, 0.0)
    return np.stack([(seen * x**2).sum(0), (x * y).sum(0), (y**2).sum(0), seen.sum(0)])


@dataclass(frozen=True, kw_only=True)
class FittedDampedAnomaly(FittedAnchor):
    """Climatology and damping.

    Attributes:
        coefficients: `(k, *features)` of the calendar's features, the constant last.
        damping: rho `(S, *features)`.
    """

    coefficients: np.ndarray
    damping: np.ndarray

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The climatology and a share of the last anomaly."""
        calendar = _with_constant(batch.calendar[:, batch.history.shape[1] :])
        usual = np.tensordot(calendar, self.coefficients, 1)
        return np.asarray(usual + self.damping * self.anomaly(batch)[:, None])

    def anomaly(self, batch: WindowBatch) -> np.ndarray:
        """Departure of the last values from the climatology `(b, *features)`, 0 where none was observed."""
        found = _Frames.of(batch).anomaly(self.coefficients.reshape(len(self.coefficients), -1))
        return found.reshape(len(batch), *batch.future.shape[2:])

    def numbers(self) -> dict[str, np.ndarray]:
        """Coefficients and damping."""
        return {"coefficients": self.coefficients, "damping": self.damping}
