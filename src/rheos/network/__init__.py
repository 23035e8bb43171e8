"""Backbones: plain modules `(x, level, context) -> x's shape` that know no schedule."""

from rheos.network.config import CausalSeriesNetwork, FieldNetwork, SeriesNetwork
from rheos.network.shapes import Shapes

NETWORKS = (SeriesNetwork, CausalSeriesNetwork, FieldNetwork)

__all__ = ["NETWORKS", "CausalSeriesNetwork", "FieldNetwork", "SeriesNetwork", "Shapes"]
