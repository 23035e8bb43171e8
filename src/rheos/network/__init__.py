"""Backbones: plain modules `(x, level, context) -> x's shape` that know no schedule."""

from rheos.network.config import FieldNetwork, SeriesNetwork
from rheos.network.shapes import Shapes

NETWORKS = (SeriesNetwork, FieldNetwork)

__all__ = ["NETWORKS", "FieldNetwork", "SeriesNetwork", "Shapes"]
