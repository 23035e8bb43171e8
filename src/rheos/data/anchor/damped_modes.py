"""Damped modes: anchor_(o+h) = c_(o+h) + rho_h x + s_h (a_h x + b_h G x) + r_h sum_k w_hk z_k.

A damped anomaly, and what the anomalies around it and the field's leading modes add.
c and rho are those of damped anomalies and x is the last anomaly. G x is its mean around a cell, weighted
by a Gaussian, and z are the scores of the leading empirical orthogonal functions of anomalies (Lorenz,
"Empirical orthogonal functions and statistical weather prediction", MIT, 1956), by whose regression El Nino
is forecast (Penland and Magorian, J. Climate 6, 1993, 1067). a and b, one an entry and lead, are drawn toward
their channel's. All are fitted to how damped anomalies erred on stretches of time that these never saw, and
s_h and r_h, from 0 to 1, are the shares that served stretches left out best.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.data.anchor.base import (
    Anchor,
    FittedAnchor,
    after,
    chunks_of,
    history_squares,
    some,
    squares,
    whole_scale,
    window_bytes,
)
from rheos.data.anchor.damped_anomaly import DampedAnomaly, FittedDampedAnomaly
from rheos.data.anchor.stretches import stretches
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_WINDOWS_BYTES = 384 * 2**20
_FEWEST_WINDOWS, _MOST_WINDOWS = 64, 1000
_FAINT = 1e-6  # a mode of less than this share of the first one's variance is none


class DampedModes(Anchor):
    """Damped anomalies, corrected by their neighborhood and by the modes of the field.

    Attributes:
        rule: what is corrected.
        around: cells, the standard deviation of the Gaussian around a cell; 0: no neighborhood.
        modes: how many.
        pooling: how many entries' weight the channel's common neighborhood has.
    """

    kind: Literal["damped_modes"] = "damped_modes"
    rule: DampedAnomaly = DampedAnomaly()
    around: float = Field(default=4.0, ge=0)
    modes: int = Field(default=3, ge=0)
    pooling: float = Field(default=1.0, ge=0)

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedDampedModes":
        """Fit damped anomalies and what is added to them."""
        most = max(_FEWEST_WINDOWS, min(_MOST_WINDOWS, _WINDOWS_BYTES // window_bytes(source)))
        rule, kept = self.rule.measure(source, indices), some(indices, most)
        parts = list(stretches(source, kept))
        x, error, past = self._errors(source, kept, parts)
        plane = _Plane.of(source, self.around)
        addition = self._addition(plane, x, error)
        near, far = np.zeros_like(error), np.zeros_like(error)
        for mine, others in parts:
            left_out = self._addition(plane, x[others], error[others])
            near[mine], far[mine] = left_out.near(x[mine]), left_out.far(x[mine])
        error -= (of_near := _share(error, near)) * near
        error -= (of_far := _share(error, far)) * far
        return FittedDampedModes(
            # Too few windows to leave some out: nothing is added.
            scale=whole_scale(squares(error), past) if parts else rule.scale,
            rule=rule,
            addition=addition.times(of_near, of_far),
        )

    def _errors(
        self, source: WindowSource, indices: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Last anomalies `(n, *features)`, the rule's errors `(n, S, *features)`, :func:`history_squares`."""
        x = np.zeros((len(indices), *source.features), np.float32)
        error = np.full((len(indices), source.spec.horizon, *source.features), np.nan, np.float32)
        past = np.zeros((2, source.spec.history, *source.features))
        for mine, others in parts:
            rule = self.rule.measure(source, indices[others])
            for rows in chunks_of(source, mine):
                batch = source.batch(indices[rows])
                x[rows], error[rows] = rule.anomaly(batch), batch.future - rule.future(batch)
                past += history_squares(batch.history)
        return x, error, past

    def _addition(self, plane: "_Plane", x: np.ndarray, error: np.ndarray) -> "_Addition":
        """Regressions of the errors on the anomalies, missing errors left out."""
        seen = np.isfinite(error)
        features, (patterns, scores) = plane.features(x), _modes(x, self.modes)
        local = _pooled(features, np.where(seen, error, 0.0), seen, self.pooling)
        rest = np.where(seen, error - _local(local, features), 0.0)
        # Scores are of unit mean square and orthogonal, so that regressions on them are means.
        return _Addition(plane, local, patterns, np.tensordot(scores, rest, 1) / len(x))

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedDampedModes":
        """The inverse of `numbers`."""
        plane = _Plane(numbers["exists"] > 0, tuple((numbers["wraps"] > 0).tolist()), self.around)
        names = ("local", "patterns", "weights")
        return FittedDampedModes(
            scale=scale,
            rule=self.rule.rebuild(scale, after("rule_", numbers)),
            addition=_Addition(plane, *(numbers[name] for name in names)),
        )


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where anomalies lie.

    Attributes:
        exists: bool `(*features)`.
        wraps: whether each axis of space closes on itself.
        around: standard deviation of the neighborhood, in cells.
    """

    exists: np.ndarray
    wraps: tuple[bool, ...]
    around: float

    @classmethod
    def of(cls, source: WindowSource, around: float) -> "_Plane":
        wraps = source.layout.periodic or (False,) * (len(source.features) - 1)
        return cls(source.coded_exists, wraps, around)

    def features(self, x: np.ndarray) -> np.ndarray:
        """x and G x `(2, n, *features)`; x alone where there is no neighborhood."""
        if not self.wraps or self.around == 0:
            return x[None].astype(np.float64)
        share = self._smooth(self.exists[None].astype(np.float64))
        smooth = self._smooth(x.astype(np.float64)) / np.maximum(share, 1e-12)
        return np.where(self.exists, np.stack([x, smooth]), 0.0)

    def _smooth(self, values: np.ndarray) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        width = (0.0, 0.0, *(self.around for _ in self.wraps))
        edges = ("constant", "constant", *("wrap" if wraps else "constant" for wraps in self.wraps))
        return np.asarray(gaussian_filter(values, width, mode=edges))


@dataclass(frozen=True, slots=True)
class _Addition:
    """What is added to damped anomalies.

    Attributes:
        plane: of the anomalies.
        local: a and b `(2, S, *features)`; a alone where there is no neighborhood.
        patterns: which give the scores z = sum patterns x, `(K, *features)`.
        weights: w `(K, S, *features)`.
    """

    plane: _Plane
    local: np.ndarray
    patterns: np.ndarray
    weights: np.ndarray

    def near(self, x: np.ndarray) -> np.ndarray:
        """What the neighborhood adds to anomalies `(n, *features)`, `(n, S, *features)`."""
        return _local(self.local, self.plane.features(x))

    def far(self, x: np.ndarray) -> np.ndarray:
        """What the modes add, alike."""
        axes = tuple(range(1, x.ndim))
        return np.tensordot(np.tensordot(x, self.patterns, (axes, axes)), self.weights, 1)

    def times(self, near: np.ndarray, far: np.ndarray) -> "_Addition":
        """Shares `(S, 1, ...)` of both."""
        return _Addition(self.plane, self.local * near, self.patterns, self.weights * far)


def _local(local: np.ndarray, features: np.ndarray) -> np.ndarray:
    """sum_p local_p features_p, `(n, S, *features)`."""
    return np.einsum("ps...,pn...->ns...", local, features)


def _pooled(features: np.ndarray, error: np.ndarray, seen: np.ndarray, pooling: float) -> np.ndarray:
    """Least squares of each entry and lead drawn toward its channel's, `(p, S, *features)`."""
    count = len(features)
    gram = np.stack([[np.einsum("n...,ns...->s...", f * g, seen) for g in features] for f in features])
    right = np.stack([np.einsum("n...,ns...->s...", f, error) for f in features])
    space = tuple(range(2, error.ndim - 1))
    gram, right = np.moveaxis(gram, (0, 1), (-2, -1)), np.moveaxis(right, 0, -1)
    mean = gram.mean(space, keepdims=True)
    firm = np.eye(count) * (np.diagonal(mean, axis1=-2, axis2=-1)[..., None] + 1e-12)
    common = np.linalg.solve(mean + 1e-3 * firm, right.mean(space, keepdims=True)[..., None])
    own = np.linalg.solve(gram + pooling * firm + 1e-12 * firm, right[..., None] + pooling * firm @ common)
    return np.moveaxis(own[..., 0], -1, 0)


