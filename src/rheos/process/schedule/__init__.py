"""Schedules: how signal falls and noise grows with model time."""

from rheos.process.schedule.base import Schedule
from rheos.process.schedule.cond_ot import CondOT
from rheos.process.schedule.cosine import Cosine
from rheos.process.schedule.cosine_rate import CosineRate
from rheos.process.schedule.edm import EDM
from rheos.process.schedule.follmer import Follmer
from rheos.process.schedule.interpolant import Interpolant
from rheos.process.schedule.kinetic_optimal import KineticOptimal
from rheos.process.schedule.linear import Linear
from rheos.process.schedule.sub_vp import SubVP
from rheos.process.schedule.variance_exploding import VarianceExploding

SCHEDULES: tuple[type[Schedule], ...] = (
    Cosine,
    Linear,
    CosineRate,
    SubVP,
    EDM,
    VarianceExploding,
    CondOT,
    KineticOptimal,
    Follmer,
    Interpolant,
)

__all__ = [
    "EDM",
    "SCHEDULES",
    "CondOT",
    "Cosine",
    "CosineRate",
    "Follmer",
    "Interpolant",
    "KineticOptimal",
    "Linear",
    "Schedule",
    "SubVP",
    "VarianceExploding",
]
