"""Post-hoc calibration of ensembles."""

from rheos.calibrate.affine import AffineCalibration, FittedCalibration
from rheos.calibrate.none import NoCalibration
from rheos.core.method import Method

CALIBRATIONS: tuple[type[Method], ...] = (AffineCalibration, NoCalibration)

__all__ = ["CALIBRATIONS", "AffineCalibration", "FittedCalibration", "NoCalibration"]
