"""Which variables look like directions, by name or unit, and range: offered to the user, never assumed."""

import re

import numpy as np

_NAMED = re.compile(r"direction|bearing|heading|azimuth|(^|[^a-z])w?dir([^a-z]|$)", re.IGNORECASE)
_DEGREES = ("deg", "degree", "degrees", "degree_true", "degrees_true", "degrees true", "°")
_RADIANS = ("rad", "radian", "radians")


def period_of(name: str, unit: str, low: float, high: float) -> float | None:
    """The period of what looks like a direction: 360 or 2 pi; None for what does not.

    Args:
        name: of the variable.
        unit: "" where unknown.
        low: its smallest value.
        high: its largest one.
    """
    named, measured = bool(_NAMED.search(name)), unit.strip().lower()
    for period, units in ((2 * np.pi, _RADIANS), (360.0, _DEGREES)):
        # More than half a turn: what stays on one side has no wrap to mind.
        turns = low >= 0 and period / 2 < high - low <= 1.001 * period and high <= 1.001 * period
        if turns and (measured in units or (named and measured == "")):
            return float(period)
    return None
