"""Grids: where between noise and data the denoiser is asked."""

from rheos.sample.grid.grid import Grid, TimeGrid
from rheos.sample.grid.karras import Karras
from rheos.sample.grid.log_snr import LogSNR
from rheos.sample.grid.uniform import Uniform

GRIDS = (Uniform, LogSNR, Karras)

__all__ = ["GRIDS", "Grid", "Karras", "LogSNR", "TimeGrid", "Uniform"]
