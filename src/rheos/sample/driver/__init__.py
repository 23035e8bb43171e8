"""Drivers: how the steps of a grid are run."""

from rheos.sample.driver.adaptive import Adaptive, adaptive
from rheos.sample.driver.adjoint import adjoint
from rheos.sample.driver.checkpointed import checkpointed
from rheos.sample.driver.corrected import corrected
from rheos.sample.driver.parallel import Parallel, parallel
from rheos.sample.driver.sequential import sequential
from rheos.sample.driver.truncated import truncated

__all__ = [
    "Adaptive",
    "Parallel",
    "adaptive",
    "adjoint",
    "checkpointed",
    "corrected",
    "parallel",
    "sequential",
    "truncated",
]
