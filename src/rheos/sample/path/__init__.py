"""Paths: which frame is how far at each step of sampling."""

from rheos.sample.path.frame_by_frame import FrameByFrame
from rheos.sample.path.path import Path
from rheos.sample.path.pyramid import Pyramid
from rheos.sample.path.rolling import Rolling
from rheos.sample.path.synchronous import Synchronous

PATHS: tuple[type[Path], ...] = (Synchronous, Pyramid, Rolling, FrameByFrame)

__all__ = ["PATHS", "FrameByFrame", "Path", "Pyramid", "Rolling", "Synchronous"]
