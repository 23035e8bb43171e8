"""Proper scores, spread, ranks and spectra: pure functions on arrays, members on axis 0.

Every score is per entry with NaN where missing; :func:`aggregate` comes last. Numbers are reported with
their name and estimator, members, windows, aggregation and units.
"""

from rheos.score.almost_fair import almost_fair_crps
from rheos.score.anomaly_correlation import anomaly_correlation
from rheos.score.area import area_weights, cell_bounds
from rheos.score.bootstrap import Interval, mean_difference, resampled_means, skill
from rheos.score.brier import BrierParts, brier_parts, brier_score, exceedance
from rheos.score.circular import circular_crps
from rheos.score.contingency import Contingency, contingency
from rheos.score.coverage import central_interval, covered, interval_width
from rheos.score.crps import Estimator, crps, threshold_weighted_crps
from rheos.score.displacement import Displacement, displacement, distances
from rheos.score.energy import energy_score
from rheos.score.entries import aggregate
from rheos.score.fractions import Fractions, fractions
from rheos.score.quantile import (
    LEVELS_9,
    LEVELS_19,
    crps_sum,
    quantile_loss,
    sample_quantile,
    weighted_quantile_loss,
)
from rheos.score.rank_histogram import flatness, pit, rank_histogram, ranks, unevenness
from rheos.score.spectrum import energy_spectrum, spectrum_error
from rheos.score.spread_skill import rmse, spread, spread_skill, squared_error
from rheos.score.variogram import variogram_score

__all__ = [
    "LEVELS_9",
    "LEVELS_19",
    "BrierParts",
    "Contingency",
    "Displacement",
    "Estimator",
    "Fractions",
    "Interval",
    "aggregate",
    "almost_fair_crps",
    "anomaly_correlation",
    "area_weights",
    "brier_parts",
    "brier_score",
    "cell_bounds",
    "central_interval",
    "circular_crps",
    "contingency",
    "covered",
    "crps",
    "crps_sum",
    "displacement",
    "distances",
    "energy_score",
    "energy_spectrum",
    "exceedance",
    "flatness",
    "fractions",
    "interval_width",
    "mean_difference",
    "pit",
    "quantile_loss",
    "rank_histogram",
    "ranks",
    "resampled_means",
    "rmse",
    "sample_quantile",
    "skill",
    "spectrum_error",
    "spread",
    "spread_skill",
    "squared_error",
    "threshold_weighted_crps",
    "unevenness",
    "variogram_score",
    "weighted_quantile_loss",
]
