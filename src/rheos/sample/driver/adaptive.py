"""h <- h min(5, max(1/5, 0.9 E^(-1/k))), E = rms (x_high - x_low) / (absolute + relative max(|x_low|, |x|)).

Each clip takes steps of its own length in lambda = log(alpha / sigma): a step of the embedded pair of orders
k - 1 and k is taken where E <= 1 and tried again, shorter, where it is not. Lu et al. 2022 (DPM-Solver-12 and
-23, arXiv 2206.00927, appendix C.3), with norm and controller as in Jolicoeur-Martineau et al. 2021 (arXiv
2105.14080). No clip looks at another, so each is what it would be alone. Where a step leads is known only
when the one before it is done, so its coefficients, and the denoiser's there, are computed on the way.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.method import Method
from rheos.core.time_field import expand, with_clean_history
from rheos.process.schedule import Schedule
from rheos.sample.solver import Answer, SingleStep, State

_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 5.0
_SHORTEST, _REJECTIONS = 1e-5, 20


class Adaptive(Method):
    """Steps as long as a tolerance allows, chosen by every clip for itself while it is drawn.

    Attributes:
        absolute: tolerance of a step, in canonical units.
        relative: tolerance of a step, as a share of the clip.
        first: length of the first step tried, in log(alpha / sigma).
    """

    kind: Literal["adaptive"] = "adaptive"
    absolute: float = Field(0.0078, gt=0)
    relative: float = Field(0.05, ge=0)
    first: float = Field(0.05, gt=0)


def adaptive(
    denoise: Answer,
    solver: SingleStep,
    schedule: Schedule,
    ends: Tensor,
    u: Tensor,
    known: int,
    how: Adaptive,
) -> Tensor:
    """Run an embedded pair from noise to the last time by steps of its own choice, then to t = 0.

    Args:
        denoise: `(u, time field)` to the mean of u_0; asked for all clips while one of them is on its way.
        solver: the pair.
        schedule: the noise schedule.
        ends: first and last time, float64 `(2,)`.
        u: the clip at the first time `(b, f, *features)`; left as it is.
        known: how many first frames are clean; they count for no error.
        how: tolerances and first step.

    Returns:
        The clip at t = 0.
    """

    def field(times: Tensor) -> Tensor:
        return with_clean_history(times, known, u.shape[1]) if known else times

    start, stop = (0.5 * schedule.log_snr(ends)).tolist()
    reached = torch.full((len(u),), start, dtype=torch.float64)
    times, length = ends[0].expand(len(u)), torch.full_like(reached, how.first)
    rejected = torch.zeros(len(u), dtype=torch.int64)
    while bool((active := reached < stop).any()):
        # What would leave less than a thousandth of a step is taken along.
        aim = torch.where(reached + 1.001 * length < stop, reached + length, stop)
        aim = torch.where(active, aim, reached)
        after = torch.where(aim == stop, ends[1], schedule.time_at(2.0 * aim))
        after = torch.where(active, after, times)
        move = solver.plan(schedule, torch.stack((field(times), field(after))))[0].to(u)
        high, low = move.pair(u, denoise)
        error = _error(high[:, known:], low[:, known:], u[:, known:], how)
        tried = aim - reached
        taken = active & ((error <= 1.0) | (tried <= _SHORTEST) | (rejected >= _REJECTIONS))
        u = torch.where(expand(taken.to(u), u) > 0, high, u)
        reached, times = torch.where(taken, aim, reached), torch.where(taken, after, times)
        rejected = torch.where(taken, 0, rejected + 1)
        length = tried * (_SAFETY * error ** (-1.0 / solver.order)).clamp(_SHRINK, _GROW)
    fields = torch.stack((field(times), torch.zeros_like(field(times))))
    return solver.plan(schedule, fields)[0].to(u).apply(State(u), denoise, lambda: u).u


def _error(high: Tensor, low: Tensor, u: Tensor, how: Adaptive) -> Tensor:
    """E of each clip, float64 `(b)` on the CPU."""
    allowed = how.absolute + how.relative * torch.maximum(low.abs(), u.abs())
    share: Tensor = ((high - low) / allowed).square().flatten(1).mean(1).sqrt()
    return share.to("cpu", torch.float64)
