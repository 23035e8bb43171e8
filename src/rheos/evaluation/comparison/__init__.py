"""Comparisons: several forecasters on the same windows."""

from rheos.evaluation.comparison.compare import compare
from rheos.evaluation.comparison.comparison import Comparison
from rheos.evaluation.comparison.settings import Comparing

__all__ = ["Comparing", "Comparison", "compare"]
