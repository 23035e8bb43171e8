"""A trial: what a preset's sampler gets wrong on a model, without the truth.

Two errors, both shares of variance, and 0 for an exact sampler. `bias`: how far the worst mode's variance is
off on the Gaussian fitted to the training data, exact by the probe. `error`: on the trained network, the
larger of E|x - y|^2 / Var(y) and |Var(x) / Var(y) - 1|, where y is a fine reference and x the preset's answer
to the same noise.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.anchor.base import some
from rheos.data.dataset import Dataset
from rheos.data.window_source import WindowSource
from rheos.forecast.engine import cuts
from rheos.forecast.held_out import split
from rheos.forecast.measure import canonical_futures, mode_variances, solver_bias
from rheos.forecast.model import FittedModel
from rheos.sample.error_profile import ErrorProfile, error_profile
from rheos.sample.preset import Preset
from rheos.sample.sample import sample
from rheos.sample.step_controller import REFERENCE

PILOT = 80
_MEMBERS = 5
_FITTED = 256


@dataclass(slots=True)
class Trial:
    """A model with windows of its training span to try samplers on.

    Attributes:
        model: the model.
        context: of the windows, each repeated for its members.
        shape: of the clips.
        key: of the members.
        windows: how many there are.
        modes: variances of the training data's modes.
        spent: called with the number of network calls made.
        seconds: that one network call took in the reference run, for as many rows as there are here.
    """

    model: FittedModel
    context: Context
    shape: tuple[int, ...]
    key: Key
    windows: int
    modes: list[float]
    spent: Callable[[int], None]
    seconds: float = 0.0
    _reference: Tensor | None = None

    @classmethod
    def of(cls, model: FittedModel, dataset: Dataset | None, spent: Callable[[int], None]) -> "Trial":
        """Take windows from before the cut-off: held-out ones of the source, else of the model's own tail.

        Args:
            model: the model.
            dataset: the data it was fitted on, what came after the cut-off ignored; None: its tail.
            spent: told of network calls.

        Raises:
            InputError: there is no whole window before the cut-off, or nothing known of the data's modes.
        """
        windows = model.source(_before_cut(model, dataset))
        first, held = split(windows, model.recipe.validation)
        modes = model.history.modes or ([] if dataset is None else _modes(model, windows, first))
        if not modes:
            raise InputError(
                "too few windows vary to know the modes of the training data; give the data the model was "
                "fitted on with --from."
            )
        rows = max(model.recipe.block, 2)
        chosen = some(held if len(held) else np.arange(len(windows)), max(1, rows // _MEMBERS))
        members = max(2, rows // len(chosen))
        clip, context = model.context(windows.batch(chosen))
        key = Key.cat([Key.of(model.recipe.seed, members, "tuning", str(int(i))) for i in chosen])
        shape = (len(key), *clip.shape[1:])
        return cls(model, context.repeat(members), shape, key, len(chosen), modes, spent)

    def draw(self, preset: Preset) -> Tensor:
        """Canonical futures, float64 `(windows, members, entries)`, NaN where nothing is forecast."""
        drawn = sample(self.model.continuous, self.shape, key=self.key, context=self.context, preset=preset)
        self.spent(drawn.evaluations)
        canonical = canonical_futures(self.model.continuous.process, drawn.clips, self.context)
        return canonical.double().unflatten(0, (self.windows, -1))

    def error(self, preset: Preset) -> float:
        """Share of the ensemble's variance that the preset changes; see the head of this file."""
        if self._reference is None:
            began = time.perf_counter()
            self._reference = self.draw(REFERENCE)
            self.seconds = (time.perf_counter() - began) / REFERENCE.evaluations
        exact, found = self._reference, self.draw(preset)
        spread = float(exact.var(1).nanmean())
        away = float((found - exact).square().nanmean())
        return max(away, abs(float(found.var(1).nanmean()) - spread)) / max(spread, 1e-12)

    def bias(self, preset: Preset) -> float:
        """Largest |ratio - 1| of a mode's variance; see the head of this file."""
        process = self.model.continuous.process
        (ratios,) = solver_bias(process, self.modes, {"": preset}).values()
        return max(abs(ratio - 1.0) for ratio in ratios)

    def profile(self, preset: Preset) -> ErrorProfile:
        """Where on the way a solver's error arises on this model."""
        self.spent(PILOT)
        return error_profile(
            self.model.continuous,
            self.shape,
            key=self.key,
            context=self.context,
            preset=preset,
            pilot=PILOT,
        )


def _before_cut(model: FittedModel, dataset: Dataset | None) -> Dataset:
    """The recordings up to the cut-off that hold a whole window; without a source those of the tail.

    Raises:
        InputError: there are none.
    """
    if dataset is None:
        dataset, recipe = model.tail, model.recipe
        ends = [max(0, recording.observed - recipe.holdout) for recording in dataset.recordings]
    else:
        ends = cuts(model, dataset)
    kept = [r.until(end) for r, end in zip(dataset.recordings, ends, strict=True)]
    kept = [r for r in kept if r.observed >= model.recipe.window.frames]
    if not kept:
        raise InputError(
            f"there is no whole window of data from before {model.history.cut[0]}, where fitting ended; "
            "give the data the model was fitted on with --from."
        )
    return replace(dataset, recordings=tuple(kept))


def _modes(model: FittedModel, windows: WindowSource, first: np.ndarray) -> list[float]:
    """Of canonical futures, as fitting measures them."""
    trained = first if len(first) else np.arange(len(windows))
    pupil = model.in_training(windows, trained)
    clip, context = pupil.context(windows.batch(some(trained, _FITTED)), forecasting=False)
    return mode_variances(canonical_futures(model.continuous.process, clip, context))
