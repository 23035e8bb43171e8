"""Ridge: anchor_s = base_s + w_s . features, one linear regression for every entry and lead.

Direct multi-step forecasting by ridge regression (Hoerl and Kennard 1970) from what is known at the
origin. The base it shrinks to is the best of the training mean, the last value and the seasonal ones;
the penalty, and whether the calendar's own features may weigh anything, is what forecast the blocks of time
best from those before them, and the scale is the residual of blocks left out, so that canonical data have
about unit variance on windows never seen.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from rheos.core.errors import InputError
from rheos.data.anchor.base import (
    Anchor,
    FittedAnchor,
    history_squares,
    last_observed,
    some,
    time_blocks,
    whole_scale,
    window_bytes,
)
from rheos.data.anchor.gaps import Gaps
from rheos.data.anchor.penalty import chosen, forward, leave_out, solve
from rheos.data.anchor.ridge_features import Plan
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_WINDOWS_BYTES = 384 * 2**20
_FEATURES_BYTES = 96 * 2**20
_FEWEST_WINDOWS = 64
_PILOT_SERIES = 32
_PILOT_CELLS = 256
_FORBIDDING = 1e6  # a penalty under which a feature weighs nothing


class Ridge(Anchor):
    """A linear forecast of each entry and lead, its penalty chosen by cross-validation.

    Attributes:
        penalties: candidates, in units of the number of windows.
        blocks: of time, forecast from those before them, and left out in turn.
        recent: at most how many recent values of a series are used.
        most_windows: how many training windows are looked at.
    """

    kind: Literal["ridge"] = "ridge"
    penalties: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 10.0, 100.0), min_length=1
    )
    blocks: int = Field(default=6, ge=2)
    recent: int = Field(default=32, ge=2)
    most_windows: int = Field(default=12000, ge=1)

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedRidge":
        """Solve the regressions.

        Raises:
            InputError: there is no training window.
        """
        if len(indices) == 0:
            raise InputError(
                "no complete window lies in the training span; give a shorter history or horizon."
            )
        fitting = max(_FEWEST_WINDOWS, _WINDOWS_BYTES // window_bytes(source))
        batch = source.batch(some(indices, min(self.most_windows, fitting)))
        gaps = Gaps.of(batch)
        whole = gaps.fill(batch)
        plan = Plan.of(source, whole, self.recent)
        return _Regression(self, whole, plan, source.coded_exists.ravel()).solve(
            gaps, history_squares(batch.history)
        )

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedRidge":
        """The inverse of `numbers`."""
        plan = Plan(**{name: numbers[name] for name in Plan.__dataclass_fields__})
        base, weights = numbers["base"], numbers["weights"]
        return FittedRidge(scale=scale, gaps=Gaps.from_arrays(numbers), plan=plan, base=base, weights=weights)


def _bases(batch: WindowBatch, items: np.ndarray) -> np.ndarray:
    """Forecasts that need no fit: 0, the last value, the seasonal values; `(2 + K, m, S, b)`."""
    rows, frames = batch.history.shape[:2]
    horizon = batch.future.shape[1]
    last = last_observed(batch.history).reshape(rows, -1)[:, items].astype(np.float64).T
    last = np.broadcast_to(last[:, None], (len(items), horizon, rows))
    lagged = batch.lagged[:, frames:]
    lagged = lagged.reshape(*lagged.shape[:3], math.prod(lagged.shape[3:]))[..., items].astype(np.float64)
    seasonal = [np.transpose(lagged[:, :, k], (2, 1, 0)) for k in range(lagged.shape[2])]
    filled = [np.where(np.isfinite(values), values, last) for values in seasonal]
    return np.stack([np.zeros_like(last), last, *filled])


def _futures(batch: WindowBatch, items: np.ndarray) -> np.ndarray:
    """Targets `(m, S, b)`, NaN where missing."""
    flat = batch.future.reshape(*batch.future.shape[:2], -1)[..., items]
    return np.transpose(flat, (2, 1, 0)).astype(np.float64)


def _base(bases: np.ndarray, base: np.ndarray) -> np.ndarray:
    """The base `(m, S, b)` that `base` `(m, S)` names."""
    entries, leads = np.ogrid[: base.shape[0], : base.shape[1]]
    return bases[base, entries, leads]


def _pieces(items: np.ndarray, rows: int, bytes_each: int) -> Iterator[tuple[np.ndarray, slice]]:
    """Entries in groups, and for each group the windows in runs, so that features stay in bounds."""
    run = max(1, min(rows, _FEATURES_BYTES // bytes_each))
    group = max(1, _FEATURES_BYTES // (bytes_each * run))
    for first in range(0, len(items), group):
        for start in range(0, rows, run):
            yield items[first : first + group], slice(start, start + run)


class _Regression:
    """One fit: passes over the training windows in pieces of bounded memory."""

    def __init__(self, config: Ridge, batch: WindowBatch, plan: Plan, exists: np.ndarray) -> None:
        self.config = config
        self.batch = batch
        self.plan = plan
        self.items = np.flatnonzero(exists)
        self.entries = len(exists)
        self.count = plan.count(batch)
        self.blocks = max(1, min(config.blocks, len(batch) // 2))
        self.block = time_blocks(batch, self.blocks)

    def solve(self, gaps: Gaps, past: np.ndarray) -> "FittedRidge":
        """Penalties and weights of all entries.

        Args:
            gaps: what filled the windows.
            past: squares of the history as it was seen.
        """
        horizon, shape = self.batch.future.shape[1], self.batch.future.shape[1:]
        weights = np.zeros((self.entries, horizon, self.count + 1))
        square, seen = np.zeros((2, self.entries, horizon))
        base = np.zeros((self.entries, horizon), np.int64)
        pilot = some(self.items, _PILOT_CELLS if self.plan.field else _PILOT_SERIES)
        shared = self._shared(pilot) if len(pilot) < len(self.items) or self.plan.field else None
        for items in self._groups(self.items):
            base[items] = self._best_base(items)
            moments = self._moments(items, base[items])
            best = chosen(forward(moments, self.candidates[:, None, None])) if shared is None else shared
            if self.blocks < 2:
                best = np.full_like(best, len(self.candidates))
            weights[items], square[items] = self._solution(
                moments, np.broadcast_to(best, (len(items), horizon))
            )
            seen[items] = moments.sum(0)[..., -2, -2]
        future = np.stack([square.T.reshape(shape), seen.T.reshape(shape)])
        scale = whole_scale(future, past)
        return FittedRidge(scale=scale, gaps=gaps, plan=self.plan, base=base, weights=weights)

    @property
    def candidates(self) -> np.ndarray:
        """Penalties of every feature `(L, p)`: each one for all alike, then with the calendar held at 0."""
        alike = np.array(self.config.penalties)[:, None] * np.ones(self.count)
        group = self.plan.groups(self.batch)
        without = np.where(group == 1, _FORBIDDING, alike)
        own = np.where(group > 0, _FORBIDDING, alike)
        return np.concatenate([alike, without, own])

    def _solution(self, moments: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights `(m, S, p + 1)` and left-out squares `(m, S)` of the candidates chosen `(m, S)`."""
        none = best == len(self.candidates)
        penalties = self.candidates[np.where(none, 0, best)][None]
        weights, square = solve(moments.sum(0), penalties)[0], leave_out(moments, penalties)[0]
        without = moments.sum(0)[..., -1, -1]
        return np.where(none[..., None], 0.0, weights), np.where(none, without, square)

    def _shared(self, pilot: np.ndarray) -> np.ndarray:
        """The candidate of each lead `(1, S)` that is best over some entries, each in its own units.

        Over so many the best is hardly so by chance: there is no hurdle.
        """
        total = np.zeros(())
        for items in self._groups(pilot):
            moments = self._moments(items, self._best_base(items))
            square = forward(moments, self.candidates[:, None, None])
            total = total + (square / np.maximum(square.min(0), 1e-30)).sum(1)
        return total.argmin(0)[None]

    def _groups(self, items: np.ndarray) -> Iterator[np.ndarray]:
        """Entries in groups whose moments and features stay in bounds."""
        horizon = self.batch.future.shape[1]
        moments = 8 * horizon * (self.count + 2) ** 2 * (self.blocks + 2)
        features = 8 * horizon * self.count * min(len(self.batch), 256)
        size = max(1, _FEATURES_BYTES // max(moments, features))
        for start in range(0, len(items), size):
            yield items[start : start + size]

    def _best_base(self, items: np.ndarray) -> np.ndarray:
        error = _bases(self.batch, items) - _futures(self.batch, items)
        return np.nansum(error**2, axis=-1).argmin(0)

    def _moments(self, items: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Moments of (features, 1, target - base) of each block, `(blocks, m, S, p + 2, p + 2)`."""
        size, horizon = self.count + 2, self.batch.future.shape[1]
        moments = np.zeros((self.blocks, len(items), horizon, size, size))
        run = max(1, _FEATURES_BYTES // (8 * horizon * size * len(items)))
        for k in range(self.blocks):
            rows = np.flatnonzero(self.block == k)
            for start in range(0, len(rows), run):
                batch = self.batch.rows(rows[start : start + run])
                target = _futures(batch, items) - _base(_bases(batch, items), base)
                z = self.plan.build(batch, items, room=2)
                z[..., -2], z[..., -1] = 1.0, target
                z[~np.isfinite(target)] = 0.0
                rows_of_z = torch.from_numpy(z)
                moments[k] += (rows_of_z.mT @ rows_of_z).numpy()
        return moments


@dataclass(frozen=True, kw_only=True)
class FittedRidge(FittedAnchor):
    """The regressions.

    Attributes:
        gaps: what is missing of the past, before the features are built.
        plan: which features.
        base: `(entries, S)` number of the base: 0 the mean, 1 the last value, 2 + k the lag k.
        weights: `(entries, S, p + 1)`, intercept last.
    """

    gaps: Gaps
    plan: Plan
    base: np.ndarray
    weights: np.ndarray

    def future(self, batch: WindowBatch) -> np.ndarray:
        """Base plus weighted features."""
        horizon, entries = batch.future.shape[1], len(self.base)
        batch = self.gaps.fill(batch)
        out = np.empty((entries, horizon, len(batch)))
        bytes_each = 8 * horizon * self.weights.shape[-1]
        for items, rows in _pieces(np.arange(entries), len(batch), bytes_each):
            part = batch.rows(rows)
            weights = self.weights[items]
            change = np.einsum("msbp,msp->msb", self.plan.build(part, items), weights[..., :-1])
            out[items, :, rows] = _base(_bases(part, items), self.base[items]) + change + weights[..., -1:]
        return np.transpose(out, (2, 1, 0)).reshape(batch.future.shape)

    def numbers(self) -> dict[str, np.ndarray]:
        """Base, weights, the plan and the moments of gaps."""
        return {"base": self.base, "weights": self.weights, **self.plan.to_arrays(), **self.gaps.to_arrays()}
