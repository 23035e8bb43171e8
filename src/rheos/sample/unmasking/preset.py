"""How much to spend on tokens: a number of calls under one word, as many tokens a call as that takes."""

from rheos.sample.quality import of_word
from rheos.sample.unmasking.first_hitting import FirstHitting
from rheos.sample.unmasking.sampler import Unmasking

TOKEN_PRESETS: dict[str, Unmasking] = {
    "fast": FirstHitting(most=8),
    "balanced": FirstHitting(most=32),
    "best": FirstHitting(),
}
"""Samplers of tokens by word, the cheapest first; exact where there are calls enough for one token each."""


def token_preset(word: str) -> Unmasking:
    """The sampler of a word.

    Raises:
        InputError: there is no such word.
    """
    return of_word(TOKEN_PRESETS, word)
