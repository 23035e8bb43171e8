"""tau_k(j) = t_(j - k n): a frame starts when the one before it is done, p(x_k | x_<k) in turn.

Autoregressive diffusion: TimeGrad (Rasul et al. 2021, arXiv 2101.12072), here by one denoiser of all frames.
"""

from typing import Literal

from rheos.sample.path.path import Path


class FrameByFrame(Path):
    """One frame after the other, each given all before it."""

    kind: Literal["frame_by_frame"] = "frame_by_frame"

    def delay(self, steps: int) -> int:
        """All of a frame's steps."""
        return steps
