"""What goes with what, found by trying: every process with each choice of every other room.

Nothing is declared twice. A choice is put together and two steps are sampled with it; what the mathematics
does not allow raises one sentence before any work, and that sentence is the answer.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

import torch
from pydantic import ValidationError
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.denoise.prediction import Prediction, check_prediction
from rheos.process import PROCESSES, Process, ProcessRecipe
from rheos.process.noise import NOISES
from rheos.sample.correction import CORRECTIONS
from rheos.sample.grid import GRIDS
from rheos.sample.path import PATHS
from rheos.sample.preset import Preset
from rheos.sample.sample import sample
from rheos.sample.solver import SOLVERS

_FRAMES = 3


def compatibility(recipe: ProcessRecipe) -> dict[str, dict[str, str | None]]:
    """By room and word, None where a process takes the choice, else the sentence that says why not.

    Args:
        recipe: the process, with its own settings of schedule and prior.
    """
    found: dict[str, dict[str, str | None]] = {}
    for room, word, attempt in _attempts(recipe):
        found.setdefault(room, {})[word] = _reason(attempt)
    return found


def taken_by(room: str, word: str) -> dict[str, str | None]:
    """By process, None where it takes this choice of a room, else the sentence that says why not."""
    return {
        recipe.name(): _reason(attempt)
        for recipe in PROCESSES
        for its_room, its_word, attempt in _attempts(recipe())
        if (its_room, its_word) == (room, word)
    }


def _attempts(recipe: ProcessRecipe) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Room, word, and what puts the two together."""
    process = recipe.build(anchored=True)
    for noise in NOISES:
        yield "noise", noise.name(), partial(_with, recipe, {"noise": {"kind": noise.name()}})
    for history in ("clean", "diffused"):
        yield "history", history, partial(_with, recipe, {"history": history})
    for prediction in get_args(Prediction):
        yield "prediction", prediction, partial(check_prediction, prediction, process)
    for solver in SOLVERS:
        yield "solver", solver.name(), partial(_draw, process, Preset(solver=solver(), evaluations=3))
    for grid in GRIDS:
        yield "grid", grid.name(), partial(_draw, process, Preset(grid=grid(), evaluations=3))
    for path in PATHS:
        yield "path", path.name(), partial(_draw, process, Preset(path=path(), evaluations=3))
    for correction in CORRECTIONS:
        chosen = Preset(corrections=(correction(),), evaluations=6)
        yield "correction", correction.name(), partial(_draw, process, chosen)


def _reason(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except IncompatibleError as error:
        return str(error)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        return f"the process does not take it: {message[:1].lower()}{message[1:]}."
    return None


def _with(recipe: ProcessRecipe, change: dict[str, object]) -> None:
    """Build the changed recipe and sample from it without noise on the way."""
    changed = type(recipe).model_validate({**recipe.model_dump(), **change})
    _draw(changed.build(anchored=True), Preset(evaluations=2))


def _draw(process: Process, preset: Preset) -> None:
    """A clip of three frames, the first of them history, by a denoiser that answers 0."""
    zero = torch.zeros(1, _FRAMES, 1)
    context = Context(history_frames=1, history=zero[:, :1], anchor=zero, anchor_scale=torch.ones_like(zero))
    sample(_nothing, zero.shape, key=Key.of(0), process=process, context=context, preset=preset)


def _nothing(u: Tensor, t: Tensor, context: Context) -> Posterior:
    return Posterior(mean=torch.zeros_like(u))
