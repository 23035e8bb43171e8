"""Quality: one word says how much to spend on a forecast, whatever draws it."""

from collections.abc import Mapping
from typing import TypeVar

from rheos.core.errors import InputError

T = TypeVar("T")


def of_word(samplers: Mapping[str, T], word: str) -> T:
    """The sampler of a word.

    Raises:
        InputError: there is no such word.
    """
    if word not in samplers:
        raise InputError(f"quality {word!r} is not known: say one of {', '.join(samplers)}.")
    return samplers[word]
