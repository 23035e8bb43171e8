"""Noise becomes clips: grids of times, solvers, the driver that runs them, and `sample` that joins them."""

from rheos.sample.error_profile import ErrorProfile, calibrate_grid, error_profile
from rheos.sample.likelihood import Likelihood, likelihood
from rheos.sample.preset import PRESETS, Preset, preset
from rheos.sample.probe import Law, VarianceRatio, probe, variance_ratio
from rheos.sample.reflow import Pairs, pairs, straightness
from rheos.sample.sample import Sample, sample
from rheos.sample.step_controller import LearnedSteps, learn_steps
from rheos.sample.stream import stream
from rheos.sample.transport import transport

__all__ = [
    "PRESETS",
    "ErrorProfile",
    "Law",
    "LearnedSteps",
    "Likelihood",
    "Pairs",
    "Preset",
    "Sample",
    "VarianceRatio",
    "calibrate_grid",
    "error_profile",
    "learn_steps",
    "likelihood",
    "pairs",
    "preset",
    "probe",
    "sample",
    "straightness",
    "stream",
    "transport",
    "variance_ratio",
]
