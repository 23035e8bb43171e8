"""Noise becomes clips: grids of times, solvers, the driver that runs them, and `sample` that joins them."""

from rheos.sample.preset import PRESETS, Preset, preset
from rheos.sample.probe import Law, VarianceRatio, probe, variance_ratio
from rheos.sample.sample import Sample, sample

__all__ = [
    "PRESETS",
    "Law",
    "Preset",
    "Sample",
    "VarianceRatio",
    "preset",
    "probe",
    "sample",
    "variance_ratio",
]
