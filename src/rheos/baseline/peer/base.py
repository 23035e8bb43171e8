"""What a peer is: another library's forecaster, fitted and asked as a baseline is, with its limits said."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from rheos.baseline.method import Baseline
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Recording


class FittedPeer:
    """A peer that knows its training span.

    Attributes:
        notes: what a reader of its scores should know of this fit.
    """

    notes: list[str]

    @abstractmethod
    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """See :class:`rheos.baseline.method.FittedBaseline`."""


class Peer(Baseline):
    """Base of the peers.

    Attributes:
        packages: the packages it needs, as they are installed.
    """

    packages: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def limits(self) -> str:
        """The limits it is run under, in one line."""

    @abstractmethod
    def require(self) -> None:
        """Raise InputError where a package is missing."""

    @abstractmethod
    def fit(self, dataset: Dataset, horizon: int) -> FittedPeer:
        """See :class:`rheos.baseline.method.Baseline`."""
