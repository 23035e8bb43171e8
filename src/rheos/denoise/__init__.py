"""What a network means: denoiser, objective, time sampler, oracles."""

from rheos.denoise.bridge_denoiser import BridgeDenoiser, BridgeNetwork
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.ends_denoiser import Ends, EndsDenoiser
from rheos.denoise.ends_objective import EndsObjective
from rheos.denoise.flow_map import FlowMap
from rheos.denoise.flow_objective import FlowObjective
from rheos.denoise.light_bridge import LightBridge
from rheos.denoise.mean_flow import MeanFlow
from rheos.denoise.noise_contrastive import NoiseContrastive
from rheos.denoise.noising import Noising
from rheos.denoise.objective import Objective
from rheos.denoise.oracle import ChainOracle, EmpiricalOracle, GaussianFlow, GaussianOracle, MixtureOracle
from rheos.denoise.plan_likelihood import PlanLikelihood
from rheos.denoise.remembering import Remembering
from rheos.denoise.split_mean_flow import SplitMeanFlow
from rheos.denoise.state_denoiser import StateDenoiser
from rheos.denoise.state_objective import HybridScore
from rheos.denoise.token_denoiser import TokenDenoiser
from rheos.denoise.token_energy import TokenEnergy
from rheos.denoise.token_objective import MaskedCrossEntropy

OBJECTIVES = (Objective, MeanFlow, SplitMeanFlow, MaskedCrossEntropy, EndsObjective, PlanLikelihood)
ENERGIES = (NoiseContrastive,)

__all__ = [
    "ENERGIES",
    "OBJECTIVES",
    "BridgeDenoiser",
    "BridgeNetwork",
    "ChainOracle",
    "Denoiser",
    "EmpiricalOracle",
    "Ends",
    "EndsDenoiser",
    "EndsObjective",
    "FlowMap",
    "FlowObjective",
    "GaussianFlow",
    "GaussianOracle",
    "HybridScore",
    "LightBridge",
    "MaskedCrossEntropy",
    "MeanFlow",
    "MixtureOracle",
    "NoiseContrastive",
    "Noising",
    "Objective",
    "PlanLikelihood",
    "Remembering",
    "SplitMeanFlow",
    "StateDenoiser",
    "TokenDenoiser",
    "TokenEnergy",
]
