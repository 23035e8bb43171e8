"""No calibration: members stay as they are drawn, whole numbers whole.

Rheos' own, to compare with and for tokens.
"""

import sys
from typing import Literal

import numpy as np

from rheos.calibrate.affine import FittedCalibration
from rheos.core.method import Method


class NoCalibration(Method):
    """Members as they are drawn."""

    kind: Literal["none"] = "none"

    @property
    def enough(self) -> int:
        """Observed windows below which nothing is changed: all there can be."""
        return sys.maxsize

    @property
    def toward_anchor(self) -> bool:
        """Whether the anchor is asked for: no."""
        return False

    def fit(
        self,
        ensemble: np.ndarray,
        truth: np.ndarray,
        block: int | None = None,
        anchor: np.ndarray | None = None,
    ) -> FittedCalibration:
        """Shift 0 and scale 1, whatever the forecasts were; arguments as of the other calibrations."""
        shape = truth.shape[1:3]
        return FittedCalibration(np.zeros(shape), np.ones(shape), note="none: members are as drawn.")
