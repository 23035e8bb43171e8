"""Solvers: rules for the steps from noise to data, in canonical coordinates."""

from rheos.sample.solver.adams_moulton import AdamsMoulton
from rheos.sample.solver.ddim import DDIM, Ancestral
from rheos.sample.solver.dpmpp import DPMpp2M, DPMpp3M
from rheos.sample.solver.evodiff import EVODiff
from rheos.sample.solver.exponential import Exponential
from rheos.sample.solver.exponential_noise import ExponentialNoise
from rheos.sample.solver.flow_map import FlowMapMove, FlowMapSteps
from rheos.sample.solver.heavy_ball import HeavyBall
from rheos.sample.solver.heun import Heun
from rheos.sample.solver.least_difference import LeastDifference
from rheos.sample.solver.midpoint import Midpoint
from rheos.sample.solver.single_step import SingleStep, SingleStepMove
from rheos.sample.solver.solver import Answer, Draw, LinearMove, Move, Solver, State, ready
from rheos.sample.solver.unipc import UniPC

SOLVERS = (
    DDIM,
    Ancestral,
    Heun,
    Midpoint,
    SingleStep,
    Exponential,
    ExponentialNoise,
    AdamsMoulton,
    UniPC,
    DPMpp2M,
    DPMpp3M,
    HeavyBall,
    LeastDifference,
    EVODiff,
)

FLOW_SOLVERS = (FlowMapSteps,)

__all__ = [
    "DDIM",
    "FLOW_SOLVERS",
    "SOLVERS",
    "AdamsMoulton",
    "Ancestral",
    "Answer",
    "DPMpp2M",
    "DPMpp3M",
    "Draw",
    "EVODiff",
    "Exponential",
    "ExponentialNoise",
    "FlowMapMove",
    "FlowMapSteps",
    "HeavyBall",
    "Heun",
    "LeastDifference",
    "LinearMove",
    "Midpoint",
    "Move",
    "SingleStep",
    "SingleStepMove",
    "Solver",
    "State",
    "UniPC",
    "ready",
]
