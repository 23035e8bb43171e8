"""Clips in the coordinates of a process that is not of a schedule, and back."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.process.coordinates import Coordinates


class InCoordinates(nn.Module):
    """Base of what answers in coordinates, entry by entry.

    Args:
        coordinates: in which it answers.
    """

    def __init__(self, coordinates: Coordinates) -> None:
        super().__init__()
        self.coordinates = coordinates

    def canonical(self, x0: Float[Tensor, "b f c *space"], context: Context) -> Tensor:
        """Clips in the coordinates; 0 where missing by the context's mask."""
        zero = torch.zeros((), dtype=torch.float64)
        if context.mask is None:
            return self.coordinates.to_canonical(x0, zero, context)
        present = context.mask > 0
        u0 = self.coordinates.to_canonical(torch.where(present, x0, 0.0), zero, context)
        return torch.where(present, u0, 0.0)

    def read(self, u0: Float[Tensor, "b f c *space"], context: Context) -> Tensor:
        """The inverse: clips as they are."""
        return self.coordinates.to_seen(u0, torch.zeros((), dtype=torch.float64), context)
