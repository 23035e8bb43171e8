"""tau_k(j) = t_(j - k delay): nearer frames finish first.

The pyramid schedule of Diffusion Forcing (Chen et al. 2024, arXiv 2407.01392, section 3.4).
"""

from typing import Literal

from pydantic import Field

from rheos.sample.path.path import Path


class Pyramid(Path):
    """Each frame some steps behind the one before it.

    Attributes:
        behind: how many steps; a clip takes that many more for each further frame.
    """

    kind: Literal["pyramid"] = "pyramid"
    behind: int = Field(default=1, ge=1)

    def delay(self, steps: int) -> int:
        """`behind`, at most the steps of one frame."""
        return min(self.behind, steps)
