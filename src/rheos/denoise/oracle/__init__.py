"""Oracles: exact denoisers of laws in closed form, for tests, probes and learning."""

from rheos.denoise.oracle.chain import ChainOracle
from rheos.denoise.oracle.empirical import EmpiricalOracle
from rheos.denoise.oracle.gaussian import GaussianOracle
from rheos.denoise.oracle.gaussian_flow import GaussianFlow
from rheos.denoise.oracle.mixture import MixtureOracle

__all__ = ["ChainOracle", "EmpiricalOracle", "GaussianFlow", "GaussianOracle", "MixtureOracle"]
