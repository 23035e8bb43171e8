"""Geometric prior: anchor = an affine sum of the agent's places, the same for all agents and axes.

    anchor_s = x_P + sum_p c_sp (x_P - x_p) + a_s (mean_j x_jP - x_P) + b_s mean_j (x_jP - x_j,P-1)

j the other agents. The weights of all places add up to 1, and they are numbers: what turns, shifts or
reorders the agents does the same to their anchors (as the learned prior of GeoTDM does, Han et al. 2024,
arXiv:2410.13027). The weights solve least squares over the training windows, pooled over agents and axes,
for each number of frames that an agent has been there. The scale, too, is one number a frame for each, times

    (q_j / q)^beta,    q_j^2 = mean_p |x_jp - x_j,p-1|^2

the agent's pace over the history against the usual one: who stands is foreseen better than who runs. beta is
the power of most Gaussian likelihood, and 0 unless it surely helps (as in `unrest.py`).
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.core.errors import IncompatibleError
from rheos.data.anchor.base import (
    UNREST_BLOCKS,
    Anchor,
    FittedAnchor,
    blocks_of,
    chunks,
    history_squares,
    last_observed,
    scattered,
    squares,
    whole_scale,
)
from rheos.data.anchor.unrest import Unrest
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_OF_OTHERS = 2
# Errors of as many agents tell their size; of fewer, those of all do.
_ENOUGH = 60
_TINY = 1e-12


class Geometric(Anchor):
    """Affine sums of an agent's last places and of the others', for trajectories.

    Attributes:
        reach: how many of the last frames are looked at.
        penalty: of the squared weights, as a share of the mean square of what they weigh.
        pace: whether the scale may follow how fast an agent moves.
        most_windows: how many training windows are looked at.
    """

    kind: Literal["geometric"] = "geometric"
    reach: int = Field(default=12, ge=1)
    penalty: float = Field(default=1e-6, gt=0)
    pace: bool = True
    most_windows: int = 4000

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedGeometric":
        """Solve for the weights and measure the residuals.

        Raises:
            IncompatibleError: the data are no trajectories.
        """
        if source.dataset.layout.kind != "trajectory":
            raise IncompatibleError(
                "anchor=geometric adds up places of agents, and the data are "
                f"{source.dataset.layout.kind}; use anchor=ridge."
            )
        used = scattered(indices, self.most_windows)
        reach = min(self.reach, source.spec.history)
        weights = self._solve(source, used, reach)
        plain = FittedGeometric(scale=np.ones(0, np.float32), weights=weights, seen=np.ones((0, 0)))
        horizon = source.spec.horizon
        # By the number of frames seen; who comes later has no place to start from, and is not forecast.
        future, past = np.zeros((reach + 1, 2, horizon)), np.zeros((2, source.spec.history, 1, 1))
        for batch in chunks(source, used):
            stayed = features(batch.history, reach)[1]
            error = (batch.future - plain.future(batch)).transpose(0, 3, 2, 1)
            for frames in range(1, reach + 1):
                future[frames] += squares(error[stayed == frames].reshape(-1, horizon))
            past += history_squares(batch.history).sum((2, 3), keepdims=True)
        scale = whole_scale(future.sum(0)[:, :, None, None], past)
        whole = np.maximum(scale[-horizon:, 0, 0], _TINY)
        square, count = future[1:, 0], future[1:, 1]
        own = np.sqrt(square / np.maximum(count, 1)) / whole
        seen = np.where((count >= _ENOUGH) & (own > 0), own, 1.0)
        return FittedGeometric(scale=scale, weights=weights, seen=seen)

    def fit(self, source: WindowSource, indices: np.ndarray) -> "FittedGeometric":
        """As :meth:`measure`, then the pace; a rhythm of its own for each axis would not turn with space."""
        fitted = self.measure(source, indices)
        if not self.pace:
            return fitted
        return replace(fitted, unrest=_unrest(source, scattered(indices, self.most_windows), fitted))

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedGeometric":
        """The inverse of `numbers`."""
        return FittedGeometric(scale=scale, weights=numbers["weights"], seen=numbers["seen"])

    def _solve(self, source: WindowSource, indices: np.ndarray, reach: int) -> np.ndarray:
        """Weights `(reach, reach - 1 + 2, S)` by the number of last frames seen, 0 where not used."""
        size, horizon = reach - 1 + _OF_OTHERS, source.spec.horizon
        gram, moment = np.zeros((reach, horizon, size, size)), np.zeros((reach, horizon, size))
        for batch in chunks(source, indices):
            last = last_observed(batch.history)
            parts, stayed = features(batch.history, reach)
            target = (batch.future - last[:, None]).transpose(0, 3, 2, 1)
            for frames in range(1, reach + 1):
                mine = stayed == frames
                rows, wanted = parts[mine], target[mine]
                seen = np.isfinite(wanted)
                for lead in range(horizon):
                    known = rows[seen[..., lead]]
                    gram[frames - 1, lead] += known.T @ known
                    moment[frames - 1, lead] += known.T @ wanted[..., lead][seen[..., lead]]
        # Who has been there longer tells of fewer frames too.
        gram, moment = (np.cumsum(part[::-1], axis=0)[::-1] for part in (gram, moment))
        used = np.ones((reach, size), bool)
        for frames in range(1, reach + 1):
            used[frames - 1, frames - 1 : reach - 1] = False
        gram = gram * (used[:, None, :, None] & used[:, None, None])
        mean = np.einsum("qsii->qs", gram) / used.sum(1)[:, None]
        floor = np.where(mean > 0, self.penalty * mean, 1.0)[..., None, None] * np.eye(size)
        found = np.linalg.solve(gram + floor, (moment * used[:, None])[..., None])[..., 0]
        return found.swapaxes(1, 2)


def pace(history: np.ndarray) -> np.ndarray:
    """q, the root mean square of an agent's steps in the history `(b, P, d, n)`: `(b, n)`, NaN where none."""
    square = (np.diff(history.astype(np.float64), axis=1) ** 2).sum(2)
    seen = np.isfinite(square)
    count = seen.sum(1)
    mean = np.where(seen, square, 0.0).sum(1) / np.maximum(count, 1)
    return np.where(count > 0, np.sqrt(mean), np.nan)


