"""Comparisons: several forecasters on the same windows."""

from rheos.evaluation.comparison.compare import compare
from rheos.evaluation.comparison.comparison import Comparison

__all__ = ["Comparison", "compare"]
