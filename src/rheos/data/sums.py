"""Fixed sums, A y = b: variables that add up to another one, or to a number, in every member.

A member x becomes the nearest y that obeys, in the metric of the training variances W: where no limit is in
the way that is the reconciliation by weighted least squares of Hyndman, Lee and Wang, "Fast computation of
reconciled forecasts for hierarchical and grouped time series", CSDA 2016. As truth obeys the sums, no member
gets further from it in that metric (Panagiotelis et al., "Forecast reconciliation: a geometric view with
new insights on bias correction", IJF 2021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rheos.core.errors import InputError
from rheos.data.bounds import Bounds
from rheos.data.dataset import Dataset
from rheos.data.options import closest
from rheos.data.polytope import Polytope

Parts = Sequence[str] | Sequence[Sequence[str]]

_OBEYED = 0.01  # data are rounded too: of the terms' mean magnitude


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums that a recipe declares.

    Attributes:
        names: of each sum, as people write it.
        matrix: A, `(sum, channel)`.
        constant: b, `(sum,)`.
        weight: W, `(channel,)`, positive.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    constant: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, channels: tuple[str, ...], wanted: Mapping[str, Parts], scale: np.ndarray) -> "Sums":
        """The sums by what they add up to: a variable's name, or a number.

        Args:
            channels: names of the variables.
            wanted: for each total its parts, or several lists of parts.
            scale: `(channel,)` standard deviations over the training span.

        Raises:
            InputError: a name is unknown, or stands twice in one sum.
        """
        names, rows, constants = [], [], []
        for total, given in wanted.items():
            for parts in _lists(given):
                names.append(f"{total} = {' + '.join(parts)}")
                row, constant = np.zeros(len(channels)), 0.0
                for name in parts:
                    row[_number(name, channels, total)] += 1.0
                if total in channels:
                    row[channels.index(total)] -= 1.0
                else:
                    constant = _value(total, channels)
                if len(set(parts)) < max(1, len(parts)) or total in parts:
                    raise InputError(
                        f"sums.{total}={list(parts)}: a sum has parts, each once; name each part once."
                    )
                rows.append(row)
                constants.append(constant)
        matrix = np.array(rows).reshape(len(rows), len(channels))
        return cls(tuple(names), matrix, np.array(constants), scale**2)

    @property
    def any(self) -> bool:
        """Whether there is a sum at all."""
        return len(self.names) > 0

    def require(self, dataset: Dataset) -> None:
        """See that a training span obeys the sums, and that none of them is about a direction.

        Raises:
            InputError: it does not, or nowhere holds all terms of a sum.
        """
        on_circle = np.array(dataset.layout.circular) > 0
        for name, row, constant in zip(self.names, self.matrix, self.constant, strict=True):
            used = np.flatnonzero(row)
            if on_circle[used].any():
                turning = dataset.layout.channels[used[on_circle[used]][0]]
                raise InputError(f"sums: {name} adds up {turning!r}, a direction; leave it out.")
            terms = np.concatenate([_rows(r.values)[:, used] for r in dataset.recordings]) * row[used]
            terms = terms[np.isfinite(terms).all(1)]
            if not len(terms):
                raise InputError(f"sums: no frame of the data holds all terms of {name}; leave it out.")
            off = np.abs(terms.sum(1) - constant)
            wrong = off > _OBEYED * np.abs(terms).sum(1).mean()
            if wrong.any():
                raise InputError(
                    f"sums: {name}, but {wrong.sum()} of {len(terms)} training rows are off, by up to "
                    f"{off.max():g}; name all parts, or leave it out."
                )

    def off(self, values: np.ndarray) -> np.ndarray:
        """How far values `(row, frame, channel, *space)` miss each sum: root mean square, `(sum,)`.

        In standard deviations of the sum of independent terms; NaN where nothing is observed.
        """
        rows = _rows(np.moveaxis(values, 2, 1))
        seen = np.isnan(rows) @ np.abs(self.matrix).T == 0
        missed = np.nan_to_num(rows, nan=0.0) @ self.matrix.T - self.constant
        missed = np.where(seen, missed / np.sqrt(self.matrix**2 @ self.weight), 0.0)
        mean = (missed**2).sum(0) / np.maximum(seen.sum(0), 1)
        return np.where(seen.any(0), np.sqrt(mean), np.nan)

    def project(self, values: np.ndarray, bounds: Bounds) -> np.ndarray:
        """Members `(row, frame, channel, *space)` that obey all sums, and the limits of their terms.

        Members that do are left as they are, bit for bit. A sum with a missing term is no sum. A new array of
        the same dtype where there is a sum, else the values themselves.
        """
        if not self.any:
            return values
        used = np.flatnonzero(self.matrix.any(0))
        whole = np.moveaxis(values, 2, -1)
        rows = np.array(whole[..., used].reshape(-1, len(used)), np.float64)
        box = tuple(
            limit.astype(values.dtype).astype(np.float64)[used] for limit in (bounds.lower, bounds.upper)
        )
        missing = np.isnan(rows)
        for pattern in np.unique(missing, axis=0) if missing.any() else missing[:1]:
            alive = ~(np.abs(self.matrix[:, used]) @ pattern.astype(float)).astype(bool)
            mine = np.flatnonzero((missing == pattern).all(1))
            terms = np.flatnonzero(self.matrix[alive][:, used].any(0))
            if alive.any():
                polytope = Polytope(
                    self.matrix[alive][:, used[terms]],
                    self.constant[alive],
                    self.weight[used[terms]],
                    (box[0][terms], box[1][terms]),
                    float(np.finfo(values.dtype).eps),
                )
                rows[np.ix_(mine, terms)] = polytope.nearest(rows[np.ix_(mine, terms)])
        out = values.copy()
        np.moveaxis(out, 2, -1)[..., used] = rows.reshape(*whole.shape[:-1], len(used))
        return out


def _rows(values: np.ndarray) -> np.ndarray:
    """Values `(frames, channel, ...)` as float64 `(rows, channel)`."""
    return np.moveaxis(values, 1, -1).reshape(-1, values.shape[1]).astype(np.float64)


def _lists(given: Parts) -> list[list[str]]:
    """One list of parts as a list of one."""
    names = [part for part in given if isinstance(part, str)]
    return [names] if len(names) == len(given) else [list(part) for part in given]


def _number(name: str, channels: tuple[str, ...], total: str) -> int:
    if name not in channels:
        raise InputError(f"sums.{total}: no variable is called {name!r}; {closest(name, channels)}")
    return channels.index(name)


def _value(total: str, channels: tuple[str, ...]) -> float:
    try:
        return float(total)
    except ValueError:
        raise InputError(
            f"sums.{total}: a sum is a variable or a number, and this is neither; {closest(total, channels)}"
        ) from None
