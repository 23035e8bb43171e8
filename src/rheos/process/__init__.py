"""How a clip becomes noise: schedule, coordinates, noise, process."""

from rheos.core.method import Method
from rheos.process.bridge_plan import BridgePlan
from rheos.process.critically_damped import CriticallyDamped
from rheos.process.linear_face import LinearFace
from rheos.process.masked import Masked
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
    StochasticInterpolant,
    SubPreserving,
)
from rheos.process.resampled import Resampled
from rheos.process.two_sided import TwoSided

LINEAR_FACES: tuple[type[LinearFace], ...] = (CriticallyDamped,)
"""Processes known by their linear face alone: in Python, not in a recipe."""

TOKEN_PROCESSES: tuple[type[Masked], ...] = (Masked,)
"""Processes of whole numbers, with a denoiser, an objective and samplers of their own."""

PROCESSES_BETWEEN: tuple[type[Method], ...] = (TwoSided, BridgePlan)
"""Processes between two laws of clips, with a denoiser, an objective and a sampler of their own."""

__all__ = [
    "LINEAR_FACES",
    "PROCESSES",
    "PROCESSES_BETWEEN",
    "TOKEN_PROCESSES",
    "BridgePlan",
    "CriticallyDamped",
    "DyDiff",
    "Elucidated",
    "Exploding",
    "FollmerForecaster",
    "GaussianProcessPrior",
    "LeastEnergy",
    "LinearFace",
    "Masked",
    "MeanReverting",
    "Plain",
    "PoissonFlow",
    "Process",
    "ProcessRecipe",
    "RectifiedFlow",
    "Resampled",
    "StochasticInterpolant",
    "SubPreserving",
    "TwoSided",
]
