"""What a peer is: another library's forecaster, fitted and asked as a baseline is, with its limits said."""

from abc import abstractmethod
from importlib.util import find_spec
from typing import ClassVar

import numpy as np

from rheos.baseline.method import Baseline
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording


class FittedPeer:
    """A peer that knows its training span.

    Attributes:
        notes: what a reader of its scores should know of this fit.
    """

    notes: tuple[str, ...] = ()

    @abstractmethod
    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """See :class:`rheos.baseline.method.FittedBaseline`."""


class Peer(Baseline):
    """Base of the peers.

    Attributes:
        packages: the packages it needs, as they are imported and installed.
        modules: what else it imports, which an extra brings under another name.
        extra: Rheos' extra that installs them.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    modules: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "peers"

    @property
    @abstractmethod
    def limits(self) -> str:
        """The limits it is run under, in one line."""

    @abstractmethod
    def fit(self, dataset: Dataset, horizon: int) -> FittedPeer:
        """See :class:`rheos.baseline.method.Baseline`."""

    @classmethod
    def suits(cls, layout: Layout) -> bool:
        """Whether `peers` means it for such data."""
        return True

    def require(self) -> None:
        """Raise InputError where a package is missing."""
        missing = [package for package in (*self.packages, *self.modules) if find_spec(package) is None]
        if missing:
            raise InputError(
                f"{self.name()} needs {' and '.join(missing)}; install it with pip install "
                f"'rheos[{self.extra}]'."
            )


def filled(values: np.ndarray) -> np.ndarray:
    """A series `(frames,)` without gaps: straight lines between neighbors, the nearest value at the ends.

    Peers that cannot take a gap get this, and their limits say so; nothing observed: zeros.
    """
    seen = np.flatnonzero(np.isfinite(values))
    if len(seen) == 0:
        return np.zeros(len(values))
    return np.interp(np.arange(len(values)), seen, values[seen].astype(np.float64))
