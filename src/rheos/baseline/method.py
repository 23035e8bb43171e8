"""What a baseline is: a method that is fitted to a training span and then forecasts like any model."""

from abc import abstractmethod
from typing import ClassVar, Protocol

import numpy as np
from pydantic import Field

from rheos.core.keys import Key
from rheos.core.method import Method
from rheos.data.dataset import Dataset, Recording


class FittedBaseline(Protocol):
    """A baseline that knows its training span."""

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """An ensemble of joint futures.

        Args:
            recording: a sequence of the training data by name, as long as is now known; only its values
                before `origin` are read, and of its stamps the first.
            origin: index of the first future frame.
            key: one row a member; a member depends on its own row alone.

        Returns:
            `(member, horizon, *features)` in the recording's dtype, NaN where a feature never was observed.

        Raises:
            InputError: the sequence is not one of the training data, or nothing precedes the origin.
        """
        ...


class Baseline(Method):
    """Base of the baselines.

    Attributes:
        adds: whether it only copies and adds values, which suits directions as they are.
    """

    adds: ClassVar[bool] = False

    @abstractmethod
    def fit(self, dataset: Dataset, horizon: int) -> FittedBaseline:
        """Learn from a training span; values are referred to, not copied.

        Args:
            dataset: the training span only.
            horizon: frames to forecast.

        Raises:
            InputError: a sequence is too short for even one path of residuals.
        """


class PathBaseline(Baseline):
    """Base of the baselines that are a rule plus residual paths.

    Attributes:
        recent: how many of the latest training origins of the forecast's phase lend their paths.
    """

    recent: int = Field(default=100, ge=1)
