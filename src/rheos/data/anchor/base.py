"""What an anchor is: the center and scale of canonical coordinates, u_0 = (x_0 - anchor) / scale.

An anchor is a point forecast from what is known at the origin. The better it is, the less is left for
the process to explain; its scale, the residual's root mean square by lead, makes u_0 of about unit
variance at every lead, and so do the rhythm, its ratio by phase of the calendar's shortest cycle, and the
unrest, its ratio by how far a window's history leaves its season. History frames have the last observed
value as anchor, and as scale how far such frames lie from it, so that the recent path, too, has about unit
variance.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from rheos.core.method import Method
from rheos.data.anchor.rhythm import Rhythm
from rheos.data.anchor.unrest import Unrest, unrest
from rheos.data.dataset import Layout
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

CHUNK_BYTES = 64 * 2**20
_CELL_FLOOR = 0.05
_RHYTHM_WINDOWS = 3000
_UNREST_WINDOWS, UNREST_BLOCKS = 2000, 6
_MOST_ERROR_BYTES = 2**29


@dataclass(frozen=True, kw_only=True)
class FittedAnchor(ABC):
    """An anchor with its numbers.

    Attributes:
        scale: `(F, *features)` float32, positive.
        rhythm: ratio of the future's scale by phase of a cycle; None where there is no cycle.
        unrest: its ratio by what a window's history was like; None where that tells nothing.
        memory: half-life, in windows, of the recent errors that are followed; 0: none are.
    """

    scale: np.ndarray
    rhythm: Rhythm | None = None
    unrest: Unrest | None = None
    memory: float = 0.0

    @abstractmethod
    def future(self, batch: WindowBatch) -> np.ndarray:
        """The point forecast `(b, S, *features)` in coded units, finite everywhere."""

    @abstractmethod
    def numbers(self) -> dict[str, np.ndarray]:
        """What the point forecast is made of, by name."""

    def __call__(self, batch: WindowBatch) -> tuple[np.ndarray, np.ndarray]:
        """The anchor of a batch and its scale, both float32 `(b, F, *features)`."""
        frames = batch.history.shape[1]
        last = last_observed(batch.history)[:, None]
        history = np.broadcast_to(last, batch.history.shape)
        future, spread = self.future(batch), self.spread(batch)
        if batch.recent:
            future, spread = future + spread * batch.recent["level"], spread * batch.recent["spread"]
        center = np.concatenate([history, future], axis=1).astype(np.float32)
        past = np.broadcast_to(self.scale[:frames], history.shape)
        return center, np.concatenate([past, spread], axis=1)

    def spread(self, batch: WindowBatch) -> np.ndarray:
        """The scale of the future frames, recent errors apart, float32 `(b, S, *features)`."""
        scale = np.broadcast_to(self.scale[batch.history.shape[1] :], batch.future.shape)
        for ratio in (self.rhythm, self.unrest):
            scale = scale if ratio is None else scale * ratio(batch)
        return scale

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; with the configuration they restore the anchor."""
        rhythm = self.rhythm
        of_rhythm = {} if rhythm is None else {"rhythm_columns": rhythm.columns, "rhythm_ratio": rhythm.ratio}
        of_unrest = {} if self.unrest is None else self.unrest.to_arrays()
        memory = {"memory": np.array(self.memory)} if self.memory else {}
        return {"scale": self.scale, **memory, **of_rhythm, **of_unrest, **self.numbers()}


