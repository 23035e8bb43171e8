"""Backtests, comparisons, verdicts."""

from rheos.evaluation.backtest import backtest, evaluate
from rheos.evaluation.comparison import Comparison, compare
from rheos.evaluation.scorecard import Scorecard

__all__ = ["Comparison", "Scorecard", "backtest", "compare", "evaluate"]
