"""Data sets made from equations: flows, chaos, particles, and a Gaussian whose best forecast is known."""

from rheos.core.method import Method
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
)

__all__ = [
    "GENERATORS",
    "Charged",
    "GaussianPanel",
    "Gravity",
    "Lorenz63",
    "Lorenz96",
    "Springs",
    "Turbulence",
    "crps_normal",
    "turbulence",
]
