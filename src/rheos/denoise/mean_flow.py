"""X = D + (1 - q) (X - D + 2 (1 + sigma / alpha) dX/dl), q = tau_s / tau_t: the MeanFlow identity.

Geng, Deng, Bai, Kolter, He 2025 (arXiv 2505.13447). Their U = v - (t - s) dU/dt, d/dt along the flow, is
this for X(u_t, t, s) = y - t U and D = y - t v on the linear path; any schedule has it in terms of
l = log(alpha^2 / sigma^2), since dtau/dl = -tau (1 - tau) / 2 and 1 / (1 - tau) = 1 + sigma / alpha. As
there, u_0 and the line from it to z stand for D and the flow, which are their means. Where s = 0 it says
dX/dl = 0: consistency.

The derivative is a central difference along the line, two calls without gradients: what a Jacobian-vector
product gives, by any network in any coordinates, kernels without a forward rule included.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.time_field import expand
from rheos.denoise.euler import share
from rheos.denoise.flow_map import FlowMap
from rheos.denoise.flow_objective import FlowObjective
from rheos.denoise.noising import Noised

_FARTHEST = 80.0  # sigma / alpha


class MeanFlow(FlowObjective):
    """A flow map by the derivative of its average velocity along the flow: forecasts in 1, 2 or 4 calls.

    Attributes:
        step: half the difference's length in log-SNR; far below the shortest period (2) that networks see.
    """

    kind: Literal["mean_flow"] = "mean_flow"
    step: float = Field(default=0.05, gt=0.0, le=0.5)

    def target(self, flow: FlowMap, shown: Noised, s: Tensor, mean: Tensor, cut: Tensor) -> Tensor:
        """The right side of the identity."""
        schedule, t = flow.process.schedule, shown.t
        moving = t > 0.0
        part = 1.0 - share(schedule, s) / torch.where(moving, share(schedule, t), 1.0)
        # Further out all is noise and X no longer turns: a difference enlarged so much would be rounding.
        ratio = torch.exp(-0.5 * schedule.log_snr(t)).clamp(max=_FARTHEST)
        slope = self._slope(flow, shown, s)
        near = expand(torch.where(moving, part, 0.0), mean)
        rate = expand(torch.where(moving, 2.0 * part * (1.0 + ratio), 0.0), mean)
        return shown.clean + near * (mean - shown.clean) + rate * slope

    def _slope(self, flow: FlowMap, shown: Noised, s: Tensor) -> Tensor:
        """dX/dl along the line from u_0 to z, s fixed."""
        ahead, behind = (self._beside(flow, shown, s, way * self.step) for way in (1.0, -1.0))
        return (ahead - behind) / (2.0 * self.step)

    def _beside(self, flow: FlowMap, shown: Noised, s: Tensor, way: float) -> Tensor:
        """X where the pair's line is a little further in log-SNR."""
        schedule = flow.process.schedule
        moved = schedule.time_at(schedule.log_snr(shown.t) + way)
        at = torch.where(shown.t > 0.0, moved, shown.at)
        u = flow.process.diffuse(shown.clean, at, shown.noise)
        # Differences of half-precision answers would be rounding.
        with torch.autocast(u.device.type, enabled=False):
            return flow.mean(u, at, s, shown.context)
