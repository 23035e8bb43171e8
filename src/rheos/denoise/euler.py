"""u_s = A u_t + (alpha_s - A alpha_t) D, A = sigma_s / sigma_t: Euler's step, exact where D is constant.

DDIM's (Song, Meng, Ermon 2020, arXiv 2010.02502). On any schedule y = u / (alpha + sigma) moves as on the
linear path in the time tau = sigma / (alpha + sigma): y_s = y_t - (1 - tau_s / tau_t) (y_t - D).
"""

import torch
from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.schedule import Schedule


def euler(schedule: Schedule, start: Tensor, end: Tensor, u: Tensor, answer: Tensor) -> Tensor:
    """The clip at `end`; entries that are clean at `start` stay as they are.

    Args:
        schedule: alpha and sigma.
        start: time field of `u`.
        end: time field, nowhere above `start`.
        u: canonical clip `(b, f, *features)`.
        answer: D, of its shape.
    """
    clean = start == 0.0
    kept = torch.where(clean, 1.0, schedule.sigma(end) / torch.where(clean, 1.0, schedule.sigma(start)))
    gain = torch.where(clean, 0.0, schedule.alpha(end) - kept * schedule.alpha(start))
    return expand(kept, u) * u + expand(gain, u) * answer


def share(schedule: Schedule, t: Tensor) -> Tensor:
    """tau = sigma / (alpha + sigma), the time at which the linear path has as much noise."""
    sigma = schedule.sigma(t)
    return sigma / (schedule.alpha(t) + sigma)


def time_of(schedule: Schedule, tau: Tensor) -> Tensor:
    """The inverse of :func:`share`: the time of a share of noise in [0, 1), 0 where that is 0."""
    some = tau > 0.0
    safe = torch.where(some, tau, 0.5)
    return torch.where(some, schedule.time_at(2.0 * (torch.log1p(-safe) - torch.log(safe))), 0.0)
