"""Codecs: raw units to what the process sees and back."""

from rheos.data.codec.base import Codec, Fitted
from rheos.data.codec.scale import Scale

CODECS: tuple[type[Codec], ...] = (Scale,)

__all__ = ["CODECS", "Codec", "Fitted", "Scale"]
