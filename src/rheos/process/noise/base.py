"""The base noise z of u_t = alpha u_0 + sigma z."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.core.method import Method


class Noise(Method, ABC):
    """A law of unit-variance clips from which generation starts."""

    @abstractmethod
    def draw(
        self,
        key: Key,
        shape: Sequence[int],
        context: Context,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Float[Tensor, "rows f *features"]:
        """One clip for each row of the key.

        Args:
            key: which numbers, used as it is.
            shape: `(f, *features)`, without the batch axis.
            context: of the same rows.
            dtype: of the clips.
            device: of the clips.
        """

    @abstractmethod
    def log_prob(
        self, z: Float[Tensor, "rows f *features"], context: Context, known: int = 0
    ) -> Float[Tensor, " rows"]:
        """Log density of each clip.

        Args:
            z: the clips, or their last frames.
            context: of the same rows.
            known: how many frames came before those in `z`; nothing is known of their noise.
        """

    def learned(self, clips: Float[Tensor, "rows f *features"], known: int = 0) -> "Noise":
        """The noise with what it takes from data filled in: itself, where it takes nothing.

        Args:
            clips: canonical training clips, NaN missing.
            known: how many of their frames are history.
        """
        return self

    def correlation(self, frames: int) -> Float64[Tensor, "frames frames"] | None:
        """How frames go together, each of unit variance; None where they are uncorrelated.

        Args:
            frames: f of the clip.
        """
        return None

    def across(self, entries: int) -> Float64[Tensor, "entries entries"] | None:
        """How the entries of a frame go together, each of unit variance; None where they do not.

        Args:
            entries: of a frame, flattened.
        """
        return None

    @property
    @abstractmethod
    def gaussian(self) -> bool:
        """Whether the law is Gaussian, which stochastic solvers and the score need."""
