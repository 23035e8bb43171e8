"""One small model for all tests of evaluation."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "forecast"))

import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model():
    return tiny.fitted(tiny.table(), (*tiny.SERIES, "holdout=41"))
