"""What does not go together at sampling is refused before any work."""

from typing import Literal

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.protocols import Carries, Denoise
from rheos.process import Process
from rheos.sample.path import Synchronous
from rheos.sample.preset import Preset
from rheos.sample.solver import FlowMapSteps, Midpoint, SingleStep

Gradients = Literal["none", "stored", "checkpointed", "adjoint"] | int
"""Whether clips can be differentiated, and how; a number is that of the last steps gradients go through."""


def check(
    process: Process,
    preset: Preset,
    gradients: Gradients = "none",
    trajectory: bool = False,
    context: Context | None = None,
) -> None:
    """Check all that `sample` is asked to join.

    Raises:
        InputError: gradients are to go through less than one step.
        IncompatibleError: two of them do not go together.
    """
    if isinstance(gradients, int) and gradients < 1:
        raise InputError(
            f"gradients={gradients}, but they go through the last step at least: give 1 or more."
        )
    if preset.stochastic and not process.noise.gaussian:
        raise IncompatibleError(
            f"solver {preset.solver.name()!r} with these settings and corrections adds Gaussian noise, but "
            f"the process starts from {process.noise.name()!r} noise: use a solver without noise."
        )
    if context is not None and context.scope is not None and (preset.corrections or preset.adaptive):
        raise IncompatibleError(
            "corrections and steps of a clip's own choice act on a clip at one time, but what a scope gives "
            "or leaves out stays at its own: leave out one of them."
        )
    _check_gradients(preset, gradients, trajectory)
    _check_parallel(preset, gradients)
    if preset.adaptive is not None:
        _check_adaptive(preset, gradients, trajectory)


def check_carries(denoise: Denoise, preset: Preset) -> None:
    """Raise where steps of a flow map are asked of what answers for one time only.

    Raises:
        IncompatibleError: they are.
    """
    if isinstance(preset.solver, FlowMapSteps) and not isinstance(denoise, Carries):
        raise IncompatibleError(
            f"solver {preset.solver.name()!r} goes from time to time in one call, but "
            f"{type(denoise).__name__} knows the time of a clip only, not where a step ends: fit with "
            "objective=mean_flow or split_mean_flow, or use another solver."
        )


def all_drawn(context: Context) -> Context:
    """The context, which has no scope: only `sample` makes use of one.

    Raises:
        IncompatibleError: entries are given or left out.
    """
    if context.scope is not None:
        raise IncompatibleError(
            "the context's scope has entries given or left out, which only rheos.sample.sample holds at "
            "times of their own: leave it out here."
        )
    return context


def _check_gradients(preset: Preset, gradients: Gradients, trajectory: bool) -> None:
    """Raise where a way to gradients does not go with the rest."""
    if gradients not in ("none", "stored") and preset.corrections:
        raise IncompatibleError(
            f"gradients={gradients!r} goes through the solver's steps alone, but the preset has corrections: "
            "use gradients='stored'."
        )
    if gradients == "adjoint" and (trajectory or not isinstance(preset.solver, Midpoint)):
        raise IncompatibleError(
            "the adjoint equation is solved by the midpoint rule without keeping a trajectory: use "
            "preset=Preset(solver=Midpoint()) and trajectory=False, or gradients='checkpointed'."
        )


def _check_parallel(preset: Preset, gradients: Gradients) -> None:
    """Raise where steps that are made at once do not go with the rest."""
    if preset.parallel is None:
        return
    if not preset.solver.single_step:
        raise IncompatibleError(
            f"steps are made at once where each depends on its own start alone, but solver "
            f"{preset.solver.name()!r} with these settings looks further: use ddim, heun or midpoint."
        )
    if preset.corrections or gradients not in ("none", "stored"):
        raise IncompatibleError(
            "corrections, checkpoints, the last steps' gradients and the adjoint follow one step after the "
            "other, and the preset makes many at once: leave out its `parallel`."
        )


def _check_adaptive(preset: Preset, gradients: Gradients, trajectory: bool) -> None:
    """Raise where steps of a clip's own choice do not go with the rest."""
    if not isinstance(preset.solver, SingleStep):
        raise IncompatibleError(
            f"steps are chosen by an embedded pair without noise, solver {preset.solver.name()!r} is none: "
            "use preset=Preset(solver=SingleStep(), adaptive=Adaptive())."
        )
    if preset.corrections or preset.parallel or not isinstance(preset.path, Synchronous):
        raise IncompatibleError(
            "corrections, steps made at once and paths of frames follow the grid's nodes, but with "
            "`adaptive` every clip has its own: leave out one of them."
        )
    if gradients != "none" or trajectory:
        raise IncompatibleError(
            "with `adaptive` the steps depend on the clip, so there is neither a gradient through them nor a "
            "trajectory of nodes that clips share: use gradients='none' and trajectory=False."
        )
