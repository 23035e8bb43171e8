"""y = m f(x) / (1 - rate), m ~ Bernoulli(1 - rate), one a number: dropout of the branches of a backbone.

Srivastava et al., JMLR 15, 2014; kept on when forecasting, its masks are what an ensemble differs by (Gal and
Ghahramani 2016, arXiv 1506.02142). Masks come from keys, so that a member's depend on nothing but itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from rheos.core.keys import Key, Purpose
from rheos.network.field_block import ResidualBlock
from rheos.network.modulation import Modulated

_CALLS = 8  # calls that a training step makes with one key, at most


class Dropout:
    """Dropout of all branches of a network, while a key says which numbers to drop."""

    def __init__(self, network: nn.Module, rate: float) -> None:
        """Put it into a network; without a key nothing is dropped.

        Args:
            network: a backbone for series or fields.
            rate: share of the numbers that are dropped.
        """
        self.rate = rate
        self._key: Key | None = None
        self._drawn = 0
        for part in network.modules():
            if isinstance(part, Modulated):
                part.branch.register_forward_hook(self._drop)
            elif isinstance(part, ResidualBlock):
                part.leave.register_forward_hook(self._drop)

    @contextmanager
    def by(self, key: Key, call: int) -> Iterator[None]:
        """Drop by these numbers: one row of the key a clip; `call` tells calls with one key apart."""
        self._key, self._drawn = key.at(Purpose.AUGMENT, _CALLS * key.step + call), 0
        try:
            yield
        finally:
            self._key = None

    def _drop(self, _: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        if self._key is None or self.rate == 0.0:
            return None
        # Whatever a branch works on, rows of the batch are its outermost axis.
        count = output.numel() // len(self._key)
        key, self._drawn = self._key.after(self._drawn), self._drawn + count
        kept = key.uniform((count,), output.device) >= self.rate
        return output * kept.view(output.shape) / (1.0 - self.rate)
