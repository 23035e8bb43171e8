"""What a network means: denoiser, objective, time sampler, oracles."""

from rheos.denoise.denoiser import Denoiser
from rheos.denoise.ends_denoiser import Ends, EndsDenoiser
from rheos.denoise.ends_objective import EndsObjective
from rheos.denoise.light_bridge import LightBridge
from rheos.denoise.objective import Objective
from rheos.denoise.oracle import ChainOracle, EmpiricalOracle, GaussianOracle, MixtureOracle
from rheos.denoise.remembering import Remembering
from rheos.denoise.state_denoiser import StateDenoiser
from rheos.denoise.state_objective import HybridScore
from rheos.denoise.token_denoiser import TokenDenoiser
from rheos.denoise.token_objective import MaskedCrossEntropy

__all__ = [
    "ChainOracle",
    "Denoiser",
    "EmpiricalOracle",
    "Ends",
    "EndsDenoiser",
    "EndsObjective",
    "GaussianOracle",
    "HybridScore",
    "LightBridge",
    "MaskedCrossEntropy",
    "MixtureOracle",
    "Objective",
    "Remembering",
    "StateDenoiser",
    "TokenDenoiser",
]
