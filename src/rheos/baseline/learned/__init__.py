"""Baselines of the literature that train networks of their own, on the windows that Rheos trains on."""

from rheos.baseline.learned.base import FittedLearned, LearnedBaseline
from rheos.baseline.learned.dyffusion import DYffusion

LEARNED: tuple[type[LearnedBaseline], ...] = (DYffusion,)

__all__ = ["LEARNED", "DYffusion", "FittedLearned", "LearnedBaseline"]
