"""x_t = M_t u_t, (M x)_0 = x_0, (M x)_k = sqrt(g) x_k + sqrt(1 - g) (M x)_{k-1}, g = gammabar(t).

Dynamical Diffusion (Guo et al. 2025, arXiv 2503.00951). In canonical coordinates it is ordinary
diffusion; mixing is what the network sees and what the loss weighs. M M^T is the correlation matrix
r^|i-j| of an AR(1) process, r = sqrt(1 - g), so each frame keeps unit noise variance.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.time_field import expand, per_clip
from rheos.process.coordinates.base import Coordinates, Seen, SeenAlongFrames
from rheos.process.schedule.cosine import Cosine

# Entries of all matrices of a grid; beyond, long clips would hold more of them than of anything else.
_MOST_KEPT = 2**22


class FrameMixing(Coordinates):
    """Each frame mixed with the already mixed one before it, the more the larger t.

    g(t) = (1 - floor) f(t)/f(0) + floor with the f of the cosine schedule. All frames of the clip, history
    and future, are mixed with one level a clip, its largest time.

    Attributes:
        floor: g(1); 1 mixes nothing, below about 0.1 the mixing is nearly singular.
        offset: s of the cosine.
    """

    kind: Literal["frame_mixing"] = "frame_mixing"
    floor: float = Field(default=0.5, gt=0.0, le=1.0)
    offset: float = Field(default=0.008, ge=0.0, le=0.5)

    def correlation(self, t: Tensor) -> Tensor:
        """r = sqrt(1 - g), the lag-1 correlation of mixed white noise; exactly 0 at t = 0."""
        # 1 - f/f(0) is the squared noise of the cosine schedule.
        return math.sqrt(1.0 - self.floor) * Cosine(offset=self.offset).sigma(t)

    def matrix(self, t: Tensor, frames: int) -> Tensor:
        """M_t, float64 `(*t.shape, frames, frames)`: M[k, 0] = r^k, M[k, j] = sqrt(g) r^(k - j)."""
        r, frame = self.correlation(t)[..., None], torch.arange(frames)
        lag = (frame[:, None] - frame).clamp(min=0)
        powers = torch.tril((r**frame)[..., lag])
        powers[..., 1:] *= torch.sqrt(1.0 - r**2)[..., None]
        return powers

    def to_seen(self, u: Tensor, t: Tensor, context: Context) -> Tensor:
        """M_t u."""
        return u if self.floor == 1.0 else SeenAlongFrames(self._matrices(per_clip(t), u))(u, context)

    def seen_at(self, times: Tensor, like: Tensor) -> list[Seen]:
        """One small matrix a time and, where fields tell clips apart, a clip; long clips' when asked for."""
        levels = torch.stack([per_clip(t) for t in times])
        if self.floor == 1.0 or levels.numel() * like.shape[1] ** 2 > _MOST_KEPT:
            return super().seen_at(times, like)
        return [SeenAlongFrames(matrix) for matrix in self._matrices(levels, like).unbind(0)]

    def _matrices(self, levels: Tensor, like: Tensor) -> Tensor:
        return self.matrix(levels, like.shape[1]).to(dtype=like.dtype, device=like.device)

    def to_canonical(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """The bidiagonal inverse: u_0 = x_0, u_k = (x_k - r x_{k-1}) / sqrt(g)."""
        if self.floor == 1.0:
            return x
        r = self.correlation(per_clip(t))
        scale = torch.rsqrt(1.0 - r**2)
        later = expand(scale, x) * x[:, 1:] - expand(r * scale, x) * x[:, :-1]
        return torch.cat((x[:, :1], later), 1)

    def linear(self, e: Tensor, t: Tensor, context: Context) -> Tensor:
        """M_t e."""
        return self.to_seen(e, t, context)

    def log_det(self, t: Tensor, shape: Sequence[int], context: Context) -> Tensor:
        """Half of log g for every entry but those of the first frame."""
        rows, frames, *features = shape
        half = 0.5 * torch.log1p(-(self.correlation(per_clip(t)) ** 2))
        return ((frames - 1) * math.prod(features) * half).expand(rows)

    @property
    def causal(self) -> bool:
        """M is lower triangular along frames."""
        return True
