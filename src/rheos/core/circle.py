"""Angles of any unit: a value and the value one period further are the same direction."""

import numpy as np


def signed(difference: np.ndarray, period: float) -> np.ndarray:
    """The shorter way round, d - period * round(d / period): between -period/2 and period/2, NaN stays."""
    return difference - period * np.round(difference / period)


def wrapped(values: np.ndarray, period: float) -> np.ndarray:
    """The same directions in [0, period), in the values' dtype."""
    around = np.mod(values, period)
    # What lies a hair below 0 is rounded up to the period itself, which is not among its own remainders.
    return np.where(around >= period, np.zeros_like(around), around)


def mean_direction(values: np.ndarray, period: float, axis: int) -> np.ndarray:
    """Direction of the mean of the unit vectors along an axis, in [0, period); NaN where a value is.

    Fisher, "Statistical Analysis of Circular Data", Cambridge 1993, ch. 2.
    """
    angle = np.asarray(values, np.float64) * (2 * np.pi / period)
    mean = np.arctan2(np.sin(angle).mean(axis), np.cos(angle).mean(axis))
    return wrapped(mean * (period / (2 * np.pi)), period)
