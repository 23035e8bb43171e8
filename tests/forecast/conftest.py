"""Models trained once for all tests of a process; one thread is fastest at this size."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def table_model():
    return tiny.stirred(tiny.fitted(tiny.table(), (*tiny.SERIES, "holdout=40")))


@pytest.fixture(scope="session")
def panel_model():
    return tiny.stirred(tiny.fitted(tiny.panel()))


@pytest.fixture(scope="session")
def field_model():
    return tiny.stirred(tiny.fitted(tiny.field(), tiny.FIELD, horizon=3))


@pytest.fixture(scope="session")
def coded_model():
    """Of a field in codes of patches, land and gaps that move among them."""
    return tiny.stirred(tiny.fitted(tiny.field(), tiny.CODED, horizon=3))


@pytest.fixture(scope="session")
def covariate_model():
    return tiny.stirred(tiny.fitted(tiny.covariates(), (*tiny.SERIES, *tiny.COVARIATES, "holdout=20")))
