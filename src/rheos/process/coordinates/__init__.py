"""Coordinates: what the network sees of a canonical clip."""

from rheos.process.coordinates.anchored import Anchored
from rheos.process.coordinates.base import Composed, Coordinates, Seen
from rheos.process.coordinates.bridge import Bridge
from rheos.process.coordinates.frame_mixing import FrameMixing
from rheos.process.coordinates.gaussian_process import GaussianProcess
from rheos.process.coordinates.identity import Identity

COORDINATES: tuple[type[Coordinates], ...] = (
    Identity,
    Anchored,
    FrameMixing,
    GaussianProcess,
    Bridge,
)

__all__ = [
    "COORDINATES",
    "Anchored",
    "Bridge",
    "Composed",
    "Coordinates",
    "FrameMixing",
    "GaussianProcess",
    "Identity",
    "Seen",
]
