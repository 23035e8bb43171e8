"""Recent errors: center + s b, scale s r, from how the anchor erred in the windows just before.

z_kl is the error at lead l, in units of the scale s, in the window that began k strides earlier. A stride is
the least multiple of the calendar's shortest cycle that no horizon is longer than: at the origin all of that
window is known, and its leads are of the same phase. With weights w_k = 2^(-(k - 1) / memory),

    b_l = sum_k w_k z_kl / (B + sum_k w_k),    r^2 = (R + sum_k w_k mean_l z_kl^2) / (R + sum_k w_k).

Exponential smoothing of the level of errors (Brown, "Statistical forecasting for inventory control", 1959) and
of their squares (RiskMetrics technical document, 1996, section 5), drawn toward no change by B = 20 and R = 3
windows of no error and of unit variance. What drifts is followed, and spreads are those of these weeks.
"""

import numpy as np

from rheos.data.anchor.base import FittedAnchor, chunks_of
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

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
    """Errors of a fitted anchor on the windows of a source, made when first asked for and kept.

    Args:
        source: the windows.
        anchor: whose `memory` is above 0.
    """

    def __init__(self, source: WindowSource, anchor: FittedAnchor) -> None:
        self._source, self._anchor = source, anchor
        back = np.arange(1, lookback(anchor.memory) + 1)
        self._back = stride_of(source) * back
        self._weight = 2.0 ** (-(back - 1) / anchor.memory)
        shape = (source.frames, source.spec.horizon, *source.features)
        # Pages that are never written take no memory.
        self._errors, self._known = np.empty(shape, np.float32), np.zeros(source.frames, bool)

    def __call__(self, sequence: np.ndarray, origin: np.ndarray) -> dict[str, np.ndarray]:
        """What the anchor's recent errors say of some windows.

        Args:
            sequence: `(b,)` index of the recording of each.
            origin: `(b,)` index of its first future frame.

        Returns:
            "level": b `(b, S, channel)`, and "spread": r `(b, 1, channel)`, float32.
        """
        earlier = origin[:, None] - self._back
        there = earlier >= self._source.spec.history
        self._require(np.broadcast_to(sequence[:, None], earlier.shape)[there], earlier[there])
        at = self._source.place(sequence[:, None], np.maximum(earlier, 0))
        error = np.where(there[..., None, None], self._errors[np.where(there, at, 0)], np.nan)
        return smoothed(error, self._weight)

    def _require(self, sequence: np.ndarray, origin: np.ndarray) -> None:
        """Make the errors of windows that have none yet."""
        place = self._source.place(sequence, origin)
        new, first = np.unique(place, return_index=True)
        first = first[~self._known[new]]
        for rows in chunks_of(self._source, first):
            batch = self._source.bare(sequence[rows], origin[rows])
            error = (batch.future - self._anchor.future(batch)) / self._anchor.spread(batch)
            self._errors[place[rows]] = np.clip(error, -_WIDEST, _WIDEST)
            self._known[place[rows]] = True


def smoothed(error: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Level and spread of errors `(b, k, S, channel)`, NaN where unknown, by the weights `(k,)`."""
    seen = np.isfinite(error)
    error = np.where(seen, error, 0.0)
    weight = weight[:, None, None] * seen
    level = (weight * error).sum(1) / (_FIRM_LEVEL + weight.sum(1))
    share, square = weight.mean(2), (weight * error**2).mean(2)
    spread = np.sqrt((_FIRM_SPREAD + square.sum(1)) / (_FIRM_SPREAD + share.sum(1)))
    return {"level": level.astype(np.float32), "spread": spread[:, None].astype(np.float32)}


def follow(source: WindowSource, anchor: FittedAnchor) -> WindowSource:
    """The source itself, whose windows from now on tell of the anchor's recent errors, where these are followed."""
    source.errors = RecentErrors(source, anchor) if anchor.memory else None
    return source


def looked_back(source: WindowSource, anchor: FittedAnchor) -> int:
    """Frames before an origin that its window and its anchor's recent errors are made of."""
    back = stride_of(source) * lookback(anchor.memory) if anchor.memory else 0
    return back + source.spec.reach
