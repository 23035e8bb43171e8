"""c = argmin over |c - t| <= w / 2 of (V - sigma(c)^2 - alpha(c)^2 V_d)^2, V a clip's variance.

Li, Qu, Yao, Sun, Wang 2024 (Time-Shift sampler, arXiv 2305.15583), algorithm 3: a sampler's clip is not quite
as noisy as its time says, so the next step starts from the time that fits; that is known only when the clip
is there, and so are the coefficients of what follows. The paper matches sigma^2 alone,
which is V_d = 0 and holds while the signal's share of the variance is small (hence the cutoff).
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.time_field import per_clip
from rheos.sample.correction.correction import Correction, Node
from rheos.sample.solver import Answer

_CANDIDATES = 201
_MOST = 0.99
"""How far towards its neighbors a node may move, as a share of the distance."""


class TimeShift(Correction):
    """Count each clip as being at the time whose variance it has.

    Attributes:
        window: w, how far in model time a node may move, both sides together.
        cutoff: nodes at smaller times stay.
        data_variance: V_d, over the entries of a clip of canonical data; 0 as published.
    """

    kind: Literal["time_shift"] = "time_shift"
    window: float = Field(0.03, ge=0, le=1)
    cutoff: float = Field(0.3, ge=0, le=1)
    data_variance: float = Field(0.0, ge=0)

    @property
    def linear(self) -> bool:
        """Times depend on the clip."""
        return False

    def apply(
        self, u: Tensor, node: Node, denoise: Answer, draw: Callable[[], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The clip as it is, with one shift for all entries of it that are not clean."""
        nominal, before, after = (per_clip(t).reshape(-1, 1) for t in (node.time, node.before, node.after))
        if self.window == 0 or float(nominal.max()) <= self.cutoff:
            return u, node.time
        noisy = node.moving > 0
        count = noisy.expand_as(u).flatten(1).sum(1).to("cpu", torch.float64)
        values = torch.where(noisy, u, 0.0).to(torch.float64).flatten(1)
        variance = (values.square().sum(1).cpu() - values.sum(1).cpu() ** 2 / count) / (count - 1)
        low = (_MOST * (after - nominal)).clamp(min=-0.5 * self.window)
        high = (_MOST * (before - nominal)).clamp(max=0.5 * self.window)
        unit = torch.linspace(0.0, 1.0, _CANDIDATES, dtype=torch.float64)
        shifts = torch.cat((torch.zeros_like(low), low + (high - low) * unit), 1).expand(len(u), -1)
        # The nearest first: where variance says nothing, the time stays.
        shifts = shifts.gather(1, shifts.abs().argsort(dim=1, stable=True))
        times = nominal + shifts
        fits = node.schedule.sigma(times) ** 2 + self.data_variance * node.schedule.alpha(times) ** 2
        best = (variance[:, None] - fits).square().argmin(1, keepdim=True)
        chosen = torch.where(nominal > self.cutoff, shifts.gather(1, best), 0.0)
        field = node.time.reshape(node.time.shape or (1,))
        shift = chosen.reshape(-1, *(1 for _ in range(field.ndim - 1)))
        return u, torch.where(field > 0, field + shift, 0.0)
