"""Gaps: E[x | seen] for what is missing of a window's past, from its season and from what lies near in time.

For Gaussian data E[y | seen] = w . E[x | seen], w the weights of a forecast from complete data: the weights
of a linear forecast, applied to conditional means, are the forecast with the missing entries integrated
out. The mean of an entry is that of its seasonal values at the same frame, then, about it, simple kriging
(Matheron 1963) from the two nearest seen frames before it and after it, which for an autoregression of first
order are all that counts. Nothing from the origin on is read. The network is not shown these means: it has
the mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from rheos.data.anchor.base import some
from rheos.data.windows import WindowBatch

_NUGGET = 1e-4  # of the variance: what keeps nearly equal neighbors apart
_LEAST_SHARE = 1e-3  # of a covariance's largest eigenvalue
_FLOOR = 1e-4  # of the mean of a spectrum
_TINY = 1e-12
_MOST_WINDOWS = 3000
_ENTRIES_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Moments of the past along seasonal lags and along frames; R = 1 + K runs: history and each lag.

    Attributes:
        mean: `(R, entries)`, of each run.
        across: `(R, R, entries)`, covariance of the runs at one frame.
        along: `(2, R, entries, frames)`, autocovariance of a run, and of what the other runs leave of it.
        past: `(k, P)`, autocovariance of the past covariates, in standard units.
    """

    mean: np.ndarray
    across: np.ndarray
    along: np.ndarray
    past: np.ndarray

    @classmethod
    def of(cls, batch: WindowBatch) -> "Gaps":
        """Measure on training windows, from the pairs of entries that were seen."""
        part = batch.rows(some(np.arange(len(batch)), _windows(batch)))
        runs, past = _runs(part), part.past.astype(np.float64)[:, :, None]
        seen = np.isfinite(runs)
        mean = np.where(seen, runs, 0.0).sum((0, 1)) / np.maximum(seen.sum((0, 1)), 1)
        away = np.where(seen, runs - mean, 0.0)
        across, along = _covariance(away, seen), _autocovariance(np.where(seen, away, np.nan))
        left = _autocovariance(np.where(seen, away - _season(away, seen, across), np.nan))
        gaps = cls(mean=mean, across=across, along=np.stack([along, left]), past=_autocovariance(past)[0])
        left = _autocovariance(np.where(seen, away - gaps._others(away, seen, slice(None)), np.nan))
        return replace(gaps, along=np.stack([along, left]))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All parts by name."""
        return {f"gaps_{name}": getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Gaps":
        """The inverse of :meth:`to_arrays`."""
        return cls(**{name: arrays[f"gaps_{name}"] for name in cls.__dataclass_fields__})

    def fill(self, batch: WindowBatch) -> WindowBatch:
        """The windows with history, lagged and past values put to their conditional means where missing.

        Entries of which nothing at all was seen in training stay missing; the future is left alone.
        """
        past = _filled(batch.past.astype(np.float64)[:, :, None], self.past[None])[:, :, 0]
        batch = replace(batch, past=past.astype(np.float32))
        items = np.flatnonzero(self._wanted(batch))
        if len(items) == 0:
            return batch
        shapes = batch.history.shape, batch.lagged.shape
        history = batch.history.reshape(*shapes[0][:2], -1).copy()
        lagged = batch.lagged.reshape(*shapes[1][:3], history.shape[2]).copy()
        for mine, rows in self._pieces(items, len(batch)):
            runs = self._whole(_runs(batch.rows(rows), mine), mine).astype(np.float32)
            history[rows, :, mine] = runs[:, : history.shape[1], 0]
            lagged[rows, :, :, mine] = runs[:, :, 1:]
        return replace(batch, history=history.reshape(shapes[0]), lagged=lagged.reshape(shapes[1]))

    def _wanted(self, batch: WindowBatch) -> np.ndarray:
        """Which entries have a gap, and moments to fill it with."""
        gap = ~np.isfinite(batch.history).all((0, 1)) | ~np.isfinite(batch.lagged).all((0, 1, 2))
        return np.asarray(gap.ravel() & (self.along[1, :, :, 0] > 0).any(0))

    def _pieces(self, items: np.ndarray, rows: int) -> Iterator[tuple[np.ndarray, slice]]:
        """Entries in groups and windows in runs, so that memory stays in bounds."""
        window = self.along.shape[-1] * len(self.mean)
        group = max(1, _ENTRIES_AT_ONCE // (window * min(rows, 16)))
        run = max(1, _ENTRIES_AT_ONCE // (window * min(group, len(items))))
        for first in range(0, len(items), group):
            for start in range(0, rows, run):
                yield items[first : first + group], slice(start, start + run)

    def _whole(self, runs: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Runs `(b, F, R, m)` of some entries without gaps."""
        seen, mean = np.isfinite(runs), self.mean[:, items]
        away = np.where(seen, runs - mean, 0.0)
        season = self._others(away, seen, items)
        left, _ = _kriged(np.where(seen, away - season, 0.0), seen, self.along[1][:, items])
        return mean + np.where(seen, away, season + left)

    def _others(self, away: np.ndarray, seen: np.ndarray, items: np.ndarray | slice) -> np.ndarray:
        """What the other seasons say, with those whose neighbors in time tell more than a season does."""
        near, error = _kriged(away, seen, self.along[0][:, items])
        close = ~seen & (error < self.along[1][:, items, 0])
        return _season(np.where(close, near, away), seen | close, self.across[..., items])


