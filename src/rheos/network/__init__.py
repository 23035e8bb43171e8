"""Backbones: plain modules `(x, level, context) -> x's shape` that know no schedule."""

from rheos.network.config import CausalSeriesNetwork, EquivariantNetwork, FieldNetwork, SeriesNetwork
from rheos.network.shapes import Shapes

NETWORKS = (SeriesNetwork, CausalSeriesNetwork, FieldNetwork, EquivariantNetwork)

__all__ = ["NETWORKS", "CausalSeriesNetwork", "EquivariantNetwork", "FieldNetwork", "SeriesNetwork", "Shapes"]
