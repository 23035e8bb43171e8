"""Unrest: s_w = s (q_w / q)^beta, the residual's scale by how far a window's history leaves its season.

q_w is the root mean square of x_t - x_(t - lag) over a window's history and seasonal lags (of its steps,
where there are none), q its geometric mean over training windows. Days unlike those before are harder to
forecast, and so are restless series among calm ones; that the size of the last errors tells that of the next
is the idea of Engle, "Autoregressive conditional heteroscedasticity", Econometrica 1982. beta is, for each
variable, the power of most Gaussian likelihood, and 0 unless it surely helps in all of time.
"""

from dataclasses import dataclass

import numpy as np

from rheos.data.windows import WindowBatch

_POWERS = np.linspace(0.0, 1.0, 9)
_WIDEST = 20.0
_SURE = 2.0  # standard errors
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrest:
    """How the scale follows a window's history.

    Attributes:
        usual: q, `(channel,)`.
        power: beta, `(channel,)`.
        factor: `(channel,)` that makes the mean square of residuals over scale 1.
    """

    usual: np.ndarray
    power: np.ndarray
    factor: np.ndarray

    def __call__(self, batch: WindowBatch) -> np.ndarray:
        """The ratio of the future's scale `(b, 1, channel)` float32."""
        return self.ratio(unrest(batch))[:, None]

    def ratio(self, size: np.ndarray) -> np.ndarray:
        """The ratio of the scale where q is `size` `(..., channel)`, float32."""
        return np.asarray(self.factor * _relative(size, self.usual) ** self.power, np.float32)

    @classmethod
    def measure(
        cls, size: np.ndarray, square: np.ndarray, count: np.ndarray, block: np.ndarray
    ) -> "Unrest | None":
        """Measure on training windows.

        Args:
            size: their q, see :func:`unrest`, `(n, channel)`.
            square: sum of the squares of their residuals in units of the scale, `(n, channel)`.
            count: of how many, `(n, channel)`.
            block: of time that each belongs to, `(n,)`.

        Returns:
            None where no variable's scale follows its history.
        """
        known = np.isfinite(size) & (size > 0) & (count > 0)
        logs = np.where(known, np.log(np.where(known, size, 1.0)), 0.0)
        usual = np.exp(logs.sum(0) / np.maximum(known.sum(0), 1))
        power, factor = np.zeros(len(usual)), np.ones(len(usual))
        for channel in range(len(usual)):
            rows = known[:, channel]
            relative = _relative(size[rows, channel], usual[channel])
            power[channel], factor[channel] = _best(
                relative, square[rows, channel], count[rows, channel], block[rows]
            )
        return cls(usual=usual, power=power, factor=factor) if power.any() else None

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All parts by name."""
        return {f"unrest_{name}": getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Unrest":
        """The inverse of :meth:`to_arrays`."""
        return cls(**{name: arrays[f"unrest_{name}"] for name in cls.__dataclass_fields__})


def unrest(batch: WindowBatch) -> np.ndarray:
    """q of each window `(b, channel)`, NaN where nothing tells."""
    history = batch.history.astype(np.float64)
    frames = history.shape[1]
    if batch.lagged.shape[2]:
        away = history[:, :, None] - batch.lagged[:, :frames]
        away = away.reshape(len(away), -1, history.shape[2])
    else:
        away = np.diff(history, axis=1)
    seen = np.isfinite(away)
    square = np.where(seen, away, 0.0) ** 2
    count = seen.sum(1)
    return np.where(count > 0, np.sqrt(square.sum(1) / np.maximum(count, 1)), np.nan)


def _relative(size: np.ndarray, usual: np.ndarray) -> np.ndarray:
    ratio = size / np.maximum(usual, _TINY)
    return np.clip(np.nan_to_num(ratio, nan=1.0), 1 / _WIDEST, _WIDEST)


def _best(
    relative: np.ndarray, square: np.ndarray, count: np.ndarray, block: np.ndarray
) -> tuple[float, float]:
    """Power and factor of one variable: those of most likelihood, or none."""
    blocks = np.unique(block)
    if len(blocks) < 2 or not square.any():
        return 0.0, 1.0
    costs, factors = [], []
    for power in _POWERS:
        variance = relative ** (2 * power)
        level = (square / variance).sum() / count.sum()
        cost = count * np.log(level * variance) + square / (level * variance)
        costs.append([cost[block == k].sum() / count[block == k].sum() for k in blocks])
        factors.append(np.sqrt(level))
    gain = np.array(costs[0]) - np.array(costs)
    best = int(gain.mean(1).argmax())
    if gain[best].mean() <= _SURE * gain[best].std(ddof=1) / np.sqrt(len(blocks)):
        return 0.0, 1.0
    return float(_POWERS[best]), float(factors[best])
