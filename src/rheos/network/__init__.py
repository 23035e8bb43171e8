"""Backbones: plain modules `(x, level, context) -> x's shape` that know no schedule."""

from rheos.network.config import SeriesNetwork
from rheos.network.shapes import Shapes

NETWORKS = (SeriesNetwork,)

__all__ = ["NETWORKS", "SeriesNetwork", "Shapes"]
