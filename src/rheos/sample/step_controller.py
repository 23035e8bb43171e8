"""h(lambda) = tau exp(-c . phi(lambda)) / (1 + n(lambda)), c = argmin |x_c - x*|^2: steps learned by effect.

n is the free error estimate's call for short steps (:mod:`rheos.sample.error_profile`) over its mean, phi are
hats on even knots of lambda = log(alpha / sigma), and tau makes a number of steps reach the last time. The
estimate knows what a step gets wrong, not what later steps make of it, nor how steps of unlike length work
together; c learns this from clips x_c against a fine run x* from the same noise, as Tong et al. 2024 learn
times ("Learning to discretize denoising diffusion ODEs", arXiv 2405.15506), here a few numbers by nonlinear
least squares (Branch, Coleman, Li 1999, "A subspace, interior, and conjugate gradient method for large-scale
bound-constrained minimization problems"). All clips share their steps: what each could gain by steps of its
own is less than an embedded pair costs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.protocols import Denoise
from rheos.process import Process
from rheos.sample.error_profile import ErrorProfile, error_profile
from rheos.sample.grid import LogSNR
from rheos.sample.path import Synchronous
from rheos.sample.preset import Preset
from rheos.sample.preset import preset as preset_of
from rheos.sample.sample import process_of, sample
from rheos.sample.solver import Exponential

REFERENCE = Preset(solver=Exponential(order=3), grid=LogSNR(highest=100.0, lowest=0.002), evaluations=120)
"""So many steps that what a preset gets wrong is its distance from them."""
KNOTS = 6
_FEWEST = 4
_MOST, _PROBE, _ROUNDS, _ENOUGH = 3.0, 0.05, 8, 0.02


@dataclass(frozen=True, slots=True)
class LearnedSteps:
    """Steps that were learned, as plain numbers.

    Attributes:
        preset: the one given, with the times and the number of evaluations.
        logs: c, how much denser steps are at each knot from noise to data, as a logarithm; 0 at the first.
        error: root mean square distance of the clips learned from to the fine run, in canonical units.
    """

    preset: Preset
    logs: tuple[float, ...]
    error: float


def densities(logs: Tensor, steps: int) -> Tensor:
    """exp(c . phi) at the middle of even steps from the first knot to the last, float64 `(steps)`."""
    place = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps * (len(logs) - 1)
    hats = (1.0 - (place[:, None] - torch.arange(len(logs))).abs()).clamp(min=0.0)
    return torch.exp(hats @ logs)


def fit_logs(residual: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """The c, 0 at the first knot, that makes the mean square of residuals least.

    Args:
        residual: of c `(knots)` to what is to be small, float64 `(anything)`.
        start: where to begin, `(knots)`.
    """

    def of(free: np.ndarray) -> np.ndarray:
        found = residual(torch.from_numpy(np.concatenate(([0.0], free))))
        return np.asarray(found.numpy())

    def slopes(free: np.ndarray) -> np.ndarray:
        here, moves = of(free), _PROBE * np.eye(len(free))
        return np.stack([(of(free + move) - here) / _PROBE for move in moves], 1)

    begin = (start[1:] - start[0]).clamp(-_MOST, _MOST).numpy()
    found = least_squares(
        of, begin, slopes, bounds=(-_MOST, _MOST), ftol=_ENOUGH, xtol=1e-3, max_nfev=_ROUNDS
    )
    return torch.from_numpy(np.concatenate(([0.0], found.x)))


def learn_steps(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    key: Key,
    process: Process | None = None,
    context: Context | None = None,
    preset: Preset | str = "balanced",
    tolerance: float | None = None,
    device: str = "cpu",
) -> LearnedSteps:
    """Learn where a preset's steps go, and with a tolerance how many there are, for any later use.

    It takes some hundreds of denoiser calls, with a tolerance some thousands. Learn from clips that are not
    scored.

    Args:
        denoise: as for `sample`.
        shape: of the clips to learn from; some tens are enough.
        key: one row a clip.
        process: as for `sample`.
        context: as for `sample`.
        preset: solver, grid and the most evaluations.
        tolerance: take the fewest evaluations, found by halving, whose error on these clips is no more; where
            there are none, the most. None: take the most.
        device: where the denoiser is.

    Raises:
        InputError: there are too few evaluations for steps to be moved, or the grid is a list of times.
        IncompatibleError: the preset does not run without noise, one step after the other, on one time.
    """
    chosen, process = preset_of(preset), process_of(denoise, process)
    _check(chosen)
    lesson = _Lesson.of(denoise, shape, key, process, context or Context(), chosen, device)
    most = lesson.learn(chosen.steps, torch.zeros(KNOTS, dtype=torch.float64))
    if tolerance is None or most.error > tolerance:
        return most
    few, enough = _FEWEST - 1, most
    while enough.preset.steps - few > 1:
        tried = lesson.learn((few + enough.preset.steps) // 2, torch.tensor(enough.logs, dtype=torch.float64))
        if tried.error <= tolerance:
            enough = tried
        else:
            few = tried.preset.steps
    return enough


def _check(preset: Preset) -> None:
    """Raise where steps cannot be learned."""
    if preset.stochastic or preset.adaptive or preset.corrections or not isinstance(preset.path, Synchronous):
        raise IncompatibleError(
            "steps are learned by the distance from a fine run without noise, all frames at one time: leave "
            "out noise, corrections, `adaptive` and paths of frames."
        )
    if preset.steps < _FEWEST:
        raise InputError(f"the preset makes {preset.steps} steps, but fewer than {_FEWEST} are not moved.")


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """Clips to learn from: how to draw them, what they should be, and where their errors arise."""

    draw: Callable[[Preset], Tensor]
    process: Process
    preset: Preset
    profile: ErrorProfile
    exact: Tensor

    @classmethod
    def of(
        cls,
        denoise: Denoise,
        shape: Sequence[int],
        key: Key,
        process: Process,
        context: Context,
        preset: Preset,
        device: str,
    ) -> "_Lesson":
        """The fine run and the profile."""
        run = partial(sample, denoise, shape, key=key, process=process, context=context, device=device)
        frames = context.history_frames
        counted = None if context.mask is None else context.mask[:, frames:].to(device) > 0

        def draw(preset: Preset) -> Tensor:
            clips = run(preset=preset).clips
            futures = process.canonical(clips, context.to(device, clips.dtype))[:, frames:]
            return (futures if counted is None else futures[counted]).flatten().to("cpu", torch.float64)

        profile = error_profile(
            denoise, shape, key=key, process=process, context=context, preset=preset, device=device
        )
        return cls(draw, process, preset, profile, draw(REFERENCE))

    def learn(self, steps: int, start: Tensor) -> LearnedSteps:
        """The best of so many steps."""

        def placed(logs: Tensor) -> Preset:
            density = densities(logs, len(self.profile.errors))
            grid = self.profile.place(self.process.schedule, steps, density=density)
            return self.preset.model_copy(update={"grid": grid, "evaluations": self._calls(steps)})

        logs = fit_logs(lambda logs: self.draw(placed(logs)) - self.exact, start)
        error = float((self.draw(placed(logs)) - self.exact).square().mean().sqrt())
        return LearnedSteps(placed(logs), tuple(logs.tolist()), error)

    def _calls(self, steps: int) -> int:
        return (steps - 1) * int(self.preset.solver.evaluations_per_step) + 1
