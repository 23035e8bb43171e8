"""Area weights of a latitude-longitude grid: w = (sin(upper) - sin(lower)) (east - west), mean 1.

Cells reach halfway to their neighbours and end at the poles, so the weight of a row at a pole is that of
its cap; the cosine of its latitude would be 0.
"""

import numpy as np

from rheos.core.errors import InputError


def cell_bounds(centers: np.ndarray) -> np.ndarray:
    """Bounds `(n + 1,)` of cells that reach halfway to their neighbours; the outer ones are symmetric."""
    if len(centers) == 1:
        return centers[0] + np.array([-0.5, 0.5])
    middle = (centers[1:] + centers[:-1]) / 2
    return np.concatenate(([2 * centers[0] - middle[0]], middle, [2 * centers[-1] - middle[-1]]))


def area_weights(latitude: np.ndarray, longitude: np.ndarray | None = None) -> np.ndarray:
    """Relative cell areas of a regular grid, normalized to mean 1.

    Args:
        latitude: cell centers in degrees, `(y,)`, rising or falling.
        longitude: cell centers in degrees, `(x,)`, for grids whose columns differ in width; None: equal.

    Returns:
        `(y, 1)`, or `(y, x)` with `longitude`: broadcasts against `(..., y, x)`.

    Raises:
        InputError: a coordinate is not one-dimensional and monotone, or a latitude is beyond a pole.
    """
    axes = {"latitude": np.asarray(latitude, np.float64)}
    if longitude is not None:
        axes["longitude"] = np.asarray(longitude, np.float64)
    for name, axis in axes.items():
        step = np.diff(axis) if axis.ndim == 1 else np.zeros(1)
        if not (np.all(step > 0) or np.all(step < 0)):
            raise InputError(f"{name} must be one row of rising or falling degrees to weigh cells by area.")
    if np.abs(axes["latitude"]).max() > 90:
        raise InputError(f"latitude {np.abs(axes['latitude']).max():g} lies beyond a pole; give degrees.")
    bounds = np.radians(np.clip(cell_bounds(axes["latitude"]), -90, 90))
    weight = np.abs(np.diff(np.sin(bounds)))[:, None]
    if longitude is not None:
        weight = weight * np.abs(np.diff(cell_bounds(axes["longitude"])))
    return weight / weight.mean()