def _unrest(source: WindowSource, indices: np.ndarray, fitted: "FittedGeometric") -> Unrest | None:
    """How the scale follows the pace of agents who are there at the origin; None where it does not."""
    size, square, count, block = [], [], [], []
    for batch in chunks(source, indices):
        here = features(batch.history, 1)[1] > 0
        away = (batch.future - fitted.future(batch)) / fitted.spread(batch)
        seen = np.isfinite(away) & here[:, None, None]
        size.append(pace(batch.history)[here])
        square.append((np.where(seen, away, 0.0) ** 2).sum((1, 2))[here])
        count.append(seen.sum((1, 2))[here])
        of_time = blocks_of(batch.sequence, batch.origin, UNREST_BLOCKS)
        block.append(np.broadcast_to(of_time[:, None], here.shape)[here])
    if not size:
        return None
    q, squares_of, of = (np.concatenate(part)[:, None] for part in (size, square, count))
    return Unrest.measure(q, squares_of, of, np.concatenate(block))


def features(history: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """What is added to an agent's last place, and for how many frames it has been there.

    Args:
        history: `(b, P, d, n)`, NaN where an agent is not.
        reach: frames looked at.

    Returns:
        Differences `(b, n, d, reach - 1 + 2)` float64, 0 where unknown: last place less earlier ones, newest
        first, then the others' mean place and mean last step; and `(b, n)` frames seen without a gap up
        to the last, at most `reach`.
    """
    recent = history[:, ::-1][:, :reach].astype(np.float64)
    there = np.isfinite(recent).all(2)
    stayed = np.cumprod(there, axis=1).sum(1)
    last = np.nan_to_num(recent[:, :1])
    own = np.where(np.cumprod(there, axis=1)[:, 1:, None], last - recent[:, 1:], 0.0)
    here = stayed >= 1
    place = _mean_of_others(last[:, 0], here)
    met = (here.sum(1, keepdims=True) - here > 0) & here
    place = np.where(met[:, None], place - last[:, 0], 0.0)
    step = own[:, 0] if own.shape[1] else np.zeros_like(last[:, 0])
    pace = _mean_of_others(step, stayed >= 2) if reach > 1 else np.zeros_like(step)
    pace = np.where(here[:, None], pace, 0.0)
    parts = np.concatenate([own, place[:, None], pace[:, None]], axis=1)
    return parts.transpose(0, 3, 2, 1), stayed


def _mean_of_others(values: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Mean over the other agents that are here, `(b, d, n)`; 0 where there is none."""
    kept = np.where(here[:, None], values, 0.0)
    count = here.sum(1)[:, None, None] - here[:, None]
    return (kept.sum(2, keepdims=True) - kept) / np.maximum(count, 1)


@dataclass(frozen=True, kw_only=True)
class FittedGeometric(FittedAnchor):
    """What is different for every number of frames that an agent has been there.

    Attributes:
        weights: `(reach, reach - 1 + 2, S)`.
        seen: ratio of the scale `(reach, S)`: who has just come is foreseen worse.
    """

    weights: np.ndarray
    seen: np.ndarray

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The affine sums; the last place seen for an agent that is not there in the last frame."""
        parts, stayed = features(batch.history, len(self.weights))
        moved = np.zeros((*parts.shape[:3], self.weights.shape[2]))
        for frames, weights in enumerate(self.weights, 1):
            mine = stayed == frames
            moved[mine] = parts[mine] @ weights
        return last_observed(batch.history)[:, None] + moved.transpose(0, 3, 2, 1)

    def spread(self, batch: WindowBatch) -> np.ndarray:
        """The scale of the future frames, one for all axes, float32 `(b, S, *features)`."""
        stayed = np.maximum(features(batch.history, len(self.seen))[1], 1)
        ratio = self.seen[stayed - 1].transpose(0, 2, 1)[:, :, None].astype(np.float32)
        scale = np.broadcast_to(self.scale[batch.history.shape[1] :] * ratio, batch.future.shape)
        if self.unrest is None:
            return scale
        return scale * self.unrest.ratio(pace(batch.history)[..., None])[..., 0][:, None, None]

    def numbers(self) -> dict[str, np.ndarray]:
        """Weights and ratios."""
        return {"weights": self.weights, "seen": self.seen}
