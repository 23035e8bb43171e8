"""Samplers of masked tokens: which hidden token is told when."""

from rheos.core.categorical import categorical
from rheos.sample.unmasking.ancestral import Ancestral
from rheos.sample.unmasking.energy import Energy, EnergyCorrection, relative_to
from rheos.sample.unmasking.first_hitting import FirstHitting
from rheos.sample.unmasking.preset import TOKEN_PRESETS, token_preset
from rheos.sample.unmasking.sample import sample_tokens
from rheos.sample.unmasking.sampler import Unmasking

UNMASKINGS: tuple[type[Unmasking], ...] = (FirstHitting, Ancestral)

__all__ = [
    "TOKEN_PRESETS",
    "UNMASKINGS",
    "Ancestral",
    "Energy",
    "EnergyCorrection",
    "FirstHitting",
    "Unmasking",
    "categorical",
    "relative_to",
    "sample_tokens",
    "token_preset",
]
