"""Codecs: raw units to what the process sees and back."""

from rheos.data.codec.autoencoder import AutoEncoder
from rheos.data.codec.base import Codec, Fitted
from rheos.data.codec.chain import Chain
from rheos.data.codec.increments import Increments
from rheos.data.codec.log import Log
from rheos.data.codec.patches import Patches
from rheos.data.codec.scale import Scale
from rheos.data.codec.tokens import Tokens

CODECS: tuple[type[Codec], ...] = (Scale, Log, Increments, Tokens, Patches, AutoEncoder, Chain)

__all__ = [
    "CODECS",
    "AutoEncoder",
    "Chain",
    "Codec",
    "Fitted",
    "Increments",
    "Log",
    "Patches",
    "Scale",
    "Tokens",
]
