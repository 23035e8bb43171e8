"""Adaptive layer normalization with zero start (AdaLN-zero).

h <- h + g * f(LN(h) (1 + s) + m), (m, s, g) a linear map of the condition that starts at 0, so that every
branch starts as the identity (DiT, arXiv:2212.09748, section 3.2).
"""

import torch
from torch import Tensor, nn


def zeroed(layer: nn.Linear | nn.Conv2d | nn.Conv1d) -> nn.Module:
    """The layer, its weight and bias set to 0."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class AdaptiveNorm(nn.Module):
    """Layer normalization, then the scale and shift of a condition."""

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = zeroed(nn.Linear(condition, 2 * width))

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Map `(..., width)`; the condition `(..., condition)` broadcasts."""
        scale, shift = self.modulation(condition).chunk(2, dim=-1)
        return torch.addcmul(shift, self.norm(tokens), 1 + scale)


class Modulated(nn.Module):
    """A branch on adaptively normalized tokens, gated by the same condition."""

    def __init__(self, branch: nn.Module, width: int, condition: int) -> None:
        super().__init__()
        self.branch = branch
        self.norm = AdaptiveNorm(width, condition)
        self.gate = zeroed(nn.Linear(condition, width))

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Add the branch to `(..., width)`; the condition `(..., condition)` broadcasts."""
        return torch.addcmul(tokens, self.gate(condition), self.branch(self.norm(tokens, condition)))