def _modes(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Patterns `(count, *features)` of the leading modes and their scores `(count, n)` of unit mean square.

    Modes that are not there are 0.
    """
    rows = x.reshape(len(x), -1).astype(np.float64)
    variance, vectors = np.linalg.eigh(rows @ rows.T / max(1, len(rows)))
    patterns, scores = np.zeros((count, rows.shape[1])), np.zeros((count, len(rows)))
    found = [i for i in range(len(rows))[::-1] if variance[i] > _FAINT * variance[-1] > 0][:count]
    scores[: len(found)] = vectors[:, found].T * len(rows) ** 0.5
    patterns[: len(found)] = scores[: len(found)] @ rows / len(rows) / variance[found][:, None]
    return patterns.reshape(count, *x.shape[1:]), scores


def _share(error: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """How much of the answers, from 0 to 1, comes nearest to the errors, `(S, 1, ...)`."""
    axes = (0, *range(2, error.ndim))
    answers = np.where(np.isfinite(error), answers, 0.0)
    square = (answers**2).sum(axes, dtype=np.float64, keepdims=True)[0]
    product = (answers * np.nan_to_num(error)).sum(axes, dtype=np.float64, keepdims=True)[0]
    return np.clip(product / np.where(square > 0, square, 1.0), 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class FittedDampedModes(FittedAnchor):
    """Damped anomalies and what is added to them."""

    rule: FittedDampedAnomaly
    addition: _Addition

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The damped anomaly, and the shares of its neighborhood and of the modes."""
        x = self.rule.anomaly(batch)
        return np.asarray(self.rule.future(batch) + self.addition.near(x) + self.addition.far(x))

    def numbers(self) -> dict[str, np.ndarray]:
        """Those of the rule, and of the addition."""
        return {
            **{f"rule_{name}": value for name, value in self.rule.numbers().items()},
            "local": self.addition.local,
            "patterns": self.addition.patterns,
            "weights": self.addition.weights,
            "exists": self.addition.plane.exists.astype(np.uint8),
            "wraps": np.array(self.addition.plane.wraps, np.uint8),
        }
