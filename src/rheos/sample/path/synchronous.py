"""tau_k(j) = t_j: all frames at one time, the usual path.

Ho et al. 2022, "Video diffusion models", arXiv 2204.03458.
"""

from typing import Literal

from rheos.sample.path.path import Path


class Synchronous(Path):
    """All frames of the future at the same time."""

    kind: Literal["synchronous"] = "synchronous"

    def delay(self, steps: int) -> int:
        """None."""
        return 0
