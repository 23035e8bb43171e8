"""What a network means: denoiser, objective, time sampler, oracles."""

from rheos.denoise.denoiser import Denoiser
from rheos.denoise.objective import Objective
from rheos.denoise.oracle import EmpiricalOracle, GaussianOracle, MixtureOracle

__all__ = ["Denoiser", "EmpiricalOracle", "GaussianOracle", "MixtureOracle", "Objective"]
