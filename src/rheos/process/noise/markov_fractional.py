"""B_t = sum_k w_k Y_k, dY_k = -g_k Y_k dt + dW, one W: fractional motion by processes without memory.

Daems, Opper, Crevecoeur and Birdal 2024, arXiv 2310.12975, type II (from Y = 0 just before the oldest frame):
g_k = q^(k - (K + 1) / 2) with q = fastest^(2 / (K - 1)), and w = A^-1 b is nearest, in mean square over the
clip [0, 1], to the kernel (t - s)^(a - 1) / Gamma(a), a = H + 1/2, of Riemann-Liouville motion,

    A_ij = (1 + (e^-(g_i + g_j) - 1) / (g_i + g_j)) / (g_i + g_j),
    b_k = (P(a, g_k) - a / g_k P(a + 1, g_k)) / g_k^a,   P the regularized lower gamma function.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.process.noise.fractional import Fractional


class MarkovFractional(Fractional):
    """Fractional Brownian motion from just before the oldest frame, by a few processes without memory.

    Frames are evenly spread over the time [0, 1], each scaled to unit variance.

    Attributes:
        processes: K, how many are added.
        fastest: the greatest rate g, the least is one over it.
    """

    kind: Literal["markov_fractional"] = "markov_fractional"
    processes: int = Field(default=5, ge=2, le=12)
    fastest: float = Field(default=20.0, gt=1.0)

    @property
    def rates(self) -> Tensor:
        """g, float64 `(K,)`, a geometric sequence about 1."""
        place = torch.linspace(-1.0, 1.0, self.processes, dtype=torch.float64)
        return self.fastest**place

    @property
    def weights(self) -> Tensor:
        """w, float64 `(K,)`."""
        g, a = self.rates, torch.tensor(self.index + 0.5, dtype=torch.float64)
        both = g[:, None] + g
        normal = (1.0 + torch.expm1(-both) / both) / both
        wanted = (torch.special.gammainc(a, g) - a / g * torch.special.gammainc(a + 1.0, g)) / g**a
        return torch.linalg.solve(normal, wanted)

    def covariance(self, times: Tensor) -> Tensor:
        """Of B at some times, float64 `(f, f)`: w^T Cov(Y_s, Y_t) w.

        Args:
            times: above 0, float64 `(f,)`.
        """
        g, w = self.rates, self.weights
        both = g[:, None] + g
        first = torch.minimum(times[:, None], times)[..., None, None]
        later = (times - times[:, None]).clamp(min=0.0)[..., None, None]
        earlier = (times[:, None] - times).clamp(min=0.0)[..., None, None]
        # What both have of W is of the time up to the first of them, and has decayed since in the other.
        shared = -torch.expm1(-both * first) / both
        decayed = torch.exp(-g[:, None] * earlier - g * later)
        return torch.einsum("i,stij,j->st", w, shared * decayed, w)

    def correlation(self, frames: int) -> Tensor:
        """The covariance at the frames' times over its diagonal."""
        times = torch.arange(1, frames + 1, dtype=torch.float64) / frames
        covariance = self.covariance(times)
        root = covariance.diagonal().sqrt()
        found = covariance / (root[:, None] * root)
        return (0.5 * (found + found.T)).fill_diagonal_(1.0)
