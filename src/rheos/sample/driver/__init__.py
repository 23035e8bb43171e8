"""Drivers: how the steps of a grid are run."""

from rheos.sample.driver.corrected import corrected
from rheos.sample.driver.sequential import sequential

__all__ = ["corrected", "sequential"]
