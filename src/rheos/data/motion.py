"""Motion of fields: where each cell's content comes from, and fields moved along it.

    I(x, t + 1) = I(x - v(x), t):    sum_w g g^T dv = -sum_w g (I(t + 1) - I(t) o (x - v)),    g = grad I

Iterated least squares in a window w about every cell (Lucas and Kanade, "An iterative image registration
technique with an application to stereo vision", IJCAI 1981): first one motion of the whole field, then that
of a Gaussian window, each on blurred fields first so that steps of several cells are found. Fields move
along semi-Lagrangian paths followed backward in time, D_h(x) = D_{h-1}(x) + v(x - D_{h-1}(x)), and are read
there by bilinear interpolation, once (Germann and Zawadzki, MWR 2002).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

Wraps = tuple[bool, bool]

_BLURS = (4.0, 2.0, 1.0)  # cells
_TURNS = 3
_HOLD = 0.2  # share of the whole field's gradients that keeps a window without any to the motion of the whole
_NEAR = 1e-3  # what a missing cell may weigh in a blurred one


def modes(wraps: Wraps) -> tuple[str, str]:
    """How filters continue the two axes."""
    return ("grid-wrap" if wraps[0] else "nearest", "grid-wrap" if wraps[1] else "nearest")


def blurred(fields: np.ndarray, width: float, wraps: Wraps = (False, False)) -> np.ndarray:
    """Fields `(*, y, x)` under a Gaussian of so many cells; an endless one takes the mean."""
    from scipy.ndimage import gaussian_filter

    if np.isinf(width):
        return np.broadcast_to(fields.mean((-2, -1), keepdims=True), fields.shape)
    axes = (fields.ndim - 2, fields.ndim - 1)
    return np.asarray(gaussian_filter(fields, width, axes=axes, mode=modes(wraps), truncate=3.0))


def slopes(fields: np.ndarray, wraps: Wraps = (False, False)) -> tuple[np.ndarray, np.ndarray]:
    """Central differences along y and x."""
    from scipy.ndimage import correlate1d

    weights, (down, across) = [-0.5, 0.0, 0.5], modes(wraps)
    return correlate1d(fields, weights, axis=-2, mode=down), correlate1d(
        fields, weights, axis=-1, mode=across
    )


def motion(frames: np.ndarray, window: float, wraps: Wraps = (False, False)) -> np.ndarray:
    """Cells a frame that the content moves, y first: `(b, 2, y, x)`.

    Args:
        frames: `(b, frames, channel, y, x)`, oldest first, NaN missing; all channels and steps share one
            motion, which is 0 where there is no step.
        window: cells of the Gaussian in which it is one.
        wraps: which axes close on themselves.
    """
    missing = ~np.isfinite(frames)
    full = np.where(missing, 0.0, frames).astype(np.float64)
    found = np.zeros((len(frames), 2, *frames.shape[-2:]))
    if frames.shape[1] < 2:
        return found
    for width in (np.inf, window):
        for blur in _BLURS:
            smooth = blurred(full, blur, wraps)
            near = blurred(missing.astype(np.float64), blur, wraps)
            for _ in range(_TURNS):
                found = found + _change(smooth, near, found, width, wraps)
    return found


def _change(
    smooth: np.ndarray, near: np.ndarray, found: np.ndarray, width: float, wraps: Wraps
) -> np.ndarray:
    """What one round of least squares adds to a motion `(b, 2, y, x)`."""
    flat = (len(smooth), -1, *smooth.shape[-2:])
    before, after = moved(smooth[:, :-1].reshape(flat), found, wraps), smooth[:, 1:].reshape(flat)
    down, across = slopes(0.5 * (before + after), wraps)
    spoilt = moved(near[:, :-1].reshape(flat), found, wraps) + near[:, 1:].reshape(flat)
    counts = spoilt < _NEAR
    down, across, change = down * counts, across * counts, after - before
    sums = [(a * b).sum(1) for a, b in ((down, down), (down, across), (across, across))]
    # Towards no change, which after the first round is the motion of the whole field.
    hold = _HOLD * 0.5 * (sums[0] + sums[2]).mean((-2, -1), keepdims=True) + 1e-12
    yy, yx, xx = blurred(np.stack(sums), width, wraps)
    y, x = blurred(np.stack([-(down * change).sum(1), -(across * change).sum(1)]), width, wraps)
    yy, xx = yy + hold, xx + hold
    below = yy * xx - yx**2
    return np.stack([(xx * y - yx * x) / below, (yy * x - yx * y) / below], axis=1)


def moved(fields: np.ndarray, away: np.ndarray, wraps: Wraps = (False, False)) -> np.ndarray:
    """Fields read where their content comes from: `out(x) = field(x - away(x))`, bilinear.

    Beyond an end the end's value goes on.

    Args:
        fields: `(b, n, y, x)`.
        away: `(b, 2, y, x)`, cells, y first.
        wraps: which axes close on themselves.
    """
    sides = fields.shape[-2:]
    grid = np.meshgrid(*(np.arange(side) for side in sides), indexing="ij")
    low, high, share = [], [], []
    for axis, side in enumerate(sides):
        place = grid[axis] - away[:, axis]
        place = place % side if wraps[axis] else np.clip(place, 0, side - 1)
        floor = np.floor(place)
        share.append((place - floor)[:, None])
        first = floor.astype(np.int64) % side
        low.append(first)
        high.append((first + 1) % side if wraps[axis] else np.minimum(first + 1, side - 1))
    rows = np.arange(len(fields))[:, None, None]

    def at(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.moveaxis(fields[rows, :, y, x], -1, 1)

    top = at(low[0], low[1]) * (1 - share[1]) + at(low[0], high[1]) * share[1]
    bottom = at(high[0], low[1]) * (1 - share[1]) + at(high[0], high[1]) * share[1]
    return np.asarray(top * (1 - share[0]) + bottom * share[0])


def departures(velocity: np.ndarray, leads: int, wraps: Wraps = (False, False)) -> Iterator[np.ndarray]:
    """How far each cell's content has come after 1, 2, ... frames, `(b, 2, y, x)` each."""
    away = np.zeros_like(velocity)
    for _ in range(leads):
        away = away + moved(velocity, away, wraps)
        yield away


def bands(fields: np.ndarray, widths: Sequence[float], wraps: Wraps = (False, False)) -> np.ndarray:
    """Fields `(*, y, x)` as a sum over scales `(k + 1, *, y, x)`, finest first: differences of blurs."""
    levels = [fields, *(blurred(fields, width, wraps) for width in widths)]
    return np.stack([*(fine - coarse for fine, coarse in pairwise(levels)), levels[-1]])