class Anchor(Method, ABC):
    """Base of anchors: the configuration that `fit` turns into a :class:`FittedAnchor`.

    Attributes:
        memory: half-life, in windows, of the anchor's recent errors, by which series' forecasts are moved and
            their spread is set; 0: none are looked at.
    """

    memory: float = Field(default=20.0, ge=0)

    @property
    def forecasts(self) -> dict[str, str]:
        """The column known ahead that forecasts a target, by the target's name."""
        return {}

    def require(self, layout: Layout) -> None:
        """Check before any work that the anchor can be fitted on data of this layout.

        Raises:
            InputError: it names what is not there.
        """

    @abstractmethod
    def measure(self, source: WindowSource, indices: np.ndarray) -> FittedAnchor:
        """Measure all but rhythm, unrest and memory, see :meth:`fit`."""

    @abstractmethod
    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> FittedAnchor:
        """Restore all but rhythm, unrest and memory, see :meth:`restore`."""

    def fit(self, source: WindowSource, indices: np.ndarray) -> FittedAnchor:
        """Measure on the training windows.

        Args:
            source: windows of the training span.
            indices: which of them may be used.
        """
        fitted = self.measure(source, indices)
        batches = chunks(source, scattered(indices, _RHYTHM_WINDOWS))
        scale = fitted.scale[source.spec.history :]
        fitted = replace(fitted, rhythm=Rhythm.measure(source, batches, fitted.future, scale))
        if len(source.features) > 1:
            return fitted  # cells are many, and their errors go together
        unrest = _unrest(source, scattered(indices, _UNREST_WINDOWS), fitted)
        return replace(fitted, unrest=unrest, memory=self.remembered(source))

    def remembered(self, source: WindowSource) -> float:
        """The memory, or 0 where the errors of all windows are too many to be kept."""
        return self.memory if error_bytes(source) <= _MOST_ERROR_BYTES else 0.0

    def restore(self, arrays: dict[str, np.ndarray]) -> FittedAnchor:
        """Rebuild what `to_arrays` of an anchor fitted with this configuration gave."""
        rest = dict(arrays)
        scale, rhythm, unrest = rest.pop("scale"), None, None
        memory = float(rest.pop("memory", 0.0))
        if "rhythm_ratio" in rest:
            rhythm = Rhythm(columns=rest.pop("rhythm_columns"), ratio=rest.pop("rhythm_ratio"))
        if "unrest_power" in rest:
            unrest = Unrest.from_arrays(rest)
            rest = {name: value for name, value in rest.items() if not name.startswith("unrest_")}
        return replace(self.rebuild(scale, rest), rhythm=rhythm, unrest=unrest, memory=memory)


def _unrest(source: WindowSource, indices: np.ndarray, fitted: FittedAnchor) -> Unrest | None:
    """How the scale of a fitted anchor follows a window's history, on training windows."""
    size, square, count, block = [], [], [], []
    for batch in chunks(source, indices):
        residual = (batch.future - fitted.future(batch)) / fitted.spread(batch)
        size.append(unrest(batch))
        square.append(np.nansum(residual.astype(np.float64) ** 2, axis=1))
        count.append(np.isfinite(residual).sum(1))
        block.append(np.stack([batch.sequence, batch.origin]))
    if not size:
        return None
    sequence, origin = np.concatenate(block, axis=1)
    of_time = blocks_of(sequence, origin, UNREST_BLOCKS)
    return Unrest.measure(np.concatenate(size), np.concatenate(square), np.concatenate(count), of_time)


def after(start: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}


