"""Sinusoidal embeddings of levels and of frame positions.

e(v) = (cos(w_i v), sin(w_i v)), w_i geometric between the largest and the smallest period ("Attention is
all you need", arXiv:1706.03762, section 3.5), of log_snr (training card 8) or of the frame's lead.
"""

import math

import torch
from torch import Tensor, nn


def sinusoid(values: Tensor, width: int, longest: float, shortest: float) -> Tensor:
    """Embed numbers by cosines and sines of geometric periods.

    Args:
        values: any shape.
        width: size of the embedding, even.
        longest: longest period, in the unit of the values.
        shortest: shortest period.

    Returns:
        `(*values.shape, width)`, in the values' dtype.
    """
    periods = torch.linspace(
        math.log(longest), math.log(shortest), width // 2, dtype=values.dtype, device=values.device
    ).exp()
    angle = values[..., None] * (2.0 * math.pi / periods)
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


def stacked(*levels: Tensor | None) -> Tensor:
    """Levels of one shape along a last axis, without those that are not told."""
    return torch.stack([level for level in levels if level is not None], dim=-1)


class LevelEmbedding(nn.Module):
    """Some levels (log_snr, +-20) to a vector: sinusoids and a two-layer perceptron."""

    # A level moves from one end to the other over half the longest period; 2 is finer than any solver step.
    longest, shortest = 80.0, 2.0

    def __init__(self, levels: int, width: int, features: int = 32) -> None:
        super().__init__()
        self.features = features
        self.perceptron = nn.Sequential(
            nn.Linear(levels * features, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, levels: Tensor) -> Tensor:
        """Map `(..., levels)` to `(..., width)`."""
        waves = sinusoid(levels, self.features, self.longest, self.shortest)
        return self.perceptron(waves.flatten(-2))


class PositionEmbedding(nn.Module):
    """Lead of a frame (0: the first to forecast, negative: history) to a vector."""

    def __init__(self, frames: int, width: int, features: int = 32) -> None:
        super().__init__()
        self.features = features
        self.longest = 4.0 * frames
        self.project = nn.Linear(features, width)

    def forward(self, leads: Tensor) -> Tensor:
        """Map `(...)` to `(..., width)`."""
        return self.project(sinusoid(leads, self.features, self.longest, 2.0))
