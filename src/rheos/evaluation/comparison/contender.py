"""Who takes part in a comparison: a recipe, a fitted model, a baseline or a peer, behind one contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rheos.baseline import Baseline, FittedBaseline, OnCircle, fitted_on
from rheos.baseline.peer import FittedPeer, Peer
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.evaluation.backtest import members_of
from rheos.evaluation.comparison.task import Task
from rheos.forecast.engine import Engine, cuts
from rheos.forecast.forecaster import Forecaster, fit, load
from rheos.forecast.override import merge
from rheos.forecast.recipe import Recipe, make_recipe
from rheos.train.loop import Progress


class Ready(Protocol):
    """A contender that has learned and now forecasts."""

    @property
    def training_seconds(self) -> float:
        """Seconds of training that its own account knows of, 0 where it keeps none."""
        ...

    @property
    def evaluations(self) -> int:
        """Network calls made so far for forecasts."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of its scores should know."""
        ...

    def forecast(self, recording: int, origin: int) -> np.ndarray:
        """The ensemble `(member, horizon, *features)` from an origin of one recording."""
        ...


class Contender(Protocol):
    """One line of the table."""

    @property
    def name(self) -> str:
        """How the table calls it."""
        ...

    @property
    def seeded(self) -> bool:
        """Whether what it learns depends on a seed; if not, one seed says all."""
        ...

    @property
    def limits(self) -> str:
        """Limits under which it takes part, "" for none."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages beyond Rheos' own that make its figures."""
        ...

    def require(self) -> None:
        """Raise InputError where something that its work needs is not installed."""
        ...

    def describe(self, task: Task, seed: int) -> dict[str, Any]:
        """Everything that decides its scores, as JSON; checks what can be checked before any work.

        Raises:
            InputError: it cannot take part in this task.
        """
        ...

    def fit(self, task: Task, seed: int, folder: Path, progress: Progress | None) -> Ready:
        """Learn from the training span; `folder` is where a model may be kept for a run that continues."""
        ...


@dataclass(frozen=True, slots=True)
class Drawing:
    """A Rheos model at work."""

    engine: Engine
    members: int
    training_seconds: float

    @classmethod
    def of(cls, forecaster: Forecaster, task: Task, seed: int) -> "Drawing":
        """As `rheos.backtest` would draw from it."""
        dataset = forecaster.read(task.dataset)
        engine = Engine(forecaster.model, dataset, forecaster.model.preset(task.quality), seed)
        return cls(engine, task.members, forecaster.model.history.seconds)

    @property
    def evaluations(self) -> int:
        """Network calls made so far."""
        return self.engine.evaluations

    @property
    def notes(self) -> Sequence[str]:
        """Warnings of the sampler."""
        return self.engine.warnings

    def forecast(self, recording: int, origin: int) -> np.ndarray:
        """See :class:`Ready`."""
        return members_of(self.engine, recording, origin, self.members)


@dataclass(frozen=True, slots=True)
class RecipeContender:
    """A Rheos recipe, fitted anew for every seed.

    Attributes:
        name: how the table calls it.
        own: nested options of its own.
        common: what all recipes of the comparison share; its own win.
    """

    name: str
    own: Mapping[str, Any]
    common: Mapping[str, Any]
    seeded: bool = True
    limits: str = ""
    packages: tuple[str, ...] = ()

    def require(self) -> None:
        """Rheos is enough."""

    def recipe(self, task: Task, seed: int) -> Recipe:
        """The resolved recipe."""
        given = {
            **merge(self.common, self.own),
            "horizon": task.horizon,
            "holdout": task.holdout,
            "seed": seed,
        }
        return make_recipe(task.dataset, task.horizon, given, f"the recipe {self.name!r}")

    def describe(self, task: Task, seed: int) -> dict[str, Any]:
        """See :class:`Contender`."""
        return {"kind": "recipe", "recipe": self.recipe(task, seed).model_dump(mode="json")}

    def fit(self, task: Task, seed: int, folder: Path, progress: Progress | None) -> Drawing:
        """See :class:`Contender`; an interrupted fit goes on, a finished one is read.

        Raises:
            InputError: the folder holds the model of another recipe.
        """
        recipe = self.recipe(task, seed)
        if not folder.exists():
            return Drawing.of(
                fit(task.dataset, task.horizon, config=recipe, out=folder, progress=progress), task, seed
            )
        forecaster = load(folder)
        if forecaster.model.recipe.model_dump(mode="json") != recipe.model_dump(mode="json"):
            raise InputError(f"{folder} holds a model of another recipe; move it or give another --out.")
        return Drawing.of(forecaster, task, seed)


