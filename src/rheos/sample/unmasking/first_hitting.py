"""Tokens told one at a time: of n hidden at t the next, any of them, at t U^(1/(n power)).

The first-hitting sampler: Zheng et al. 2024, arXiv 2409.02908. The largest of n numbers uniform below t^power
is t^power U^(1/n), and it is any of the n alike; so the order of one uniform number a token has the law of
the reverse process itself, in as many calls as there are tokens.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.masked import Masked
from rheos.sample.unmasking.sampler import Unmasking, falling


class FirstHitting(Unmasking):
    """Every token at its own time: the reverse process itself, without a grid.

    Attributes:
        most: at most so many calls, the tokens of a call drawn as if independent; None: one token a call,
            which is exact.
    """

    kind: Literal["first_hitting"] = "first_hitting"
    most: int | None = Field(default=None, ge=1)

    def rounds(self, process: Masked, w: Tensor, hidden: Tensor) -> Tensor:
        """The place in the order of times, over the tokens of a call."""
        return torch.where(hidden, falling(w, hidden) // self.together(w.shape[1]), -1)

    def together(self, tokens: int) -> int:
        """Tokens told by one call."""
        return 1 if self.most is None else -(-tokens // self.most)

    def calls(self, tokens: int) -> int:
        """One for every group of tokens."""
        return -(-tokens // self.together(tokens))
