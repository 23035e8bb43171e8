"""Advection: anchor_h(x) = a_h + sum_k w_hk B_k(x - D_h(x)), the last field along its motion.

    scale_h(x)^2 = c_h + sum_k v_hk (G_k * B_k^2)(x - D_h(x))

B_k are bands of the last field, differences of Gaussian blurs G_k by 1, 2, 4, ... cells, and D_h is how far
the content has come in h frames (:mod:`rheos.data.motion`). The weights of each lead solve least squares over
the training windows: small scales die first, as in S-PROG (Seed, "A dynamic and spatial scaling approach to
advection forecasting", J. Appl. Meteorol. 2003). The residual's variance is a sum, no weight below zero, of
the energy that the bands have nearby: Rheos' own, weights by least squares on its squares, each divided by
the variance found before (the scoring of a Gaussian likelihood). So where a field is even, little is open.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.core.errors import IncompatibleError
from rheos.data.anchor.base import (
    Anchor,
    FittedAnchor,
    chunks,
    history_squares,
    last_observed,
    scattered,
    squares,
    whole_scale,
)
from rheos.data.motion import Wraps, bands, blurred, departures, motion, moved
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_ROUNDS = 5
_FLOOR = 0.2  # of a lead's root mean square: where nothing ever happened something still may
_CACHE_BYTES = 128 * 2**20


class Advection(Anchor):
    """The last field along its motion, damped by scale, its spread where the field is uneven; for radar.

    Attributes:
        window: cells of the Gaussian window in which the motion is one.
        reach: how many of the last frames tell the motion.
        most_windows: how many training windows are looked at.
        most_cells: how many cells of these, evenly over all, the weights are found on.
    """

    kind: Literal["advection"] = "advection"
    window: float = Field(default=8.0, gt=0)
    reach: int = Field(default=4, ge=2)
    most_windows: int = Field(default=200, ge=1)
    most_cells: int = Field(default=100000, ge=1)

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedAdvection":
        """Find the weights of all scales and measure the residuals.

        Raises:
            IncompatibleError: the data are no fields with two axes in space.
        """
        layout = source.layout
        if layout.kind == "trajectory" or len(source.features) != 3:
            raise IncompatibleError(
                "anchor=advection moves fields with two axes in space, and these data have none such; use "
                "anchor=ridge."
            )
        used, horizon = scattered(indices, self.most_windows), source.spec.horizon
        wraps: Wraps = (layout.periodic[0], layout.periodic[1]) if layout.periodic else (False, False)
        cells = scattered(np.arange(np.prod(source.features[1:])), max(1, self.most_cells // len(used)))
        parts, target, past = [], [], np.zeros((2, source.spec.history, source.features[0], 1, 1))
        for batch in chunks(source, used):
            past += history_squares(batch.history).sum((3, 4), keepdims=True)
            for history, future in zip(batch.history, batch.future, strict=True):
                found = np.concatenate(scales(history, wraps))
                along = [moved(found, away, wraps) for away in self.paths(history, horizon, wraps)]
                parts.append(np.stack(along).reshape(horizon, *found.shape[:2], -1)[..., cells])
                target.append(future.reshape(*future.shape[:2], -1)[..., cells])
        mean, variance, left = _solve(np.concatenate(parts, -1), np.concatenate(target, -1))
        return FittedAdvection(
            scale=whole_scale(left, past), config=self, mean=mean, variance=variance, wraps=wraps
        )

    def paths(self, history: np.ndarray, horizon: int, wraps: Wraps) -> list[np.ndarray]:
        """How far content has come at every lead, `(1, 2, y, x)` each, from a history `(P, c, y, x)`."""
        return list(departures(motion(history[None, -self.reach :], self.window, wraps), horizon, wraps))

    def fit(self, source: WindowSource, indices: np.ndarray) -> "FittedAdvection":
        """As :meth:`measure`: the spread is each window's own as it is."""
        return self.measure(source, indices)

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedAdvection":
        """The inverse of `numbers`."""
        down, across = (bool(wrap) for wrap in numbers["wraps"])
        mean, variance = numbers["mean"], numbers["variance"]
        return FittedAdvection(scale=scale, config=self, mean=mean, variance=variance, wraps=(down, across))


def scales(history: np.ndarray, wraps: Wraps) -> tuple[np.ndarray, np.ndarray]:
    """Bands of the last field of a history `(P, c, y, x)`, and the energy of all but the widest nearby.

    Returns:
        `(k + 1, c, y, x)` and `(k, c, y, x)`, finest first; the widest blur is a quarter of the field.
    """
    widths = [2.0**i for i in range(16) if 4 * 2**i <= min(history.shape[-2:])] or [1.0]
    found = bands(last_observed(history[None])[0].astype(np.float64), widths, wraps)
    energy = [blurred(band**2, width, wraps) for band, width in zip(found, widths, strict=False)]
    return found, np.stack(energy)


