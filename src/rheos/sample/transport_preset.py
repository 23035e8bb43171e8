"""How much to spend on the way from one law to another: steps of two calls each, or none, under one word."""

from typing import Literal

from pydantic import Field

from rheos.core.method import Method
from rheos.sample.quality import of_word


class Transport(Method):
    """Steps of :func:`rheos.sample.transport.transport`, without diffusion.

    Attributes:
        steps: how many.
    """

    kind: Literal["transport"] = "transport"
    steps: int = Field(default=10, ge=1)

    @property
    def evaluations(self) -> int:
        """Network calls."""
        return 2 * self.steps


TRANSPORTS: dict[str, Transport] = {
    "fast": Transport(steps=5),
    "balanced": Transport(steps=10),
    "best": Transport(steps=25),
}
"""By word, the cheapest first; as many calls as the presets of denoisers make."""


def transport_preset(word: str) -> Transport:
    """The steps of a word.

    Raises:
        InputError: there is no such word.
    """
    return of_word(TRANSPORTS, word)


class AtOnce(Method):
    """Ends drawn from a plan itself, by the one call that its start takes."""

    kind: Literal["at_once"] = "at_once"

    @property
    def evaluations(self) -> int:
        """Network calls."""
        return 1


def at_once(word: str) -> AtOnce:
    """The same for all words.

    Raises:
        InputError: there is no such word.
    """
    _ = transport_preset(word)
    return AtOnce()
