"""Reliability of several recordings: what lies in one window of time is one piece of evidence."""

import numpy as np
import pandas as pd
import pytest

from rheos.evaluation import compare
from rheos.evaluation.comparison import Comparing
from rheos.score import aggregate, flatness


@pytest.fixture(scope="module")
def two():
    """Persistence on two series of 120 frames, one calm and one wild, ten windows of each."""
    rng = np.random.default_rng(0)
    stamps = pd.date_range("2024-01-01", periods=120, freq="h")
    parts = [
        pd.DataFrame({"unique_id": name, "time": stamps, "y": size * rng.normal(size=120).cumsum()})
        for name, size in (("calm", 0.1), ("wild", 3.0))
    ]
    settings = Comparing(holdout=40, members=8)
    return compare(pd.concat(parts, ignore_index=True), ["persistence"], horizon=4, settings=settings)


def test_ranks_of_all_recordings_of_a_window_are_its_evidence(two):
    (result,) = two.results["persistence"]
    assert two.task.windows == 10
    assert len(result.tally.bins) == 20
    together = np.array(result.tally.bins).reshape(10, 2, 20)
    told = two.reliability("persistence")["flatness"]
    assert told == flatness(together.sum(1))
    assert told not in (flatness(together[:, 0]), flatness(together[:, 1]))


def test_coverage_is_a_mean_over_recordings(two):
    (result,) = two.results["persistence"]
    shares = np.array([aggregate(window) for window in result.tally.covered])
    assert two.reliability("persistence")["coverage_90"][0] == pytest.approx(shares.mean())
