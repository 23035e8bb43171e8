"""Data sets made from equations: flows, chaos, and a Gaussian whose best forecast is known."""

from rheos.core.method import Method
from rheos.data.generator.gaussian import GaussianPanel, crps_normal
from rheos.data.generator.lorenz import Lorenz63, Lorenz96
from rheos.data.generator.turbulence import Turbulence, turbulence

GENERATORS: tuple[type[Method], ...] = (Turbulence, Lorenz63, Lorenz96, GaussianPanel)

__all__ = ["GENERATORS", "GaussianPanel", "Lorenz63", "Lorenz96", "Turbulence", "crps_normal", "turbulence"]
