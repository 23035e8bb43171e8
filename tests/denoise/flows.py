"""Exact flow maps of Gaussian data, for tests of what learns or uses them."""

import torch
from torch import nn

from rheos.core.time_field import expand
from rheos.denoise import FlowMap, GaussianFlow
from rheos.denoise.noising import Noised


class Silent(nn.Module):
    """Stands for a network that is never asked."""

    two_levels = True

    def forward(self, x, level, context, until=None):
        raise AssertionError("the exact map needs no network")


class Exact(FlowMap):
    """X(u, t, s) of Gaussian data, from the flow's closed form: (u_s - A u_t) / (alpha_s - A alpha_t)."""

    def __init__(self, oracle: GaussianFlow) -> None:
        super().__init__(Silent(), oracle.process)
        self.oracle = oracle

    def forward(self, u, t, context=None):
        return self.oracle(u, t, context)

    def mean(self, u, t, s, context):
        schedule = self.process.schedule
        t, s = torch.broadcast_tensors(t, s)
        kept = torch.where(t > 0, schedule.sigma(s) / torch.where(t > 0, schedule.sigma(t), 1.0), 1.0)
        gain = schedule.alpha(s) - kept * schedule.alpha(t)
        still = expand((s == t).to(torch.float64), u) > 0
        moved = self.oracle.carry(u, t, s) - expand(kept, u) * u
        moved = moved / expand(torch.where(s == t, 1.0, gain), u)
        return torch.where(still, self.oracle(u, t, context).mean, moved)


def pair_of(oracle, u, t, context, apart=None):
    """The pair whose line goes through u_t along the flow: u_0 = D, z = (u_t - alpha D) / sigma.

    With `apart` another pair through the same u_t, its u_0 so far from D.
    """
    schedule, clean = oracle.process.schedule, oracle(u, t, context).mean
    free = expand((t > 0).to(torch.float64), u).expand_as(u)
    if apart is not None:
        clean = clean + free * apart
    sigma = expand(torch.where(t > 0, schedule.sigma(t), 1.0), u)
    noise = free * (u - expand(schedule.alpha(t), u) * clean) / sigma
    return Noised(clean, noise, u, t, t, free, context)
