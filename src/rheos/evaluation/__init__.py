"""Backtests, comparisons, verdicts."""

from rheos.evaluation.backtest import backtest, evaluate
from rheos.evaluation.scorecard import Scorecard

__all__ = ["Scorecard", "backtest", "evaluate"]
