"""Baselines of the literature that train networks of their own, on the windows that Rheos trains on."""

from rheos.baseline.learned.base import FittedLearned, LearnedBaseline
from rheos.baseline.learned.dyffusion import DYffusion
from rheos.baseline.learned.koopman_vae import KoopmanVAE
from rheos.baseline.learned.pv_rnn import PVRNN

LEARNED: tuple[type[LearnedBaseline], ...] = (DYffusion, KoopmanVAE, PVRNN)

__all__ = ["LEARNED", "PVRNN", "DYffusion", "FittedLearned", "KoopmanVAE", "LearnedBaseline"]
