"""tau_k(j) = t_(j - k n/W): a window of W frames is under way at any time, its first the cleanest.

Rolling diffusion (Ruhe, Heek, Salimans, Hoogeboom 2024, arXiv 2402.09470).
"""

from typing import Literal

from pydantic import Field

from rheos.sample.path.path import Path


class Rolling(Path):
    """A window rolls over the future; frames before it are done, frames after it still noise.

    Attributes:
        window: W, frames under way at a time.
    """

    kind: Literal["rolling"] = "rolling"
    window: int = Field(default=4, ge=1)

    def delay(self, steps: int) -> int:
        """n / W, rounded up so that no more than W frames are under way."""
        return -(-steps // self.window)
