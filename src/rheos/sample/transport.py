"""Clips of one law become clips of another: the flow and the diffusions of a two-sided interpolant.

With d = E[x_a - x_b | x_t] and n = E[z | x_t] the flow is dx = d dt + n dgamma. Its steps from t to s, by
Heun's rule, use gamma itself and not its slope, which has no bound at the ends:

    x_s = x_t + (s - t) (d_t + d_s) / 2 + (gamma_s - gamma_t) (n_t + n_s) / 2.

Diffusion e adds -e s |dt|, the score s = -n / gamma, and noise of variance 2 e |dt|, by the same rule and
the same noise for both answers. Albergo, Boffi, Vanden-Eijnden 2023 (arXiv 2303.08797), for any e(t).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.time_field import expand
from rheos.denoise.ends_denoiser import AnswerEnds, Ends, EndsDenoiser
from rheos.process.two_sided import TwoSided
from rheos.sample.sample import Sample, device_of, require_rows, warnings_of, with_history

Diffusion = float | Callable[[Tensor], Tensor]
"""e, or e at a time t."""


def cosine_times(nodes: int) -> Tensor:
    """Falling times from 1 to 0, finer towards both: cos^2 of even angles, float64 `(nodes,)`."""
    times = torch.cos(torch.linspace(0.0, 0.5 * math.pi, nodes, dtype=torch.float64)) ** 2
    times[-1] = 0.0
    return times


def transport(
    denoise: AnswerEnds,
    start: Float[Tensor, "b f c *space"],
    *,
    key: Key | None = None,
    process: TwoSided | None = None,
    context: Context | None = None,
    epsilon: Diffusion = 0.0,
    steps: int = 50,
    towards: Literal["data", "start"] = "data",
) -> Sample:
    """Carry clips of one law to the other.

    Args:
        denoise: an `EndsDenoiser` or what answers like one.
        start: clips of the law they come from, in the denoiser's coordinates where it has some; history
            frames are replaced by the context's.
        key: one row a clip, needed where there is diffusion; the same row gives the same clip.
        process: may be left out where `denoise` has it as `.process`.
        context: what is known of the clips, `b` rows; history frames are held clean.
        epsilon: diffusion, chosen after training; all lead to the same law. What a network gets wrong of the
            noise counts epsilon / gamma times, so near the ends a diffusion that falls with gamma^2 is mild.
        steps: how many, on :func:`cosine_times`, of two calls each and second order (of the law).
        towards: "data" goes from x_a to x_b, "start" back.

    Returns:
        The clips and what they cost.

    Raises:
        IncompatibleError: the process is not between two laws.
        InputError: no step, or diffusion without a key or with one of other rows.
    """
    known = _checked(getattr(denoise, "process", None) if process is None else process, steps)
    if not callable(epsilon) and epsilon < 0.0:
        raise InputError(f"epsilon={epsilon:g}, but a diffusion is 0 or more.")
    drawn = key if callable(epsilon) or epsilon > 0.0 else None
    if drawn is None and (callable(epsilon) or epsilon > 0.0):
        raise InputError("diffusion draws noise: give a key with one row a clip, or epsilon=0.")
    if drawn is not None:
        require_rows(drawn, start.shape)
    place = device_of(denoise)
    x = start.detach().to(place)
    context = (Context() if context is None else context).to(place, x.dtype)
    own = denoise if isinstance(denoise, EndsDenoiser) else None
    x, calls = _with_known(own, x, context), count()
    times = cosine_times(steps + 1)

    def answer(clip: Tensor, t: Tensor) -> Ends:
        next(calls)
        return denoise(clip, t, context)

    fields = [known.field(t, x.shape[1], context) for t in (times if towards == "data" else times.flip(0))]
    with torch.no_grad():
        for step, (t, s) in enumerate(pairwise(fields)):
            z = None if drawn is None else drawn.at(Purpose.STEP, step).normal(x.shape[1:], x.dtype, place)
            x = _Move.of(known, t, s, epsilon, x).apply(x, answer, z)
    clips = x if own is None else with_history(own.read(x, context), context)
    return Sample(clips=clips, evaluations=next(calls), warnings=warnings_of(clips))


def _with_known(denoiser: EndsDenoiser | None, x: Tensor, context: Context) -> Tensor:
    """Clips whose history frames are the context's."""
    if denoiser is None:
        return with_history(x, context)
    return denoiser.canonical(with_history(denoiser.read(x, context), context), context)


def _checked(process: object, steps: int) -> TwoSided:
    """The process, before any work."""
    if not isinstance(process, TwoSided):
        raise IncompatibleError(
            f"process {getattr(process, 'kind', process)!r} starts from noise and not from clips: use "
            "rheos.sample.sample, or the process rheos.process.TwoSided."
        )
    if steps < 1:
        raise InputError(f"steps={steps}: at least one step is needed.")
    return process


@dataclass(frozen=True, slots=True)
class _Move:
    """One step from t to s, its coefficients broadcastable to the clips.

    Attributes:
        times: fields at t and s.
        difference: of the difference at either, s - t.
        noise: of the noise, at t and at s: gamma_s - gamma_t, less what diffusion takes of it.
        fresh: standard deviation of new noise.
    """

    times: tuple[Tensor, Tensor]
    difference: Tensor
    noise: tuple[Tensor, Tensor]
    fresh: Tensor

    @classmethod
    def of(cls, process: TwoSided, t: Tensor, s: Tensor, epsilon: Diffusion, like: Tensor) -> "_Move":
        """Float64 until they meet the clips."""
        ends = (t, s)
        length, levels = (s - t).abs(), [process.level(one) for one in ends]
        renewed = [length * (epsilon(one) if callable(epsilon) else epsilon) for one in ends]
        # Where there is no noise, at the ends, its answer says nothing of the score.
        noise = [
            levels[1] - levels[0] - torch.where(level > 0, new / torch.where(level > 0, level, 1.0), 0.0)
            for new, level in zip(renewed, levels, strict=True)
        ]
        ahead, at_t, at_s, fresh = (
            expand(one, like) for one in (s - t, *noise, (renewed[0] + renewed[1]).sqrt())
        )
        return cls(ends, ahead, (at_t, at_s), fresh)

    def apply(self, x: Tensor, answer: Callable[[Tensor, Tensor], Ends], z: Tensor | None) -> Tensor:
        """Heun's rule: the answers where the step starts, then the mean of them and those where it leads."""
        one = answer(x, self.times[0])
        added = 0.0 if z is None else self.fresh * z
        first = self.difference * one.difference + self.noise[0] * one.noise
        other = answer(x + first + added, self.times[1])
        second = self.difference * other.difference + self.noise[1] * other.noise
        return x + 0.5 * (first + second) + added
