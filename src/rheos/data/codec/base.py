"""What a codec is: x_0 = encode(raw), raw = decode(x_0), fitted on the training span only.

A codec may depend on the window it encodes, through a *state* measured on the window's history; it
never sees a frame at or after the origin before encoding it. A coded frame may have other channels on
another grid than a raw one: `features`, `exists` and `layout` say what it is.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from rheos.core.method import Method
from rheos.data.codec.covariates import Covariates
from rheos.data.dataset import Dataset, Layout

State = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Fitted(ABC):
    """A codec with its numbers; float64 inside and out, NaN stays NaN.

    Attributes:
        covariates: the standard units of the covariates.
    """

    covariates: Covariates = field(default_factory=Covariates.none)

    @property
    def pointwise(self) -> bool:
        """Whether every frame is encoded on its own, the same in any window (the state is empty)."""
        return True

    @property
    def mixes(self) -> bool:
        """Whether a code is no longer of one variable and one cell."""
        return False

    @property
    def lookback(self) -> int:
        """Frames at the head of a run that `encode_past` can only use up."""
        return 0

    @property
    def values(self) -> tuple[int, ...]:
        """How many tokens each channel has; none where coded data are numbers of any size."""
        return ()

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a coded frame, of a raw one of shape `raw`."""
        return raw

    def exists(self, seen: np.ndarray) -> np.ndarray:
        """Which coded entries there are, `seen` (raw features, bool) being the raw ones ever observed."""
        return seen

    def layout(self, raw: Layout) -> Layout:
        """What the axes of coded frames mean."""
        return raw

    def state(self, history: np.ndarray) -> State:
        """What encoding needs of raw histories `(b, P, *features)`; arrays with leading axis b."""
        return {}

    @abstractmethod
    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """Code the raw frames `(b, f, *features)` that follow the history the state was measured on."""

    @abstractmethod
    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """The inverse of `encode`: exact, but for codecs that keep less than there is, which say so."""

    def encode_past(self, values: np.ndarray, state: State) -> np.ndarray:
        """Code a run of raw frames from before the origin; its first `lookback` frames come out NaN."""
        return self.encode(values, state)

    @abstractmethod
    def log_det(self, values: np.ndarray, state: State) -> np.ndarray | None:
        """log of the Jacobian's diagonal of `encode` at raw `values`, same shape, NaN where missing.

        Jacobians are lower triangular along frames, so the sum over entries is log |det|; None where
        there is no density.
        """

    @abstractmethod
    def target_arrays(self) -> dict[str, np.ndarray]:
        """The fitted numbers by name."""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; with the configuration they restore the codec."""
        return {**self.target_arrays(), **self.covariates.to_arrays()}


class Codec(Method, ABC):
    """Base of codecs: the configuration that `fit` turns into a :class:`Fitted`."""

    @property
    def mixes(self) -> bool:
        """Whether a code is no longer of one variable and one cell."""
        return False

    @property
    def spends(self) -> float:
        """Share of the time of a fit that it asks for, to be trained."""
        return 0.0

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a coded frame, of a raw one of shape `raw`; known before anything is fitted."""
        return raw

    def within(self, seconds: float, raw: tuple[int, ...]) -> Self:
        """The codec with what its share of a fit of so many seconds comes to, for frames of this shape."""
        return self

    @abstractmethod
    def fit_targets(self, dataset: Dataset) -> Fitted:
        """Measure the target values."""

    @abstractmethod
    def restore_targets(self, arrays: dict[str, np.ndarray]) -> Fitted:
        """The inverse of `target_arrays`."""

    def fit(self, dataset: Dataset) -> Fitted:
        """Measure targets and covariates on a training span.

        Raises:
            InputError: the values do not suit the codec.
        """
        return replace(self.fit_targets(dataset), covariates=Covariates.fit(dataset))

    def restore(self, arrays: dict[str, np.ndarray]) -> Fitted:
        """Rebuild what `to_arrays` of a codec fitted with this configuration gave."""
        return replace(self.restore_targets(arrays), covariates=Covariates.restore(arrays))
