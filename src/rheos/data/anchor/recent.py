"""Recent errors: center + s b, scale s r, from how the anchor erred in the windows just before.

z_kl is the error at lead l, in units of the scale s, in the window that began k strides earlier. A stride is
the least multiple of the calendar's shortest cycle that no horizon is longer than: at the origin all of that
window is known, and its leads are of the same phase. With weights w_k = 2^(-(k - 1) / memory),

    b_l = sum_k w_k z_kl / (B + sum_k w_k),    r^2 = (R + sum_k w_k mean_l z_kl^2) / (R + sum_k w_k).

Exponential smoothing of the level of errors (Brown, "Statistical forecasting for inventory control", 1959)
and of their squares (RiskMetrics technical document, 1996, section 5), drawn toward no change by B = 20 and
R = 3 windows of no error and of unit variance. What drifts is followed, and spreads are those of these weeks.
"""

from collections.abc import Callable

import numpy as np

from rheos.data.anchor.base import FittedAnchor, chunks_of
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_FIRM_LEVEL, _FIRM_SPREAD = 20.0, 3.0
_LONGEST_CYCLE = 4  # horizons; a cycle beyond would leave too few windows
_REACH = 3  # memories
_WIDEST = 4.0  # scales; what lies beyond is an accident


def stride_of(source: WindowSource) -> int:
    """Frames from one window to the next that is looked back on."""
    known = source.spec.horizon + max(source.spec.late.values(), default=0)
    cycle = source.shortest_cycle
    if cycle is None or cycle[1] > _LONGEST_CYCLE * known:
        return known
    return cycle[1] * -(-known // cycle[1])


def lookback(memory: float) -> int:
    """How many windows are looked back on."""
    return int(np.ceil(_REACH * memory))


class RecentErrors:
    """What the recent errors of a fitted anchor say of the windows of a source.

    Args:
        source: the windows.
        anchor: whose `memory` is above 0.
        ahead: whether to look at all windows now, as training wants it. Else the errors before an origin
            are made when it is asked for, by themselves, so that no bit of them depends on what else is
            asked for.
    """

    def __init__(self, source: WindowSource, anchor: FittedAnchor, ahead: bool) -> None:
        self._source, self._anchor = source, anchor
        self._stride = stride_of(source)
        self._weight = 2.0 ** (-np.arange(lookback(anchor.memory)) / anchor.memory)
        recordings = range(len(source.dataset.recordings))
        self._table = [self._of_all(sequence) for sequence in recordings] if ahead else None

    def __call__(self, sequence: np.ndarray, origin: np.ndarray) -> dict[str, np.ndarray]:
        """Level and spread for some windows.

        Args:
            sequence: `(b,)` index of the recording of each.
            origin: `(b,)` index of its first future frame.

        Returns:
            "level": b `(b, S, channel)`, and "spread": r `(b, 1, channel)`, float32.
        """
        rows = list(zip(sequence.tolist(), origin.tolist(), strict=True))
        if self._table is not None:
            parts = [{name: one[at] for name, one in self._table[i].items()} for i, at in rows]
        else:
            parts = [self._of_one(i, at) for i, at in rows]
        return {name: np.stack([part[name] for part in parts]) for name in ("level", "spread")}

    def _of_one(self, sequence: int, origin: int) -> dict[str, np.ndarray]:
        earlier = origin - self._stride * np.arange(1, len(self._weight) + 1)
        earlier = earlier[earlier >= self._source.spec.history]
        weight = self._weight[: len(earlier)]

        def total(values: np.ndarray) -> np.ndarray:
            return np.tensordot(weight, values, 1)

        return _smoothed(self._errors(sequence, earlier), total)

    def _of_all(self, sequence: int) -> dict[str, np.ndarray]:
        """As :meth:`_of_one` for every origin of a recording."""
        frames = len(self._source.dataset.recordings[sequence])
        shape = (frames + 1, self._source.spec.horizon, *self._source.features)
        error = np.full(shape, np.nan, np.float32)
        for origins in chunks_of(self._source, np.arange(self._source.spec.history, frames)):
            error[origins] = self._errors(sequence, origins)
        return _smoothed(error, lambda values: trailing(values, self._stride, self._weight))

    def _errors(self, sequence: int, origin: np.ndarray) -> np.ndarray:
        """z of some windows `(b, S, channel)`, NaN where nothing came."""
        if len(origin) == 0:
            return np.zeros((0, self._source.spec.horizon, *self._source.features), np.float32)
        batch = self._source.bare(np.full(len(origin), sequence), origin)
        error = (batch.future - self._anchor.future(batch)) / self._anchor.spread(batch)
        return np.asarray(np.clip(error, -_WIDEST, _WIDEST), np.float32)


def _smoothed(error: np.ndarray, total: Callable[[np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
    """Level `(..., S, channel)` and spread `(..., 1, channel)` of errors `(n, S, channel)`.

    Args:
        error: in units of the scale.
        total: sum_k w_k of its argument, along the first axis.
    """
    seen = np.isfinite(error).astype(np.float32)
    error = np.nan_to_num(error)
    level = total(error) / (_FIRM_LEVEL + total(seen))
    square, share = (total(part.mean(1, keepdims=True)) for part in (error**2, seen))
    spread = np.sqrt((_FIRM_SPREAD + square) / (_FIRM_SPREAD + share))
    return {"level": level.astype(np.float32), "spread": spread.astype(np.float32)}


def trailing(values: np.ndarray, stride: int, weight: np.ndarray) -> np.ndarray:
    """sum_k w_k values[n - k stride] for every n, k = 1, 2, ..., by recursion; what lies before 0 is none.

    Args:
        values: `(n, ...)`.
        stride: at least 1.
        weight: w, a geometric sequence that begins with 1.
    """
    ratio = 0.5 if len(weight) < 2 else float(weight[1])
    out = np.zeros_like(values)
    for start in range(stride, len(values), stride):
        here = slice(start, min(start + stride, len(values)))
        before = slice(start - stride, here.stop - stride)
        out[here] = values[before] + ratio * out[before]
        if (left := start - (len(weight) + 1) * stride) >= 0:
            out[here] -= weight[-1] * ratio * values[left : left + here.stop - start]
    return out


def follow(source: WindowSource, anchor: FittedAnchor, *, ahead: bool = False) -> WindowSource:
    """The source itself, its windows telling from now on of the errors that the anchor follows.

    Args:
        source: the windows.
        anchor: fitted.
        ahead: as for :class:`RecentErrors`.
    """
    source.errors = RecentErrors(source, anchor, ahead) if anchor.memory else None
    return source


def carried(source: WindowSource, batch: WindowBatch, rows: int) -> dict[str, np.ndarray]:
    """What one window's recent errors say of the windows after it, one for each of `rows` members.

    Nothing where the leads of the next window are of other phases.
    """
    if stride_of(source) != source.spec.horizon:
        return {}
    return {name: np.repeat(value, rows, axis=0) for name, value in batch.recent.items()}


def looked_back(source: WindowSource, anchor: FittedAnchor) -> int:
    """Frames before an origin that its window and its anchor's recent errors are made of."""
    back = stride_of(source) * lookback(anchor.memory) if anchor.memory else 0
    return back + source.spec.reach
