"""x_t = L u_t, L L^T = K along frames: white noise in u is a Gaussian process in x.

L^-1 x_t = alpha L^-1 x_0 + sigma z is ordinary diffusion of whitened data. The rows of L for the future
are (K_fh L_hh^-T, chol(K_ff - K_fh K_hh^-1 K_hf)). So with history clean, x of the future starts from the
Gaussian process given the history, mean K_fh K_hh^-1 x_h and covariance K_ff - K_fh K_hh^-1 K_hf: the
conditional prior of TSFlow (Kollovieh et al. 2025, arXiv 2410.03024, section 3.3).
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from rheos.core.context import Context
from rheos.core.method import one_of
from rheos.process.coordinates.base import Coordinates, Seen, SeenAlongFrames
from rheos.process.noise import ALONG_FRAMES, OrnsteinUhlenbeck
from rheos.process.noise.along_frames import apply, solve

AnyPrior: Any = one_of(ALONG_FRAMES)


class GaussianProcess(Coordinates):
    """Canonical clips are what drives a Gaussian process along frames.

    Attributes:
        prior: its correlation along frames.
    """

    kind: Literal["gaussian_process"] = "gaussian_process"
    prior: AnyPrior = OrnsteinUhlenbeck()

    def to_seen(self, u: Tensor, t: Tensor, context: Context) -> Tensor:
        """L u."""
        return apply(self.prior.factor(u.shape[1]), u)

    def seen_at(self, times: Tensor, like: Tensor) -> list[Seen]:
        """The same L at all times, in the clip's dtype."""
        return [SeenAlongFrames(self.prior.factor(like.shape[1]).to(like))] * len(times)

    def to_canonical(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """L^-1 x, by substitution."""
        return solve(self.prior.factor(x.shape[1]), x)

    def linear(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """L e."""
        return self.to_seen(e, t, context)

    def log_det(self, t: Tensor, shape: Sequence[int], context: Context) -> Tensor:
        """The log of L's diagonal, summed over frames, for every entry of a frame."""
        rows, frames, *features = shape
        each = self.prior.factor(frames).diagonal().log().sum()
        total: Tensor = math.prod(features) * each
        return total.expand(rows)

    @property
    def causal(self) -> bool:
        """L is lower triangular."""
        return True

    @property
    def entrywise(self) -> bool:
        """Data are mixed along frames."""
        return False
