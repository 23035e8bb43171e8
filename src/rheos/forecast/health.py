"""Health: does a member still move as the training data do, or has it left their range, energy or spectrum?

Each frame has, by variable, a size max |z|, an energy mean z^2, a change mean (z - z_before)^2 and, on grids,
a relief: the mean squared difference of neighbors; z in standard units, means over cells. Energy, change
and relief are averaged over the last `span` frames: the cube root of such a mean of squares is close to
normal below its mean (Wilson, Hilferty 1931, doi:10.1073/pnas.17.12.684), its logarithm above it, where
frames alike make tails heavier. So limits that a healthy run leaves with a given probability are a
prediction interval of Student's law, from as many independent runs as those of the training data are
worth. Of the size, the largest of a run is taken to follow Gumbel's law.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from rheos.data.dataset import Dataset
from rheos.forecast.measure import channel_scale

RATE = 1e-4
"""Of healthy frames of a member, the share that is found to be something else."""
HEALTH = "health"
"""Name of the coordinate that holds it in a forecast."""
MEANINGS = ("not_finite", "size", "energy", "change", "relief")
"""What bit 1, 2, 4, ... of a frame's health says; 0 is healthy."""
_SPAN, _FEWEST_FRAMES, _FEWEST_RUNS = 24, 4, 8
# Both laws are near the truth, not it: the intervals are made for a tenth of the rate that is promised.
_MARGIN = 10.0
_EULER = 0.5772156649015329
_PART = 2**20  # entries looked at at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the training data move.

    Attributes:
        span: frames of a run.
        runs: `(4, channel)` how many independent runs those of the training data are worth, by measure.
        center: `(channel,)` mean of each variable.
        scale: `(channel,)` its standard deviation.
        mean: `(4, channel)` over runs: of the largest size, and of the cube roots of energy, change, relief.
        deviation: `(4, channel)` their standard deviations; NaN where there is nothing to measure.
        log_mean: `(4, channel)` mean of their logarithms.
        log_deviation: `(4, channel)` standard deviation of those.
        least: `(4, channel)` their smallest values.
    """

    span: int
    runs: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    log_mean: np.ndarray
    log_deviation: np.ndarray
    least: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset) -> "Health":
        """Measure the recordings of the training span."""
        scale = channel_scale(dataset)
        recordings = [recording.values[: recording.observed] for recording in dataset.recordings]
        frames = sum(len(values) for values in recordings)
        span = max(1, min(_SPAN, frames // _FEWEST_RUNS, *(len(values) for values in recordings)))
        center = _center(recordings)
        each = [_runs(_measured(values, center, scale), span) for values in recordings]
        measured = np.concatenate(each)
        mean, deviation = _moments(measured)
        moving = np.where(measured > 0.0, measured, np.nan)
        log_mean, log_deviation = _moments(np.log(moving))
        known = np.isfinite(measured)
        # A variable that is the same in all runs may be a little off in rounding.
        enough = (known.sum(0) > 1) & (span >= _FEWEST_FRAMES) & (deviation > 0.0)
        return cls(
            span=span,
            runs=np.maximum(2.0, sum(_worth(part) for part in each)),
            center=center,
            scale=scale,
            mean=mean,
            deviation=np.where(enough, deviation, np.nan),
            log_mean=log_mean,
            log_deviation=log_deviation,
            least=np.where(known, measured, np.inf).min(0, initial=np.inf),
        )

    def limits(self, rate: float = RATE) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest healthy values, each `(4, channel)`, of size and of the cube roots.

        Args:
            rate: share of healthy frames beyond any of them, over all measures and variables together.
        """
        each = rate / _MARGIN / max(1, int(np.isfinite(self.deviation).sum()))
        normal = stats.t.ppf(1.0 - each / 2.0, self.runs - 1.0) * np.sqrt(1.0 + 1.0 / self.runs)
        # Few runs know their deviation badly, of any law: Gumbel's quantile is widened as the normal one is.
        wider = normal[0] / stats.norm.ppf(1.0 - each / 2.0)
        largest = wider * (-math.log(-math.log1p(-each)) - _EULER) * math.sqrt(6.0) / math.pi
        known = np.isfinite(self.deviation)
        spread, log_spread = (np.where(known, part, np.inf) for part in (self.deviation, self.log_deviation))
        low = self.mean - normal * spread
        # Where runs of the data are never still, one that is still to nine digits is not theirs.
        low = np.where(known & (self.least > 0.0), np.maximum(low, 1e-3 * self.least), low)
        high = np.exp(self.log_mean + normal * log_spread)
        low[0], high[0] = -np.inf, self.mean[0] + largest * spread[0]
        return low, high

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name."""
        return {field.name: np.asarray(getattr(self, field.name), np.float64) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Health | None":
        """The inverse; None where a model of an earlier version holds none."""
        if not arrays:
            return None
        numbers = {field.name: arrays[field.name] for field in fields(cls) if field.name != "span"}
        return cls(span=int(arrays["span"]), **numbers)


class Watch:
    """Watches members as their frames come; what it keeps is of the size of a run.

    Args:
        health: how the training data move.
        exists: `features` bool, entries that are forecast.
        rate: see :meth:`Health.limits`.
    """

    def __init__(self, health: Health, exists: np.ndarray, rate: float = RATE) -> None:
        self._health, self._exists = health, exists
        self._low, self._high = health.limits(rate)
        self._last: np.ndarray | None = None
        self._measured: np.ndarray | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The health of the members' next frames.

        Args:
            values: `(members, frames, *features)`, raw units, directions as points of the plane.

        Returns:
            uint8 `(members, frames)`: the bits of :data:`MEANINGS` that hold of any variable.
        """
        health, frames = self._health, values.shape[1]
        values = np.asarray(values, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            new = measures(values, health.center, health.scale, self._last)
            measured = new if self._measured is None else np.concatenate([self._measured, new], axis=1)
            runs = _runs(measured, health.span, every=True)[:, -frames:]
            # The size of this frame, not of the run: an outlier is told once, when it comes.
            runs[:, :, 0] = new[:, :, 0]
            wrong = (runs < self._low) | (runs > self._high)
        bits = np.concatenate([self._unknown(values)[:, :, None], wrong.any(-1)], axis=2)
        self._last = values[:, -1:].copy()
        self._measured = measured[:, max(0, measured.shape[1] - health.span + 1) :].copy()
        return (bits * (1 << np.arange(len(MEANINGS)))).sum(2).astype(np.uint8)

    def _unknown(self, values: np.ndarray) -> np.ndarray:
        """Whether an entry that is forecast is no number, `(members, frames)`."""
        return (~np.isfinite(values) & self._exists).any(axis=tuple(range(2, values.ndim)))


def measures(
    values: np.ndarray, center: np.ndarray, scale: np.ndarray, before: np.ndarray | None = None
) -> np.ndarray:
    """Size, energy, change and relief of each frame and variable, `(rows, frames, 4, channel)`.

    NaN where there is nothing to measure: the change of a first frame, the relief of a series.

    Args:
        values: `(rows, frames, channel, *space)`.
        center: `(channel,)`.
        scale: `(channel,)`.
        before: the frame before the first, `(rows, 1, channel, *space)`.
    """
    shape = (len(center), *(1,) * (values.ndim - 3))
    z = (values - center.reshape(shape)) / scale.reshape(shape)
    first = np.full_like(z[:, :1], np.nan)
    if before is not None:
        first = (before - center.reshape(shape)) / scale.reshape(shape)
    longer = np.concatenate([first, z], axis=1)
    slopes = [_mean(np.diff(z, axis=axis) ** 2) for axis in range(3, z.ndim) if z.shape[axis] > 1]
    relief = np.sum(slopes, axis=0) if slopes else np.full(z.shape[:3], np.nan)
    flat = np.abs(z).reshape(*z.shape[:3], -1)
    seen = np.isfinite(flat)
    size = np.where(seen, flat, -np.inf).max(-1)
    size = np.where(seen.any(-1), size, np.nan)
    return np.stack([size, _mean(z**2), _mean(np.diff(longer, axis=1) ** 2), relief], axis=2)


def _measured(values: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`(frames, 4, channel)`: :func:`measures` of a recording `(frames, channel, *space)`, in parts."""
    found, before = [], None
    for part in _parts(values):
        found.append(measures(part[None], center, scale, before)[0])
        before = part[None, -1:]
    return np.concatenate(found)


def _parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Some frames after the other, in double precision."""
    frames = max(1, _PART // max(1, values[0].size))
    for start in range(0, len(values), frames):
        yield values[start : start + frames].astype(np.float64)


def _center(recordings: list[np.ndarray]) -> np.ndarray:
    """Mean of each variable over all recordings, `(channel,)`; 0 where nothing is observed."""
    total, count = np.zeros(recordings[0].shape[1]), np.zeros(recordings[0].shape[1])
    for values in recordings:
        for part in _parts(values):
            axes = (0, *range(2, part.ndim))
            total += np.nansum(part, axis=axes)
            count += np.isfinite(part).sum(axes)
    return total / np.maximum(count, 1)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over cells of what is there, `(rows, frames, channel)`; NaN where nothing is."""
    flat = values.reshape(*values.shape[:3], -1)
    seen = np.isfinite(flat)
    count = seen.sum(-1)
    return np.where(count > 0, np.where(seen, flat, 0.0).sum(-1) / np.maximum(count, 1), np.nan)


def _runs(measured: np.ndarray, span: int, every: bool = False) -> np.ndarray:
    """Of each run of `span` frames the largest size and the cube roots of the means of the others.

    Args:
        measured: `(..., frames, 4, channel)`.
        span: frames of a run.
        every: one run for each frame that it ends at, NaN before the first whole one.
    """
    frames = measured.shape[-3]
    lead = [(0, 0)] * (measured.ndim - 3)
    if every:
        measured = np.pad(measured, [*lead, (span - 1, 0), (0, 0), (0, 0)], constant_values=np.nan)
        frames += span - 1
    if frames < span:
        return np.full((*measured.shape[:-3], 0, *measured.shape[-2:]), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(measured, span, axis=-3)
    # A mean of all frames in the same order, so that a run has the same bits however it was fed.
    total = windows[..., 0].copy()
    largest = windows[..., 0].copy()
    for frame in range(1, span):
        total += windows[..., frame]
        largest = np.maximum(largest, windows[..., frame])
    roots = np.cbrt(total / span)
    roots[..., 0, :] = largest[..., 0, :]
    return roots


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation along the first axis of what is there; 0 where nothing is."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0.0).sum(0) / count
    return mean, np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(0) / count)


def _worth(runs: np.ndarray) -> np.ndarray:
    """How many independent numbers those of a stretch are worth, n / (1 + 2 sum of correlations).

    Args:
        runs: `(n, 4, channel)`, neighbors much alike; NaN where there is none.

    Returns:
        `(4, channel)`; correlations are summed up to the first that is not positive.
    """
    worth = np.zeros(runs.shape[1:])
    for place in np.ndindex(*worth.shape):
        series = runs[(slice(None), *place)]
        series = series[np.isfinite(series)]
        if len(series) < 2 or not np.ptp(series) > 0.0:
            continue
        power = np.abs(np.fft.rfft(series - series.mean(), 2 * len(series))) ** 2
        correlation = np.fft.irfft(power)[: len(series)]
        correlation /= correlation[0]
        ends = np.flatnonzero(correlation <= 0.0)
        worth[place] = len(series) / (2.0 * correlation[: ends[0] if len(ends) else None].sum() - 1.0)
    return worth
