"""Baselines of the literature that train networks of their own, on the windows that Rheos trains on."""

from rheos.baseline.learned.base import FittedLearned, LearnedBaseline
from rheos.baseline.learned.dyffusion import DYffusion
from rheos.baseline.learned.koopman_vae import KoopmanVAE

LEARNED: tuple[type[LearnedBaseline], ...] = (DYffusion, KoopmanVAE)

__all__ = ["LEARNED", "DYffusion", "FittedLearned", "KoopmanVAE", "LearnedBaseline"]
