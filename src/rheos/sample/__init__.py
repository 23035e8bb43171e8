"""Noise becomes clips: grids of times, solvers, the driver that runs them, and `sample` that joins them."""

from rheos.sample.likelihood import Likelihood, likelihood
from rheos.sample.preset import PRESETS, Preset, preset
from rheos.sample.probe import Law, VarianceRatio, probe, variance_ratio
from rheos.sample.sample import Sample, sample
from rheos.sample.stream import stream

__all__ = [
    "PRESETS",
    "Law",
    "Likelihood",
    "Preset",
    "Sample",
    "VarianceRatio",
    "likelihood",
    "preset",
    "probe",
    "sample",
    "stream",
    "variance_ratio",
]
