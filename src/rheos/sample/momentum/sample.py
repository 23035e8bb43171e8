"""Noise becomes clips through states that carry a velocity."""

from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Denoise
from rheos.process.critically_damped import CriticallyDamped
from rheos.sample.check import all_drawn
from rheos.sample.momentum.solver import MomentumSolver
from rheos.sample.momentum.splitting import Splitting
from rheos.sample.sample import Sample, device_of, require_rows, warnings_of, with_history


def quadratic_times(process: CriticallyDamped, count: int) -> Tensor:
    """Falling times, finer towards the data: t_min + (t_max - t_min) (1 - i / (count - 1))^2, float64."""
    unit = torch.linspace(1.0, 0.0, count, dtype=torch.float64)
    return process.t_min + (process.t_max - process.t_min) * unit**2


def sample_states(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    key: Key,
    process: CriticallyDamped | None = None,
    context: Context | None = None,
    solver: MomentumSolver | None = None,
    times: int | Tensor = 50,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
    trajectory: bool = False,
) -> Sample:
    """Draw clips by critically damped diffusion.

    Args:
        denoise: a `StateDenoiser` or what answers like one: (state, t, context) to the posterior of the clip.
        shape: `(b, f, channel, *space)` of the clips; rows are independent of each other.
        key: one row a clip; the same row gives the same clip whatever the others are.
        process: may be left out where `denoise` has it as `.process`.
        context: what is known of the clips, `b` rows; history frames are held clean and at rest.
        solver: the rule of a step, by default the published splitting.
        times: falling times from t_max, or how many of :func:`quadratic_times`; at the last one the answer
            of the denoiser is the clip.
        dtype: of the clips; coefficients are float64 until they meet them.
        device: of the clips, by default that of the denoiser's parameters.
        trajectory: keep the state at every node, `(nodes, b, f, 2 channel, *space)`.

    Returns:
        The clips and what they cost.

    Raises:
        IncompatibleError: the process has no velocity, or the context a scope.
        InputError: times do not fall from t_max inside the process' range, or rows of key and shape disagree.
    """
    known = getattr(denoise, "process", None) if process is None else process
    if not isinstance(known, CriticallyDamped):
        raise IncompatibleError(
            f"process {getattr(known, 'kind', known)!r} gives clips no velocity, which these solvers carry "
            "along: use rheos.sample.sample, or the process rheos.process.CriticallyDamped."
        )
    require_rows(key, shape)
    place = device_of(denoise) if device is None else torch.device(device)
    context = all_drawn(Context() if context is None else context).to(place, dtype)
    nodes = _checked(times if isinstance(times, Tensor) else quadratic_times(known, times), known)
    fields = torch.stack([known.field(time, shape[1], context) for time in nodes])
    numbers, calls = count(), count()

    def answer(state: Tensor, t: Tensor) -> Tensor:
        next(calls)
        return denoise(state, t, context).mean

    def draw(like: Tensor) -> Tensor:
        return key.at(Purpose.STEP, next(numbers)).normal(like.shape[1:], dtype, place)

    with torch.no_grad():
        state = known.start(context, key, shape, dtype, place)
        kept = [state]
        for move in (Splitting() if solver is None else solver).plan(known, fields):
            x, v = known.split(state)
            state = torch.cat(move.to(x).apply(x, v, answer, draw), 2)
            if trajectory:
                kept.append(state)
        clips = with_history(answer(state, fields[-1]), context)
    return Sample(
        clips=clips,
        evaluations=next(calls),
        trajectory=torch.stack(kept) if trajectory else None,
        warnings=warnings_of(clips),
    )


def _checked(times: Tensor, process: CriticallyDamped) -> Tensor:
    """The times in float64, falling from t_max to t_min at the least."""
    times = times.detach().to("cpu", torch.float64)
    inside = times.ndim == 1 and len(times) > 0 and bool((times.diff() < 0).all())
    if not inside or float(times[0]) != process.t_max or float(times[-1]) < process.t_min:
        raise InputError(
            f"times must fall from t_max = {process.t_max:g}, where the law of states is known, to t_min = "
            f"{process.t_min:g} or above."
        )
    return times
