"""Lag ridge: x_{o+h} = b_h + sum_{l=1..3} a_hl x_{o-l} + sum_p c_hp x_{o+h-kp}, one ridge a column and lead.

Direct multi-step regression (every lead has coefficients of its own) on the last three values and, for
each seasonal period p, the last value seen at the target's phase; plus residual paths of the same phase.
The penalty, per observation, applies to standardized values and not to the intercept:
(X'X + n penalty I) beta = X'y.
Ridge regression: Hoerl and Kennard, Technometrics 12, 1970.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.baseline.history import last_frames, season
from rheos.baseline.method import PathBaseline
from rheos.baseline.paths import PathEnsemble, Span
from rheos.data.dataset import Dataset

_LAGS = 3
_MOST_ROWS = 20_000
_ENTRIES_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class LagRule:
    """Fitted coefficients of one sequence.

    Attributes:
        periods: seasonal periods used.
        coefficients: `(horizon, columns, 1 + lags + periods)`, for standardized values.
        mean: `(columns,)`.
        scale: `(columns,)`.
    """

    periods: tuple[int, ...]
    coefficients: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @property
    def period(self) -> int:
        """The longest period."""
        return max(self.periods, default=1)

    @property
    def warmup(self) -> int:
        """Frames that hold every lag."""
        return max(_LAGS, self.period)

    def center(self, history: np.ndarray, horizon: int, columns: np.ndarray) -> np.ndarray:
        """Apply the coefficients; gaps in the history are filled from before."""
        mean, scale = self.mean[columns], self.scale[columns]
        known = (history - mean) / scale
        weight = self.coefficients[:, columns]
        out = weight[..., 0].copy()
        for lag, frame in enumerate(last_frames(known, _LAGS), start=1):
            out += weight[..., lag] * frame
        for index, period in enumerate(self.periods, start=1 + _LAGS):
            out += weight[..., index] * season(known, period, horizon)
        return mean + scale * out


def ridge(inputs: np.ndarray, target: np.ndarray, penalty: float) -> np.ndarray:
    """Ridge regression of many columns at once; rows with a missing value are left out.

    Args:
        inputs: `(rows, columns, k)`.
        target: `(rows, columns)`.
        penalty: per observation, on all coefficients but the intercept.

    Returns:
        `(columns, 1 + k)`, the intercept first.
    """
    seen = ~(np.isnan(inputs).any(-1) | np.isnan(target))
    design = np.concatenate((np.ones((*target.shape, 1)), inputs), -1)
    design = np.where(seen[..., None], design, 0.0).transpose(1, 0, 2)
    answer = np.where(seen, target, 0.0).T[..., None]
    across = design.transpose(0, 2, 1)
    gram = across @ design
    shrink = np.full(gram.shape[-1], penalty)
    shrink[0] = 0.0
    count = np.maximum(seen.sum(0), 1)[:, None]
    # The last term keeps columns that never were observed solvable; their coefficients are 0.
    diagonal = count * shrink + 1e-9
    gram[:, range(len(shrink)), range(len(shrink))] += diagonal
    return np.linalg.solve(gram, across @ answer)[..., 0]


def fit_lags(span: Span, periods: tuple[int, ...], horizon: int, penalty: float) -> LagRule:
    """Fit one sequence, a block of columns at a time."""
    warmup = max(_LAGS, *periods) if periods else _LAGS
    origins = span.origins(warmup, horizon)
    origins = origins[:: -(-len(origins) // _MOST_ROWS)]
    mean = np.where(np.isnan(span.mean), 0.0, span.mean)
    width = span.values.shape[1]
    out = np.empty((horizon, width, 1 + _LAGS + len(periods)))
    step = max(1, _ENTRIES_AT_ONCE // len(origins))
    for begin in range(0, width, step):
        block = slice(begin, begin + step)
        values = (span.values[:, block] - mean[block]) / span.scale[block]
        lags = [values[origins - lag] for lag in range(1, _LAGS + 1)]
        for lead in range(horizon):
            frames = [origins + lead - (lead // p + 1) * p for p in periods]
            inputs = np.stack([*lags, *(values[f] for f in frames)], -1)
            out[lead, block] = ridge(inputs, values[origins + lead], penalty)
    return LagRule(periods, out, mean, span.scale)


class LagRidge(PathBaseline):
    """Ridge on lags 1-3 and the seasonal ones, each series, cell and lead for itself.

    Attributes:
        penalty: per observation, in units of the standardized variance.
    """

    kind: Literal["lag_ridge"] = "lag_ridge"
    penalty: float = Field(default=1e-3, ge=0)

    def fit(self, dataset: Dataset, horizon: int) -> PathEnsemble:
        """See :class:`rheos.baseline.method.Baseline`."""
        spans = [Span.of(recording, dataset.layout.frequency) for recording in dataset.recordings]
        rules = []
        for span in spans:
            # A period needs two cycles of rows to learn from beside the one it looks back on.
            usable = tuple(p for p in dataset.layout.periods if p > 1 and len(span.values) - horizon >= 3 * p)
            rules.append(fit_lags(span, usable, horizon, self.penalty))
        return PathEnsemble.fit(dataset, horizon, spans, rules, self.recent)
