"""Paths: which frame is how far at each step, a grid of times becoming a time field.

Frame k of the future takes node clip(j - k delay, 0, n) of the grid's n steps at step j, so every frame goes
through the same times and nearer frames are never behind. With the exact denoiser all paths draw the same
law (Chen et al. 2024, Diffusion Forcing, arXiv 2407.01392; Liu et al. 2024, FVDM, arXiv 2410.03160); a
trained one should have seen times of its own for each frame (`objective.times=per_frame`).
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float64
from torch import Tensor

from rheos.core.method import Method


class Path(Method, ABC):
    """How far later frames stay behind nearer ones."""

    @abstractmethod
    def delay(self, steps: int) -> int:
        """Steps that a frame waits for the one before it, where one frame alone takes `steps`."""

    def fields(self, times: Float64[Tensor, " nodes"], known: int, frames: int) -> Tensor:
        """Time fields `(nodes + delay (frames - known - 1), 1, frames)`, 0 on known frames.

        Args:
            times: falling from t_max to 0.
            known: how many first frames are clean.
            frames: of the clip.
        """
        steps, delay = len(times) - 1, self.delay(len(times) - 1)
        behind = delay * torch.arange(frames - known)
        step = torch.arange(steps + 1 + int(behind[-1]))
        field = torch.zeros(len(step), 1, frames, dtype=torch.float64)
        field[:, 0, known:] = times[(step[:, None] - behind).clamp(0, steps)]
        return field
