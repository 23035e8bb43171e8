"""Baselines: what a forecast has to beat, each an ensemble of the same size as the model's."""

from rheos.baseline.climatology import Climatology
from rheos.baseline.lag_ridge import LagRidge
from rheos.baseline.method import Baseline, FittedBaseline
from rheos.baseline.persistence import Persistence
from rheos.baseline.random_walk import RandomWalk
from rheos.baseline.seasonal import Seasonal

BASELINES: tuple[type[Baseline], ...] = (
    Persistence,
    Seasonal,
    Climatology,
    LagRidge,
    RandomWalk,
)

DEFAULT_BASELINES: tuple[Baseline, ...] = (Persistence(), Seasonal(), Climatology(), LagRidge())

__all__ = [
    "BASELINES",
    "DEFAULT_BASELINES",
    "Baseline",
    "Climatology",
    "FittedBaseline",
    "LagRidge",
    "Persistence",
    "RandomWalk",
    "Seasonal",
]
