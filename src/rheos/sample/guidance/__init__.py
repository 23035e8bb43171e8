"""Guidance: a denoiser becomes another one, whose clips lean towards what is asked for."""

from rheos.sample.guidance.free import FreeGuidance

__all__ = ["FreeGuidance"]
