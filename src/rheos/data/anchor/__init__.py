"""Anchors: point forecasts that center and scale the canonical coordinates."""

from rheos.data.anchor.advection import Advection
from rheos.data.anchor.base import Anchor, FittedAnchor
from rheos.data.anchor.damped_anomaly import DampedAnomaly
from rheos.data.anchor.damped_modes import DampedModes
from rheos.data.anchor.forecast_column import ForecastColumn
from rheos.data.anchor.geometric import Geometric
from rheos.data.anchor.none import NoAnchor
from rheos.data.anchor.perceptron import Perceptron
from rheos.data.anchor.persistence import Persistence
from rheos.data.anchor.ridge import Ridge
from rheos.data.anchor.seasonal import Seasonal

ANCHORS: tuple[type[Anchor], ...] = (
    NoAnchor,
    Persistence,
    Seasonal,
    DampedAnomaly,
    DampedModes,
    Ridge,
    Geometric,
    Advection,
    ForecastColumn,
    Perceptron,
)

__all__ = [
    "ANCHORS",
    "Advection",
    "Anchor",
    "DampedAnomaly",
    "DampedModes",
    "FittedAnchor",
    "ForecastColumn",
    "Geometric",
    "NoAnchor",
    "Perceptron",
    "Persistence",
    "Ridge",
    "Seasonal",
]