def _solve(parts: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of mean and variance, the constant last, and squares of what is left.

    Args:
        parts: `(S, 2 k + 1, c, n)`, bands and energies along the motion.
        target: `(S, c, n)`, NaN missing.

    Returns:
        `(S, c, k + 2)`, `(S, c, k + 1)` and `(2, S, c, 1, 1)`.
    """
    leads, channels = target.shape[:2]
    count = (parts.shape[1] + 1) // 2
    mean, variance = np.zeros((leads, channels, count + 1)), np.zeros((leads, channels, count))
    left = np.zeros((2, leads, channels, 1, 1))
    for lead, channel in np.ndindex(leads, channels):
        seen = np.isfinite(target[lead, channel])
        known, value = parts[lead, :, channel, seen], target[lead, channel, seen].astype(np.float64)
        ones = np.ones((len(known), 1))
        inputs = np.concatenate([known[:, :count], ones], axis=1)
        mean[lead, channel] = np.linalg.lstsq(inputs, value, rcond=1e-6)[0]
        error = value - inputs @ mean[lead, channel]
        variance[lead, channel] = scored(np.concatenate([known[:, count:], ones], axis=1), error**2)
        left[:, lead, channel] = squares(error)[:, None, None]
    return mean, variance, left


def scored(inputs: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Weights >= 0 by which inputs `(n, k)`, the last one constant, add up to the mean of squares `(n,)`.

    Least squares on `square / variance`, the variance that of the round before: scoring for Gaussian errors.
    """
    from scipy.optimize import nnls

    found = np.zeros(inputs.shape[1])
    found[-1] = square.mean() if len(square) else 1.0
    least = max(_FLOOR**2 * found[-1], 1e-12)
    for _ in range(_ROUNDS if len(square) else 0):
        weighted = inputs / np.maximum(inputs @ found, least)[:, None]
        gram = weighted.T @ weighted
        unit = np.sqrt(np.diag(gram)) + 1e-12
        root = np.linalg.cholesky(gram / np.outer(unit, unit) + 1e-8 * np.eye(len(unit)))
        right = weighted.T @ (square / np.maximum(inputs @ found, least)) / unit
        found = nnls(root.T, np.linalg.solve(root, right))[0] / unit
    return found


@dataclass(frozen=True, kw_only=True)
class FittedAdvection(FittedAnchor):
    """Weights of the scales, finest first.

    Attributes:
        config: window and reach of the motion.
        mean: `(S, c, k + 2)`, the constant last.
        variance: `(S, c, k + 1)`, the constant last.
        wraps: which axes close on themselves.
    """

    config: Advection
    mean: np.ndarray
    variance: np.ndarray
    wraps: Wraps
    _kept: OrderedDict[bytes, np.ndarray] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )

    def future(self, batch: WindowBatch) -> np.ndarray:
        """What the motion brings, damped."""
        return np.stack([self._along(history)[0] for history in batch.history])

    def spread(self, batch: WindowBatch) -> np.ndarray:
        """How far it may be off where the field is as uneven as that."""
        return np.stack([self._along(history)[1] for history in batch.history])

    def _along(self, history: np.ndarray) -> np.ndarray:
        """Anchor and scale `(2, S, c, y, x)`; those of the last histories are kept for training."""
        mark = blake2b(np.ascontiguousarray(history).tobytes(), digest_size=16).digest()
        if mark not in self._kept:
            made = self._made(history)
            self._kept[mark] = made
            while len(self._kept) * made.nbytes > _CACHE_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return self._kept[mark]

    def _made(self, history: np.ndarray) -> np.ndarray:
        found, energy = scales(history, self.wraps)
        anchor = np.einsum("sck,kcyx->scyx", self.mean[..., :-1], found) + self.mean[..., -1:, None]
        square = np.einsum("sck,kcyx->scyx", self.variance[..., :-1], energy) + self.variance[..., -1:, None]
        both = np.concatenate([anchor, square], axis=1)
        paths = self.config.paths(history, len(both), self.wraps)
        along = [moved(part[None], away, self.wraps)[0] for part, away in zip(both, paths, strict=True)]
        anchor, square = np.split(np.stack(along), 2, axis=1)
        least = _FLOOR * self.scale[len(history) :]
        return np.stack([anchor, np.sqrt(np.maximum(square, least**2))]).astype(np.float32)

    def numbers(self) -> dict[str, np.ndarray]:
        """Weights, and how the axes close."""
        return {"mean": self.mean, "variance": self.variance, "wraps": np.array(self.wraps, np.float64)}
