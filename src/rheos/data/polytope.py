"""Projection on a polytope, {y: A y = b, lower <= y <= upper}, in the metric of weights W.

    y = argmin sum_i (y_i - x_i)^2 / W_i    subject to    A y = b,  lower <= y <= upper

Without limits in the way, y = x - W A' (A W A')^-1 (A x - b). With them, y = clip(x + W A' m), m the maximum
of the concave, once differentiable dual, found by Newton's method (Qi and Sun, "A nonsmooth version of
Newton's method", Mathematical Programming 1993) with a search along the step.
"""

from dataclasses import dataclass

import numpy as np

_ROUNDING = 4  # a sum of rounded numbers is off by that many units of its terms' last place, at most
_DAMPING = 1e-4  # of Newton's matrix, which is singular where limits hold all terms of a sum
_STEPS, _HALVINGS = 100, 40


@dataclass(frozen=True, slots=True)
class Polytope:
    """Points that obey sums and limits.

    Attributes:
        matrix: A, `(sum, term)`.
        constant: b, `(sum,)`.
        weight: W, `(term,)`, positive.
        box: lower and upper limits, each `(term,)`, infinite where there is none.
        precision: the spacing of the numbers at 1 in which rows will be kept, which no sum can beat.
    """

    matrix: np.ndarray
    constant: np.ndarray
    weight: np.ndarray
    box: tuple[np.ndarray, np.ndarray]
    precision: float

    def nearest(self, rows: np.ndarray) -> np.ndarray:
        """The nearest point of each row `(n, term)`, float64; one that obeys is its own, bit for bit."""
        out = rows.copy()
        broken = self._broken(rows)
        gram = (self.matrix * self.weight) @ self.matrix.T
        # A sum declared twice, or one that follows from others, makes it singular.
        multiplier = (self.constant - rows[broken] @ self.matrix.T) @ np.linalg.pinv(gram)
        out[broken] = self._moved(rows[broken], multiplier)
        tight = self._broken(out)
        if tight.any():
            out[tight] = self._within(rows[tight], np.zeros((int(tight.sum()), len(self.matrix))), gram)
        return out

    def _slack(self, rows: np.ndarray) -> np.ndarray:
        return _ROUNDING * self.precision * (np.abs(rows) @ np.abs(self.matrix).T + np.abs(self.constant))

    def _broken(self, rows: np.ndarray) -> np.ndarray:
        missed = np.abs(rows @ self.matrix.T - self.constant) > self._slack(rows)
        outside = (rows < self.box[0]) | (rows > self.box[1])
        return np.asarray(missed.any(1) | outside.any(1))

    def _moved(self, rows: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
        return rows + self.weight * (multiplier @ self.matrix)

    def _dual(self, rows: np.ndarray, multiplier: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The dual's value `(n,)`, its gradient `(n, sum)` and its minimizer `(n, term)`."""
        y = np.clip(self._moved(rows, multiplier), *self.box)
        gradient = self.constant - y @ self.matrix.T
        value = 0.5 * ((y - rows) ** 2 / self.weight).sum(1) + (multiplier * gradient).sum(1)
        return value, gradient, y

    def _within(self, rows: np.ndarray, multiplier: np.ndarray, gram: np.ndarray) -> np.ndarray:
        """Newton's method on the dual, a row leaving it when its sums are met."""
        answer, here = rows.copy(), np.arange(len(rows))
        damping = _DAMPING * np.diag(np.diag(gram))
        for _ in range(_STEPS):
            value, gradient, y = self._dual(rows[here], multiplier[here])
            answer[here] = y
            going = (np.abs(gradient) > 1e-3 * self._slack(y)).any(1)
            here, value, gradient = here[going], value[going], gradient[going]
            if not len(here):
                break
            moved = self._moved(rows[here], multiplier[here])
            free = self.weight * ((moved > self.box[0]) & (moved < self.box[1]))
            matrix = np.einsum("ki,ni,li->nkl", self.matrix, free, self.matrix) + damping
            step = np.linalg.solve(matrix, gradient[..., None])[..., 0]
            gain = (step * gradient).sum(1)
            size = np.ones(len(here))
            for _ in range(_HALVINGS):
                reached, _, _ = self._dual(rows[here], multiplier[here] + size[:, None] * step)
                short = reached < value + 1e-4 * size * gain - 1e-9 * np.abs(value)
                if not short.any():
                    break
                size = np.where(short, size / 2, size)
            multiplier[here] += size[:, None] * step
        return answer
