"""Schedules: how signal falls and noise grows with model time."""

from rheos.process.schedule.base import Schedule
from rheos.process.schedule.cond_ot import CondOT
from rheos.process.schedule.cosine import Cosine
from rheos.process.schedule.edm import EDM
from rheos.process.schedule.linear import Linear

SCHEDULES: tuple[type[Schedule], ...] = (
    Cosine,
    Linear,
    EDM,
    CondOT,
)

__all__ = ["EDM", "SCHEDULES", "CondOT", "Cosine", "Linear", "Schedule"]
