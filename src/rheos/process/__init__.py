"""How a clip becomes noise: schedule, coordinates, noise, process."""

from rheos.process.critically_damped import CriticallyDamped
from rheos.process.linear_face import LinearFace
from rheos.process.process import Process
from rheos.process.recipes import (
    PROCESSES,
    DyDiff,
    Elucidated,
    Exploding,
    FollmerForecaster,
    GaussianProcessPrior,
    LeastEnergy,
    MeanReverting,
    Plain,
    PoissonFlow,
    ProcessRecipe,
    RectifiedFlow,
    SubPreserving,
)

__all__ = [
    "PROCESSES",
    "CriticallyDamped",
    "DyDiff",
    "Elucidated",
    "Exploding",
    "FollmerForecaster",
    "GaussianProcessPrior",
    "LeastEnergy",
    "LinearFace",
    "MeanReverting",
    "Plain",
    "PoissonFlow",
    "Process",
    "ProcessRecipe",
    "RectifiedFlow",
    "SubPreserving",
]
