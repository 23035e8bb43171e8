"""Data sets made from equations: flows, chaos, particles, moving pictures, a Gaussian whose law is known."""

from rheos.core.method import Method
from rheos.data.generator.bouncing import BouncingShapes, MovingDigits
from rheos.data.generator.charged import Charged
from rheos.data.generator.gaussian import GaussianPanel, crps_normal
from rheos.data.generator.gravity import Gravity
from rheos.data.generator.lorenz import Lorenz63, Lorenz96
from rheos.data.generator.springs import Springs
from rheos.data.generator.turbulence import Turbulence, turbulence

GENERATORS: tuple[type[Method], ...] = (
    Turbulence,
    Lorenz63,
    Lorenz96,
    GaussianPanel,
    Charged,
    Springs,
    Gravity,
    BouncingShapes,
    MovingDigits,
)

__all__ = [
    "GENERATORS",
    "BouncingShapes",
    "Charged",
    "GaussianPanel",
    "Gravity",
    "Lorenz63",
    "Lorenz96",
    "MovingDigits",
    "Springs",
    "Turbulence",
    "crps_normal",
    "turbulence",
]
