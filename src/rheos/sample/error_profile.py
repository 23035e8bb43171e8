"""E_i = |sum_j (w_j^k - w_j^(k-1)) D_j| / sigma_n: the error of a step, from answers that were given anyway.

w^k are the exponential Adams-Bashforth weights of order k (:mod:`rheos.sample.solver.kernel`), so E_i is what
order k - 1 gets wrong and, for steps of length h in log-SNR, falls as h^k. A fixed number of steps has the
least sum of such errors where all are equal: the equidistribution principle (de Boor 1973, "Good
approximation by splines with variable knots"), here with the step-size estimate of multistep codes (Hairer,
Norsett, Wanner 1993, "Solving ordinary differential equations I", III.7), taken once and ahead of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.core.protocols import Denoise, Posterior
from rheos.process import Process
from rheos.process.schedule import Schedule
from rheos.sample.grid import TimeGrid
from rheos.sample.preset import Preset
from rheos.sample.preset import preset as preset_of
from rheos.sample.sample import process_of, sample
from rheos.sample.solver import Exponential
from rheos.sample.solver.kernel import Path, adams_bashforth, usable_nodes

_HIGHEST = 4  # the kernel's order


@dataclass(frozen=True, slots=True, eq=False)
class ErrorProfile:
    """Where between noise and data the error of a solver arises.

    Attributes:
        grid: fine times that it was measured on.
        errors: of the steps between them, a clip's root mean square in units of the noise where the step
            ends, float64 `(steps - 1, b)`.
        order: of the solver it is for; errors fall with this power of the step, plus one.
    """

    grid: TimeGrid
    errors: Tensor
    order: int

    def place(
        self, schedule: Schedule, steps: int, *, evenness: float = 1.0, density: Tensor | None = None
    ) -> TimeGrid:
        """As many times, from the first to the last of the grid, with equal errors between them.

        Args:
            schedule: that it was measured on.
            steps: of the new grid, the one to t = 0 included.
            evenness: 0 makes the estimate equal in all steps. More adds even steps in log-SNR: 1 spends half
                of the steps on them, since long steps beside short ones make the estimate too hopeful.
            density: how many more steps there are between two times than by this rule, a factor
                `(steps - 1)`; None: 1.

        Raises:
            InputError: `evenness` is negative.
        """
        if evenness < 0:
            raise InputError(f"evenness={evenness}, but a share of even steps is at least 0.")
        ends = Path.of(schedule, self.grid.times).log_ratio
        need = self.errors.square().mean(1) ** (0.5 / (self.order + 1))
        need = need / need.mean() + evenness if bool(need.any()) else torch.ones_like(need)
        need = need if density is None else need * density
        reached = torch.cat((need.new_zeros(1), need.cumsum(0)))
        wanted = torch.linspace(0.0, float(reached[-1]), steps, dtype=torch.float64)
        step = (torch.searchsorted(reached, wanted, right=True) - 1).clamp(0, len(need) - 1)
        share = (wanted - reached[step]) / need[step]
        times = schedule.time_at(2.0 * (ends[step] + share * (ends[step + 1] - ends[step])))
        times[0], times[-1] = (self.grid.times[0], self.grid.times[-1 if steps > 1 else 0])
        return TimeGrid(times)


class _Meter:
    """A denoiser that also keeps the error of every step, for the price of k - 1 earlier answers.

    Attributes:
        errors: of the steps so far, `(b)` each.
        whole: which steps look back far enough to have one, bool `(steps - 1,)`.
    """

    def __init__(self, denoise: Denoise, process: Process, grid: TimeGrid, order: int) -> None:
        self.errors: list[Tensor] = []
        self._denoise, self._process = denoise, process
        path = Path.of(process.schedule, grid.times)
        self._weights = adams_bashforth(path, order) / path.sigma[1:]
        self._weights[:-1] -= adams_bashforth(path, order - 1) / path.sigma[1:]
        self.whole = usable_nodes(path, order)[1] == order
        self._answers: tuple[Tensor, ...] = ()

    def __call__(self, u: Tensor, t: Tensor, context: Context) -> Posterior:
        """The denoiser's answer."""
        posterior = self._denoise(u, t, context)
        known = 0 if self._process.history == "diffused" else context.history_frames
        self._answers = (posterior.mean[:, known:], *self._answers)[: len(self._weights)]
        if len(self.errors) < self._weights.shape[1]:
            weights = self._weights[:, len(self.errors)].tolist()
            error = sum(w * answer for w, answer in zip(weights, self._answers, strict=False))
            self.errors.append(_size(torch.as_tensor(error), context.mask, known))
        return posterior


def _size(error: Tensor, mask: Tensor | None, known: int) -> Tensor:
    """Root mean square over the entries of each clip that exist, float64 `(b)`."""
    counted = torch.ones_like(error) if mask is None else (mask[:, known:] > 0).to(error)
    square = (error.square() * counted).flatten(1).sum(1) / counted.flatten(1).sum(1).clamp(min=1.0)
    return square.sqrt().to("cpu", torch.float64)


def error_profile(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    key: Key,
    process: Process | None = None,
    context: Context | None = None,
    preset: Preset | str = "balanced",
    pilot: int = 100,
    device: str = "cpu",
) -> ErrorProfile:
    """Sample once on a fine grid and keep the error of every step.

    Args:
        denoise: as for `sample`.
        shape: of the clips; some tens are enough.
        key: one row a clip.
        process: as for `sample`.
        context: as for `sample`.
        preset: the solver gives the order, the grid the first and the last time.
        pilot: steps of the fine grid, which is the preset's.
        device: where the denoiser is.

    Raises:
        InputError: the preset's grid is a list of times, not a rule, or `pilot` is too small.
    """
    chosen, process = preset_of(preset), process_of(denoise, process)
    order = min(chosen.solver.declared_order + 1, _HIGHEST)
    if isinstance(chosen.grid, TimeGrid):
        raise InputError("the preset's grid is a list of times; give one with a rule, such as LogSNR().")
    if pilot < order + 2:
        raise InputError(f"pilot={pilot}, but an error of order {order} needs at least {order + 2} steps.")
    grid = chosen.grid.times(process.schedule, pilot).within(process.schedule)
    meter = _Meter(denoise, process, grid, order)
    fine = Preset(solver=Exponential(order=order - 1), grid=grid)
    sample(meter, shape, key=key, process=process, context=context, preset=fine, device=device)
    errors, first = torch.stack(meter.errors), int(meter.whole.int().argmax())
    errors[:first] = errors[first]  # the start, where history is short
    return ErrorProfile(grid, errors, order - 1)


def calibrate_grid(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    key: Key,
    process: Process | None = None,
    context: Context | None = None,
    preset: Preset | str = "balanced",
    pilot: int = 100,
    device: str = "cpu",
) -> TimeGrid:
    """Place the steps of a preset where the error of its solver arises, for any later use.

    Arguments are those of :func:`error_profile`; the grid has the preset's number of steps.

    Returns:
        Plain times: `preset.model_copy(update={"grid": grid})` samples with them.
    """
    chosen, process = preset_of(preset), process_of(denoise, process)
    profile = error_profile(
        denoise,
        shape,
        key=key,
        process=process,
        context=context,
        preset=chosen,
        pilot=pilot,
        device=device,
    )
    return profile.place(process.schedule, chosen.steps)
