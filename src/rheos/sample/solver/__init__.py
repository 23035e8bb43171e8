"""Solvers: rules for the steps from noise to data, in canonical coordinates."""

from rheos.sample.solver.ddim import DDIM, Ancestral
from rheos.sample.solver.dpmpp import DPMpp2M, DPMpp3M
from rheos.sample.solver.exponential import Exponential
from rheos.sample.solver.heun import Heun
from rheos.sample.solver.solver import Answer, Draw, LinearMove, Move, Solver, State

SOLVERS = (DDIM, Ancestral, Heun, Exponential, DPMpp2M, DPMpp3M)

__all__ = [
    "DDIM",
    "SOLVERS",
    "Ancestral",
    "Answer",
    "DPMpp2M",
    "DPMpp3M",
    "Draw",
    "Exponential",
    "Heun",
    "LinearMove",
    "Move",
    "Solver",
    "State",
]
