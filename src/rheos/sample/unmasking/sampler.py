"""Which call tells which hidden token: times of hiding become rounds.

Going back from t = 1 a token is told at the time at which it was hidden. The tokens of one round are drawn
independently given what is shown before it, which is exact where a round has one token.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from rheos.core.method import Method
from rheos.process.masked import Masked


class Unmasking(Method, ABC):
    """In which order, and how many at once, hidden tokens are told."""

    @abstractmethod
    def rounds(
        self, process: Masked, w: Float64[Tensor, "rows n"], hidden: Bool[Tensor, "rows n"]
    ) -> Int64[Tensor, "rows n"]:
        """The round in which each hidden token is told, from 0; -1 for the others. Rows mind only themselves.

        Args:
            process: says when a token of number `w` was hidden.
            w: uniform in (0, 1), one a token.
            hidden: which are to be told.
        """

    @abstractmethod
    def calls(self, tokens: int) -> int:
        """The most denoiser calls that `tokens` hidden ones take."""


def falling(w: Float64[Tensor, "rows n"], hidden: Bool[Tensor, "rows n"]) -> Int64[Tensor, "rows n"]:
    """The place of each hidden token when they are told from the last hidden to the first, from 0."""
    order = torch.where(hidden, w, -1.0).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1)
