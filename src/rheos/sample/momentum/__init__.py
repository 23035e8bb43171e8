"""Solvers of critically damped diffusion, whose states carry a velocity beside the clip."""

from rheos.sample.momentum.euler_maruyama import EulerMaruyama
from rheos.sample.momentum.flow import Flow
from rheos.sample.momentum.sample import quadratic_times, sample_states
from rheos.sample.momentum.solver import MomentumSolver
from rheos.sample.momentum.splitting import Splitting

MOMENTUM_SOLVERS = (Splitting, EulerMaruyama, Flow)

__all__ = [
    "MOMENTUM_SOLVERS",
    "EulerMaruyama",
    "Flow",
    "MomentumSolver",
    "Splitting",
    "quadratic_times",
    "sample_states",
]
