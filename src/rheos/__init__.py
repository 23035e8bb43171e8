"""Rheos: probabilistic forecasting of dynamics with diffusion and flow models."""

__version__ = "0.1.0"