@dataclass(frozen=True, slots=True)
class ModelContender:
    """A model fitted before.

    Attributes:
        name: how the table calls it.
        forecaster: the model.
        folder: where it lies, if it was read from a folder.
    """

    name: str
    forecaster: Forecaster
    folder: Path | None = None
    seeded: bool = False
    limits: str = ""
    packages: tuple[str, ...] = ()

    def require(self) -> None:
        """Rheos is enough."""

    def describe(self, task: Task, seed: int) -> dict[str, Any]:
        """See :class:`Contender`.

        Raises:
            InputError: it was fitted on other data, to another frame, or for another horizon.
        """
        model = self.forecaster.model
        dataset = self.forecaster.read(task.dataset)
        if model.recipe.horizon != task.horizon:
            raise InputError(
                f"the model {self.name!r} was fitted for {model.recipe.horizon} frames ahead, but this "
                f"comparison is of {task.horizon}; give --horizon {model.recipe.horizon} or another model."
            )
        for recording, mine, all_others in zip(
            dataset.recordings, cuts(model, dataset), task.training.recordings, strict=True
        ):
            if mine != len(all_others):
                raise InputError(
                    f"the model {self.name!r} has seen {mine} frames of sequence {recording.name!r}, but the "
                    f"others here see {len(all_others)}; give --holdout {recording.observed - mine} or fit "
                    f"it with --holdout {task.holdout}."
                )
        if not np.allclose(model.scale, task.scale, rtol=1e-5, atol=0):
            raise InputError(
                f"the model {self.name!r} was fitted on other values than this source holds before its cut; "
                "give the source it was fitted on, or fit it again."
            )
        return {
            "kind": "model",
            "recipe": model.recipe.model_dump(mode="json"),
            "fitted": [model.history.fingerprint, model.history.steps, model.history.scores],
            "preset": model.preset(task.quality).model_dump(mode="json"),
        }

    def fit(self, task: Task, seed: int, folder: Path, progress: Progress | None) -> Drawing:
        """Nothing is left to learn."""
        return Drawing.of(self.forecaster, task, seed)


@dataclass(frozen=True, slots=True)
class Dealing:
    """A fitted baseline or peer at work."""

    fitted: FittedBaseline
    task: Task
    seed: int
    training_seconds: float = 0.0
    evaluations: int = 0

    @property
    def notes(self) -> Sequence[str]:
        """What a peer says of its fit."""
        return self.fitted.notes if isinstance(self.fitted, FittedPeer | OnCircle) else ()

    def forecast(self, recording: int, origin: int) -> np.ndarray:
        """See :class:`Ready`; nothing at or after the origin is handed over."""
        known = self.task.dataset.recordings[recording].until(origin)
        return self.fitted.forecast(
            known, origin, Key.of(self.seed, self.task.members, known.name, str(origin))
        )


@dataclass(frozen=True, slots=True)
class BaselineContender:
    """A baseline or a peer.

    Attributes:
        name: how the table calls it.
        baseline: the method.
    """

    name: str
    baseline: Baseline

    @property
    def seeded(self) -> bool:
        """Whether it draws random numbers when it learns."""
        return "seed" in type(self.baseline).model_fields

    @property
    def limits(self) -> str:
        """A peer's limits."""
        return self.baseline.limits if isinstance(self.baseline, Peer) else ""

    @property
    def packages(self) -> tuple[str, ...]:
        """A peer's packages."""
        return self.baseline.packages if isinstance(self.baseline, Peer) else ()

    def require(self) -> None:
        """See :class:`Contender`."""
        if isinstance(self.baseline, Peer):
            self.baseline.require()

    def _seeded_with(self, seed: int) -> Baseline:
        return self.baseline.model_copy(update={"seed": seed}) if self.seeded else self.baseline

    def describe(self, task: Task, seed: int) -> dict[str, Any]:
        """See :class:`Contender`."""
        return {"kind": "baseline", "method": self._seeded_with(seed).model_dump(mode="json")}

    def fit(self, task: Task, seed: int, folder: Path, progress: Progress | None) -> Dealing:
        """See :class:`Contender`."""
        return Dealing(fitted_on(self._seeded_with(seed), task.training, task.horizon), task, seed)
