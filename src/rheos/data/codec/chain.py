"""Chain: x_0 = c_n(... c_2(c_1(raw))), codecs one after the other, decoded in reverse.

Rheos' own.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from rheos.core.errors import IncompatibleError
from rheos.data.codec.autoencoder import AutoEncoder
from rheos.data.codec.base import Codec, Fitted, State
from rheos.data.codec.increments import Increments
from rheos.data.codec.log import Log
from rheos.data.codec.patches import Patches
from rheos.data.codec.scale import Scale
from rheos.data.codec.tokens import Tokens
from rheos.data.dataset import Dataset, Layout

Link = Annotated[Scale | Log | Increments | Tokens | Patches | AutoEncoder, Field(discriminator="kind")]


class Chain(Codec):
    """Codecs one after the other, such as log, increments, scale.

    Attributes:
        links: applied in this order to raw values.
    """

    kind: Literal["chain"] = "chain"
    links: tuple[Link, ...] = Field(min_length=1)

    @property
    def mixes(self) -> bool:
        """Whether any link does."""
        return any(link.mixes for link in self.links)

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """The last link's."""
        for link in self.links:
            raw = link.features(raw)
        return raw

    @property
    def spends(self) -> float:
        """What the links spend together."""
        return sum(link.spends for link in self.links)

    def within(self, seconds: float, raw: tuple[int, ...]) -> Self:
        """With each link settled for the frames that reach it."""
        links = []
        for link in self.links:
            links.append(link.within(seconds, raw))
            raw = link.features(raw)
        return self.model_copy(update={"links": tuple(links)})

    def fit_targets(self, dataset: Dataset) -> "FittedChain":
        """Fit each link on what the links before it give.

        Raises:
            IncompatibleError: a scale of each window is not the last link.
        """
        for link in self.links[:-1]:
            if isinstance(link, Scale) and link.mode == "window":
                raise IncompatibleError(
                    "a scale of each window changes from window to window, so nothing can be fitted behind "
                    "it; make it the last link of the chain."
                )
        fitted: list[Fitted] = []
        for link in self.links:
            if fitted:
                dataset = _coded(dataset, fitted[-1])
            fitted.append(link.fit_targets(dataset))
        return FittedChain(config=self, links=tuple(fitted))

    def restore_targets(self, arrays: dict[str, np.ndarray]) -> "FittedChain":
        """The inverse of `target_arrays`."""
        links = [link.restore_targets(_of(arrays, number)) for number, link in enumerate(self.links)]
        return FittedChain(config=self, links=tuple(links))


def _coded(dataset: Dataset, link: Fitted) -> Dataset:
    recordings = [replace(r, values=link.encode_past(r.values[None], {})[0]) for r in dataset.recordings]
    return replace(dataset, layout=link.layout(dataset.layout), recordings=tuple(recordings))


def _named(arrays: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    return {f"{number}.{name}": value for name, value in arrays.items()}


def _of(arrays: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    start = f"{number}."
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}


@dataclass(frozen=True, kw_only=True)
class FittedChain(Fitted):
    """The fitted links, first to last; states carry the link's number before their names."""

    config: Chain
    links: tuple[Fitted, ...]

    @property
    def mixes(self) -> bool:
        """Whether any link does."""
        return self.config.mixes

    @property
    def pointwise(self) -> bool:
        """Whether all links are."""
        return all(link.pointwise for link in self.links)

    @property
    def lookback(self) -> int:
        """The links' frames together."""
        return sum(link.lookback for link in self.links)

    @property
    def values(self) -> tuple[int, ...]:
        """The last link's."""
        return self.links[-1].values

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """The last link's."""
        return self.config.features(raw)

    def exists(self, seen: np.ndarray) -> np.ndarray:
        """The last link's."""
        for link in self.links:
            seen = link.exists(seen)
        return seen

    def layout(self, raw: Layout) -> Layout:
        """The last link's."""
        for link in self.links:
            raw = link.layout(raw)
        return raw

    def state(self, history: np.ndarray) -> State:
        """Each link's state on the history that the links before it have coded."""
        state: State = {}
        for number, link in enumerate(self.links):
            own = link.state(history)
            history = link.encode_past(history, own)
            state |= _named(own, number)
        return state

    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """All links, first to last."""
        for number, link in enumerate(self.links):
            values = link.encode(values, _of(state, number))
        return values

    def encode_past(self, values: np.ndarray, state: State) -> np.ndarray:
        """All links, first to last."""
        for number, link in enumerate(self.links):
            values = link.encode_past(values, _of(state, number))
        return values

    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """All links, last to first."""
        for number in reversed(range(len(self.links))):
            values = self.links[number].decode(values, _of(state, number))
        return values

    def log_det(self, values: np.ndarray, state: State) -> np.ndarray | None:
        """Sum of the links' at the values each of them sees."""
        if self.config.mixes:
            return None
        total = np.zeros(np.shape(values))
        for number, link in enumerate(self.links):
            own = _of(state, number)
            part = link.log_det(values, own)
            if part is None:
                return None
            total, values = total + part, link.encode(values, own)
        return total

    def target_arrays(self) -> dict[str, np.ndarray]:
        """All links' numbers, the link's number before their names."""
        arrays: dict[str, np.ndarray] = {}
        for number, link in enumerate(self.links):
            arrays |= _named(link.target_arrays(), number)
        return arrays