def _windows(batch: WindowBatch) -> int:
    """How many windows are looked at."""
    size = (1 + batch.lagged.shape[2]) * batch.lagged.shape[1] * max(1, batch.history[0, 0].size)
    return max(16, min(_MOST_WINDOWS, 10 * _ENTRIES_AT_ONCE // size))


def _runs(batch: WindowBatch, items: np.ndarray | slice = slice(None)) -> np.ndarray:
    """History, its future unknown, and every lag: `(b, F, R, m)` float64."""
    rows, frames, lags = batch.lagged.shape[:3]
    history = batch.history.reshape(rows, batch.history.shape[1], -1)[..., items]
    runs = np.full((rows, frames, 1 + lags, history.shape[2]), np.nan)
    runs[:, : history.shape[1], 0] = history
    if lags:
        runs[:, :, 1:] = batch.lagged.reshape(rows, frames, lags, -1)[..., items]
    return runs


def _covariance(away: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Of the runs at one frame `(R, R, m)`, over pairs that were both seen; positive definite."""
    there, square = seen.astype(np.float64), np.where(seen, away, 0.0) ** 2
    products = np.einsum("bfrm,bfsm->mrs", away, away)
    own = np.einsum("bfrm,bfsm->mrs", square, there)
    size = np.sqrt(square.sum((0, 1)) / np.maximum(there.sum((0, 1)), 1.0)).T
    found = _correlation(products, own, own.swapaxes(1, 2)) * size[:, :, None] * size[:, None]
    values, vectors = np.linalg.eigh(found)
    floor = np.maximum(_LEAST_SHARE * values[:, -1:], _TINY)
    return np.moveaxis((vectors * np.maximum(values, floor)[:, None]) @ vectors.swapaxes(1, 2), 0, 2)


def _season(away: np.ndarray, seen: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Each run's mean given those of the others that are there, frame by frame: `(b, F, R, m)`."""
    runs, entries = away.shape[2:]
    if runs == 1:
        return np.zeros_like(away)
    code = np.einsum("bfrm,r->bfm", seen.astype(np.int64), 2 ** np.arange(runs))
    patterns, which = np.unique(code, return_inverse=True)
    there = (patterns[:, None] >> np.arange(runs) & 1).astype(np.float64)[:, None]
    covariance = np.moveaxis(across, 2, 0)
    known = covariance * there[..., :, None] * there[..., None, :]
    known = known + np.eye(runs) * (1.0 - there)[..., None]
    precision = _inverse(known)
    diagonal = np.diagonal(precision, axis1=-2, axis2=-1)[..., None]
    of_seen = np.eye(runs) - precision / diagonal
    of_missing = (covariance * there[..., None, :]) @ precision
    weights = np.where(there[..., None] > 0, of_seen, of_missing) * there[..., None, :]
    chosen = weights[which.reshape(code.shape), np.arange(entries)]
    return np.asarray(np.einsum("bfmrs,bfsm->bfrm", chosen, away))


def _filled(values: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Runs about 0 `(b, F, R, m)`, NaN where missing, without gaps."""
    seen = np.isfinite(values)
    known = np.where(seen, values, 0.0)
    return known if seen.all() else known + _kriged(known, seen, along)[0]


def _kriged(values: np.ndarray, seen: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of what is missing given the nearest seen frames, about 0, and its variance; both 0 where seen.

    Args:
        values: `(b, F, R, m)`, 0 where missing.
        seen: bool, alike.
        along: `(R, m, F)` autocovariance.
    """
    mean, variance = np.zeros_like(values), np.zeros_like(values)
    row, frame, run, entry = np.nonzero(~seen)
    if len(row) == 0:
        return mean, variance
    near = _nearest(seen)[:, row, frame, run, entry].T
    there = near >= 0
    away = np.where(there, near - frame[:, None], 0)
    frames = values.shape[1]
    code = run * values.shape[3] + entry
    for step in np.where(there, away + frames, 0).T:
        code = code * (2 * frames + 1) + step
    # Few patterns of neighbors come up again and again.
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    away, some_there, kernel = away[first], there[first].astype(np.float64), along[run[first], entry[first]]
    between = np.abs(away[:, :, None] - away[:, None])
    pattern = np.arange(len(first))[:, None]
    known = kernel[pattern[..., None], between] * some_there[:, :, None] * some_there[:, None]
    nugget = np.maximum(_NUGGET * kernel[:, :1], _TINY)
    known = known + np.eye(near.shape[1]) * (1.0 - some_there + nugget)[..., None]
    toward = kernel[pattern, np.abs(away)] * some_there
    weights = (_inverse(known) @ toward[..., None])[..., 0]
    left = kernel[:, 0] - (weights * toward).sum(1)
    around = values[row[:, None], np.maximum(near, 0), run[:, None], entry[:, None]]
    which = which.ravel()
    mean[row, frame, run, entry] = (weights[which] * around).sum(1)
    variance[row, frame, run, entry] = left[which]
    return mean, variance


def _nearest(seen: np.ndarray) -> np.ndarray:
    """Frames of the nearest seen entries before and after each, -1 where none is: `(4, *seen's shape)`."""
    frames = seen.shape[1]
    step = np.arange(frames)[:, None, None]
    before = np.maximum.accumulate(np.where(seen, step, -1), 1)
    after = np.minimum.accumulate(np.where(seen, step, frames)[:, ::-1], 1)[:, ::-1]
    earlier = np.take_along_axis(before, np.maximum(before - 1, 0), 1)
    later = np.take_along_axis(after, np.minimum(after + 1, frames - 1), 1)
    earlier = np.where(before > 0, earlier, -1)
    later = np.where(after < frames - 1, later, frames)
    return np.stack(
        [before, earlier, np.where(after < frames, after, -1), np.where(later < frames, later, -1)]
    )


def _autocovariance(values: np.ndarray) -> np.ndarray:
    """Covariance of entries k frames apart, over pairs both seen: `(R, m, F)`, positive definite."""
    seen = np.isfinite(values)
    frames, ever = values.shape[1], seen.any((0, 3))
    found = np.zeros((*values.shape[2:], frames))
    for run in range(values.shape[2]):
        # A run may end early, as history does where the future begins.
        length = max(int(frames - ever[::-1, run].argmax()) if ever[:, run].any() else 1, 2)
        own = _of_run(values[:, :length, run], seen[:, :length, run])
        found[run, :, : own.shape[1]], found[run, :, own.shape[1] :] = own, own[:, -1:]
    return found


def _of_run(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """:func:`_autocovariance` of one run `(b, f, m)`: `(m, f)`.

    Means over different pairs need not be positive definite, and nearly equal neighbors tell.
    """
    known, frames = np.where(seen, values, 0.0), values.shape[1]
    waves = [np.fft.rfft(part, 2 * frames, axis=1) for part in (known, seen.astype(np.float64), known**2)]

    def pairs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.fft.irfft((one.conj() * other).sum(0), 2 * frames, axis=0)[:frames].T

    size = (known**2).sum((0, 1)) / np.maximum(seen.sum((0, 1)), 1)
    measured = _correlation(pairs(waves[0], waves[0]), pairs(waves[2], waves[1]), pairs(waves[1], waves[2]))
    measured = size[:, None] * np.where(pairs(waves[1], waves[1]) > 0.5, measured, 0.0)
    around = np.concatenate([measured, measured[:, -2:0:-1]], 1)
    spectrum = np.fft.rfft(around).real
    floor = _FLOOR * np.abs(spectrum).mean(1, keepdims=True)
    return np.asarray(np.fft.irfft(np.maximum(spectrum, floor), around.shape[1])[:, :frames])


def _correlation(products: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of pairs, from sums of their products and of the squares of each: a pair brings its own size along."""
    return np.asarray(products / np.sqrt(np.maximum(one * other, _TINY)))


def _inverse(matrices: np.ndarray) -> np.ndarray:
    # torch's threads are the user's to set; numpy's own are not and stall where processes share cores.
    return torch.linalg.inv(torch.from_numpy(matrices)).numpy()
