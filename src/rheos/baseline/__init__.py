"""Baselines: what a forecast has to beat, each an ensemble of the same size as the model's."""

from rheos.baseline.climatology import Climatology
from rheos.baseline.constant_velocity import ConstantVelocity
from rheos.baseline.damped_anomaly import DampedAnomaly
from rheos.baseline.lag_ridge import LagRidge
from rheos.baseline.method import Baseline, FittedBaseline
from rheos.baseline.on_circle import OnCircle, fitted_on
from rheos.baseline.persistence import Persistence
from rheos.baseline.random_walk import RandomWalk
from rheos.baseline.seasonal import Seasonal
from rheos.data.dataset import Layout

BASELINES: tuple[type[Baseline], ...] = (
    Persistence,
    Seasonal,
    Climatology,
    LagRidge,
    RandomWalk,
    DampedAnomaly,
    ConstantVelocity,
)

DEFAULT_BASELINES: tuple[Baseline, ...] = (Persistence(), Seasonal(), Climatology(), LagRidge())


def default_baselines(layout: Layout) -> tuple[Baseline, ...]:
    """What a forecast of such data has to beat: for fields damped anomalies too; agents go on."""
    if layout.kind == "trajectory":
        return (Persistence(), ConstantVelocity())
    return DEFAULT_BASELINES if layout.kind == "series" else (*DEFAULT_BASELINES, DampedAnomaly())


__all__ = [
    "BASELINES",
    "DEFAULT_BASELINES",
    "Baseline",
    "Climatology",
    "ConstantVelocity",
    "DampedAnomaly",
    "FittedBaseline",
    "LagRidge",
    "OnCircle",
    "Persistence",
    "RandomWalk",
    "Seasonal",
    "default_baselines",
    "fitted_on",
]
