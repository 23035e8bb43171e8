"""X(u_t, t, s) = w X(u_m, m, s) + (1 - w) X(u_t, t, m), w = (R_s - R_m) / (R_s - R_t): the split identity.

Guo et al. 2025 (SplitMeanFlow, arXiv 2507.16884): a flow from t to s is one to m and one from there on.
Their (t - s) U_ts = (m - s) U_ms + (t - m) U_tm is this for X = y - t U on the linear path, and with
R = alpha / sigma on any schedule: the integral of D in R from t to s, cut at R_m. No derivative is taken. As
m goes to t it becomes the MeanFlow identity.
"""

from typing import Literal

import torch
from torch import Tensor

from rheos.core.time_field import expand
from rheos.denoise.euler import euler, share, time_of
from rheos.denoise.flow_map import FlowMap
from rheos.denoise.flow_objective import FlowObjective
from rheos.denoise.noising import Noised


class SplitMeanFlow(FlowObjective):
    """A flow map by intervals that add up, no derivative taken: forecasts in 1, 2 or 4 calls."""

    kind: Literal["split_mean_flow"] = "split_mean_flow"

    def target(self, flow: FlowMap, shown: Noised, s: Tensor, mean: Tensor, cut: Tensor) -> Tensor:
        """The right side of the identity, cut at tau_m = (1 - l) tau_t + l tau_s for a uniform l."""
        schedule, t, moving = flow.process.schedule, shown.at, shown.t > 0.0
        first, last = share(schedule, t), share(schedule, s)
        cut = cut.reshape(-1, *(1 for _ in t.shape[1:]))
        middle = torch.lerp(first, last, cut)
        m = torch.where(moving, time_of(schedule, middle), t)
        near = flow.mean(shown.u, t, m, shown.context)
        far = flow.mean(euler(schedule, t, m, shown.u, near), m, s, shown.context)
        # R_s - R_m = (tau_m - tau_s) / (tau_m tau_s); of both, tau_s = 0 cancels.
        safe = torch.where(moving, middle * (first - last), 1.0)
        weight = expand(torch.where(moving, first * (middle - last) / safe, 0.0), mean)
        return near + weight * (far - near)
