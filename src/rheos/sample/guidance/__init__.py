"""Guidance: a denoiser becomes another one, whose clips lean towards what is asked for."""

from rheos.core.method import Method
from rheos.sample.guidance.free import Free, FreeGuidance

GUIDANCES: tuple[type[Method], ...] = (Free,)

__all__ = ["GUIDANCES", "Free", "FreeGuidance"]
