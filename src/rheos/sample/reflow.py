"""Reflow: pairs (z, u_0) of noise and the clip that a fitted flow draws from it, to be trained on anew.

Liu, Gong, Liu 2022, "Flow straight and fast", arXiv 2209.03003. A flow trained on pairs that belong together
has straighter lines between them, until one step is enough. How straight they are is

    S = int_0^1 E |(z - u_0) - v(x_tau, tau)|^2 dtau,   x_tau = (1 - tau) u_0 + tau z,

and because v = E[z - u_0 | x_tau], its integrand is E |D - u_0|^2 / tau^2. On any schedule the clip u_t over
alpha + sigma is x_tau at tau = sigma / (alpha + sigma), so S is the same on all of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Denoise
from rheos.core.time_field import expand
from rheos.process import Process
from rheos.sample.preset import Preset
from rheos.sample.preset import preset as preset_of
from rheos.sample.sample import device_of, process_of, sample


@dataclass(frozen=True, slots=True)
class Pairs:
    """Noise and the clips that belong to it, canonical, each `(b, f, *features)`.

    Attributes:
        clips: u_0.
        noise: z.
    """

    clips: Tensor
    noise: Tensor


def pairs(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    key: Key,
    process: Process | None = None,
    context: Context | None = None,
    preset: Preset | str = "best",
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Pairs:
    """Draw pairs by a flow, as `sample` draws clips.

    Args:
        denoise: of the fitted flow.
        shape: `(b, f, *features)`.
        key: one row a pair.
        process: as for `sample`.
        context: of the pairs; they are to be trained on with the same.
        preset: its solver's error is what a flow trained on the pairs takes for the truth.
        dtype: of the clips.
        device: of the clips, by default that of the denoiser's parameters.

    Raises:
        IncompatibleError: the preset draws noise on the way, so the noise at the start decides no clip.
    """
    process, chosen = _plain(process_of(denoise, process)), preset_of(preset)
    if chosen.stochastic:
        raise IncompatibleError(
            f"pairs need a clip that follows from its noise alone, but what {chosen.solver.name()!r} draws "
            "on the way decides it too: use a solver without noise."
        )
    place = device_of(denoise) if device is None else torch.device(device)
    drawn = sample(
        denoise, shape, key=key, process=process, context=context, preset=chosen, dtype=dtype, device=place,
        trajectory=True,
    )  # fmt: skip
    known = (Context() if context is None else context).to(place, dtype)
    noise = process.noise.draw(key.at(Purpose.START), tuple(shape[1:]), known, dtype, place)
    # The last node and not the clip: history that was generated belongs to its noise, too.
    clips = noise if drawn.trajectory is None else drawn.trajectory[-1]
    return Pairs(clips, noise)


def straightness(
    denoise: Denoise,
    paired: Pairs,
    *,
    process: Process | None = None,
    context: Context | None = None,
    nodes: int = 16,
) -> Float[Tensor, " b"]:
    """S of each pair, a mean over entries that are not clean; 0 where one step of Euler's rule is exact.

    Args:
        denoise: of the flow that is judged.
        paired: pairs that it was trained on, or that it draws.
        process: as for `sample`.
        context: of the pairs.
        nodes: of the quadrature in tau, of Gauss and Legendre.

    Raises:
        InputError: no node.
    """
    process = _plain(process_of(denoise, process))
    if nodes < 1:
        raise InputError(f"nodes={nodes}: at least one is needed.")
    u0 = paired.clips
    known = (Context() if context is None else context).to(u0.device, u0.dtype)
    schedule, total = process.schedule, torch.zeros(len(u0), dtype=torch.float64)
    places, weights = np.polynomial.legendre.leggauss(nodes)
    with torch.no_grad():
        for tau, weight in zip((0.5 * (places + 1.0)).tolist(), (0.5 * weights).tolist(), strict=True):
            log_snr = 2.0 * torch.log(torch.tensor((1.0 - tau) / tau, dtype=torch.float64))
            t = schedule.time_at(log_snr).clamp(schedule.t_min, schedule.t_max)
            tau = 1.0 / (1.0 + math.exp(0.5 * float(schedule.log_snr(t))))
            field = process.field(t, u0.shape[1], known)
            counted = expand((field == t).to(torch.float64), u0).expand_as(u0).flatten(1)
            mean = denoise(process.diffuse(u0, field, paired.noise), field, known).mean
            error = (counted * (mean - u0).flatten(1).square()).sum(1) / counted.sum(1)
            total += weight * (error.to(total) / tau**2)
    return total


def _plain(process: Process) -> Process:
    """The process with history as it is: pairs have the same when they are drawn and when they are met."""
    return process.model_copy(update={"history_noise": 0.0})
