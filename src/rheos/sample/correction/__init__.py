"""Corrections: what is done to a clip between two steps of a solver."""

from rheos.sample.correction.correction import Correction, Node, inner_nodes
from rheos.sample.correction.langevin import Langevin
from rheos.sample.correction.time_shift import TimeShift
from rheos.sample.correction.underdamped import Underdamped

CORRECTIONS = (Langevin, Underdamped, TimeShift)

__all__ = ["CORRECTIONS", "Correction", "Langevin", "Node", "TimeShift", "Underdamped", "inner_nodes"]
