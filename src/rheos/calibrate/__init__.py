"""Post-hoc calibration of ensembles."""

from rheos.calibrate.affine import AffineCalibration, FittedCalibration
from rheos.core.method import Method

CALIBRATIONS: tuple[type[Method], ...] = (AffineCalibration,)

__all__ = ["CALIBRATIONS", "AffineCalibration", "FittedCalibration"]
