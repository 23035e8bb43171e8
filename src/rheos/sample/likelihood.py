"""log p(y_min) = log p_z(y_max / S_max) - n log S_min - int tr dD/dy ds along dy/ds = y - D(alpha y).

The exact likelihood of the probability-flow equation (Song et al. 2021, arXiv 2011.13456, section 4.3 and
appendix D.2), written for y = u / alpha against s = log S, S = sigma / alpha, and solved for
w = y / sqrt(1 + S^2), which is nearly constant where only noise or only data speak:

    dw/ds = w / (1 + S^2) - D / sqrt(1 + S^2).

The signs of Hutchinson's trace estimate (Grathwohl et al. 2019, FFJORD, arXiv 1810.01367) stay the same along
a path.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Denoise
from rheos.core.time_field import expand
from rheos.process import Process
from rheos.sample.check import all_drawn
from rheos.sample.sample import process_of

Trace = Callable[[Tensor, Tensor], Tensor]
"""(D, u) -> tr dD/du of each clip."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely clips are.

    Attributes:
        log_prob: log density of each clip's counted entries, float64 `(b)`.
        entries: how many entries of a clip are counted.
        evaluations: denoiser calls spent, each with its trace.
    """

    log_prob: Tensor
    entries: int
    evaluations: int

    @property
    def bits_per_entry(self) -> Tensor:
        """-log2 p over the number of entries, `(b)`."""
        return -self.log_prob / (self.entries * math.log(2.0))


def likelihood(
    denoise: Denoise,
    clips: Float[Tensor, "b f *features"],
    *,
    process: Process | None = None,
    context: Context | None = None,
    steps: int = 100,
    trace: Literal["exact", "hutchinson"] = "exact",
    key: Key | None = None,
    log_det: Float[Tensor, " b"] | None = None,
) -> Likelihood:
    """The density that deterministic sampling draws clips from, at clips blurred by the noise of t_min.

    With clean history it is the density of the future given the history, else of the whole clip. Density is
    that of a start from noise alone, as sampling starts.

    Args:
        denoise: differentiable in u; rows do not see each other.
        clips: coded clips, history included; float64 where more than about four digits are wanted.
        process: how clips become noise; may be left out where `denoise` has it as `.process`.
        context: what is known of the clips, `b` rows.
        steps: of the classical Runge-Kutta method, four denoiser calls each.
        trace: "exact" costs a backward pass an entry, "hutchinson" one; it is right on average only.
        key: one row a clip; draws Hutchinson's signs.
        log_det: log |det| of the map from raw to coded units over the counted entries, for a density of raw
            values: `codec.log_det` summed over them.

    Raises:
        InputError: an entry to be counted is missing, there is no key for Hutchinson, or no step.
        IncompatibleError: the process shows history under noise, or the context has a scope.
    """
    process = process_of(denoise, process)
    context = all_drawn(Context() if context is None else context)
    known = 0 if process.history == "diffused" else context.history_frames
    if process.history_noise > 0.0:
        raise IncompatibleError(
            f"given a history seen through noise (history_noise={process.history_noise:g}) the density is a "
            "mixture over that noise, which is not known: use a process with history_noise=0."
        )
    _check(clips, context, known, steps, trace, key)
    counted = torch.ones_like(clips)
    counted[:, :known] = 0.0
    measure = _exact(counted) if trace == "exact" or key is None else _hutchinson(counted, key)
    entries = clips[0, known:].numel()
    low, z, lost = _carry(
        denoise, process, process.canonical(clips, context), context, counted, measure, steps
    )
    start = process.noise.log_prob(z[:, known:], context, known).to("cpu", torch.float64)
    density = start - entries * low - lost - _log_det(process, clips, context, known)
    if log_det is not None:
        density = density + log_det.to(density)
    return Likelihood(density, entries, 4 * steps)


def _check(clips: Tensor, context: Context, known: int, steps: int, trace: str, key: Key | None) -> None:
    """Refuse what has no density, before any work."""
    if context.mask is not None and not bool((context.mask[:, known:] > 0).all()):
        raise InputError(
            "entries to be counted are missing (their mask is 0), and missing values have no density: give "
            "clips that are whole where they count."
        )
    if not bool(torch.isfinite(clips[:, known:]).all()):
        raise InputError("clips hold numbers that are not finite where they count: they have no density.")
    if steps < 1:
        raise InputError(f"steps={steps}: at least one step is needed.")
    if trace == "hutchinson" and (key is None or len(key) != len(clips)):
        raise InputError("Hutchinson's trace draws random signs: give a key with one row a clip.")


def _carry(
    denoise: Denoise,
    process: Process,
    u0: Tensor,
    context: Context,
    counted: Tensor,
    measure: Trace,
    steps: int,
) -> tuple[float, Tensor, Tensor]:
    """Follow clips from t_min to t_max: log S_min, the noise they become, and int tr dD/dy ds."""
    schedule = process.schedule
    ends = torch.tensor([schedule.t_min, schedule.t_max], dtype=torch.float64)
    low, high = (-0.5 * schedule.log_snr(ends)).tolist()
    nodes = torch.linspace(low, high, 2 * steps + 1, dtype=torch.float64)
    times = schedule.time_at(-2.0 * nodes).clamp(schedule.t_min, schedule.t_max)

    def slope(w: Tensor, node: int) -> tuple[Tensor, Tensor]:
        time, squared = times[node], math.exp(2.0 * float(nodes[node]))
        field = process.field(time, w.shape[1], context)
        with torch.enable_grad():
            growth = 1.0 + counted * (math.sqrt(1.0 + squared) - 1.0)
            u = (expand(schedule.alpha(field), w) * growth * w).detach().requires_grad_()
            mean = denoise(u, field, context).mean
            total = measure(mean, u)
        move = w / (1.0 + squared) - mean.detach() / math.sqrt(1.0 + squared)
        return counted * move, float(schedule.alpha(time)) * total

    w = u0 / (1.0 + counted * (math.sqrt(1.0 + math.exp(2.0 * low)) - 1.0))
    lost = torch.zeros(len(w), dtype=torch.float64)
    h = float(nodes[2] - nodes[0])
    with torch.no_grad():
        for i in range(0, 2 * steps, 2):
            k1, l1 = slope(w, i)
            k2, l2 = slope(w + 0.5 * h * k1, i + 1)
            k3, l3 = slope(w + 0.5 * h * k2, i + 1)
            k4, l4 = slope(w + h * k3, i + 2)
            w = w + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            lost = lost + h / 6.0 * (l1 + 2.0 * l2 + 2.0 * l3 + l4)
    return low, w * math.sqrt(1.0 + math.exp(-2.0 * high)), lost


def _exact(counted: Tensor) -> Trace:
    """The diagonal of dD/du over the counted entries, one backward pass each."""
    places = counted[0].flatten().nonzero()[:, 0].tolist()

    def trace(mean: Tensor, u: Tensor) -> Tensor:
        flat, total = mean.flatten(1), torch.zeros(len(u), dtype=torch.float64)
        for place in places:
            (slope,) = torch.autograd.grad(flat[:, place].sum(), u, retain_graph=True)
            total = total + slope.flatten(1)[:, place].to("cpu", torch.float64)
        return total

    return trace


def _hutchinson(counted: Tensor, key: Key) -> Trace:
    """v' (dD/du) v with v of fixed random signs on the counted entries."""
    signs = 2 * key.at(Purpose.PROBE, key.step).integers(2, counted[0].numel()) - 1
    v = counted * signs.reshape(counted.shape).to(counted)

    def trace(mean: Tensor, u: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad((mean * v).sum(), u)
        return (slope * v).flatten(1).sum(1).to("cpu", torch.float64)

    return trace


def _log_det(process: Process, clips: Tensor, context: Context, known: int) -> Tensor:
    """log |det| of the coordinates at data over the frames that count."""
    zero = torch.zeros((), dtype=torch.float64)
    whole = process.coordinates.log_det(zero, clips.shape, context)
    if known == 0:
        return whole
    # Causal coordinates are block triangular: the future's share is what the history's leaves.
    scale = context.anchor_scale
    if scale is not None and scale.shape[1] > 1:
        context = replace(context, anchor_scale=scale[:, :known])
    return whole - process.coordinates.log_det(zero, clips[:, :known].shape, context)