def newest(history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last observed value of each entry `(b, *features)`, NaN where none is, and its frame."""
    frames = history.shape[1]
    steps = np.arange(frames).reshape(1, frames, *(1,) * (history.ndim - 2))
    where = np.where(np.isfinite(history), steps, 0).max(1)
    return np.take_along_axis(history, where[:, None], axis=1)[:, 0], where


def last_observed(history: np.ndarray) -> np.ndarray:
    """The last observed value of each entry, `(b, *features)`; 0, the training mean, where none is."""
    return np.nan_to_num(newest(history)[0], nan=0.0)


def time_blocks(batch: WindowBatch, blocks: int) -> np.ndarray:
    """The block of time of each window: its place between the first and last origin of its sequence."""
    return blocks_of(batch.sequence, batch.origin, blocks)


def blocks_of(sequences: np.ndarray, origins: np.ndarray, blocks: int) -> np.ndarray:
    """:func:`time_blocks` from the windows' sequences and origins `(n,)`."""
    block = np.zeros(len(origins), int)
    for sequence in np.unique(sequences):
        mine = sequences == sequence
        place = origins[mine] - origins[mine].min()
        block[mine] = blocks * place // (place.max() + 1)
    return block


def some(indices: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the indices, evenly spread."""
    if len(indices) <= most:
        return np.asarray(indices)
    return np.asarray(indices)[np.linspace(0, len(indices) - 1, most).round().astype(int)]


def scattered(indices: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the indices, the same ones every time and of all phases of any cycle."""
    if len(indices) <= most:
        return np.asarray(indices)
    kept = np.random.default_rng(0).choice(len(indices), most, replace=False)
    return np.asarray(indices)[np.sort(kept)]


def window_bytes(source: WindowSource) -> int:
    """Memory of one window's targets."""
    spec = source.spec
    return 4 * spec.frames * (2 + len(spec.lags)) * int(np.prod(source.features))


def error_bytes(source: WindowSource) -> int:
    """Memory of the errors of every window of a source."""
    return 4 * source.frames * source.spec.horizon * int(np.prod(source.features))


def chunks(source: WindowSource, indices: np.ndarray) -> Iterator[WindowBatch]:
    """The windows in batches of bounded memory."""
    for some_of_them in chunks_of(source, indices):
        yield source.batch(some_of_them)


def chunks_of(source: WindowSource, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows, one for a window, in runs of bounded memory."""
    count = max(1, CHUNK_BYTES // window_bytes(source))
    for start in range(0, len(rows), count):
        yield rows[start : start + count]


def residual_scale(
    source: WindowSource, indices: np.ndarray, forecast: Callable[[WindowBatch], np.ndarray]
) -> np.ndarray:
    """Root mean square of `future - forecast` over windows, as a `(F, *features)` scale."""
    future, past = (np.zeros((2, n, *source.features)) for n in (source.spec.horizon, source.spec.history))
    for batch in chunks(source, indices):
        future += squares(batch.future.astype(np.float64) - forecast(batch))
        past += history_squares(batch.history)
    return whole_scale(future, past)


def squares(error: np.ndarray) -> np.ndarray:
    """Sum over windows of squared errors, and how many there were: `(2, frames, *features)`."""
    return np.stack([np.nansum(error**2, axis=0), np.isfinite(error).sum(0)])


def _drift(history: np.ndarray) -> np.ndarray:
    """History less the last observed value, the last frame standing in for by the one before it."""
    away = history.astype(np.float64) - last_observed(history)[:, None]
    # The last frame is its own anchor; its deviation would be 0 and no scale.
    away[:, -1] = away[:, -2] if history.shape[1] > 1 else np.nan
    return away


def history_squares(history: np.ndarray) -> np.ndarray:
    """:func:`squares` of how far each history frame lies from the last observed value."""
    return squares(_drift(history))


def whole_scale(future: np.ndarray, past: np.ndarray) -> np.ndarray:
    """Scale of all frames `(F, *features)` from the summed squares and counts of future and past.

    Entries never seen get their channel's mean scale, and none less than 5 % of it (sea ice would
    otherwise blow up); a channel without residuals gets 1.
    """
    return np.concatenate([_root(*past), _root(*future)]).astype(np.float32)


def _root(square: np.ndarray, count: np.ndarray) -> np.ndarray:
    space = tuple(range(2, square.ndim))
    total, seen = square.sum(space, keepdims=True), count.sum(space, keepdims=True)
    typical = np.sqrt(total / np.maximum(seen, 1))
    typical = np.where(typical > 1e-9, typical, 1.0)
    own = np.sqrt(square / np.maximum(count, 1))
    return np.where(count > 0, np.maximum(own, _CELL_FLOOR * typical), typical)
