"""The result of one contender with one seed: its account of scores, and what they cost."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version
from typing import Any

import numpy as np

from rheos import __version__
from rheos.core.errors import InputError
from rheos.evaluation.comparison.contender import Contender
from rheos.evaluation.comparison.meter import forget_peak, peak_bytes
from rheos.evaluation.comparison.task import Task
from rheos.evaluation.tally import Tally
from rheos.train.loop import Progress


@dataclass(frozen=True, slots=True)
class Cost:
    """What one contender took with one seed.

    Attributes:
        training_seconds: from the data to a fitted method, anchors, calibration and all.
        forecast_seconds: of all windows together.
        evaluations: network calls of the forecasts; 0 for methods without a Rheos network.
        peak_bytes: most resident memory of the process while it fitted and forecast, Python and torch
            included; None where the system does not tell.
    """

    training_seconds: float
    forecast_seconds: float
    evaluations: int
    peak_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Scores and cost of one contender with one seed.

    Attributes:
        name: of the contender.
        seed: of its training and members.
        description: everything that decides its scores.
        tally: the scores, window by window.
        cost: what they took.
        notes: what a reader should know.
        versions: of what made them.
    """

    name: str
    seed: int
    description: dict[str, Any]
    tally: Tally
    cost: Cost
    notes: tuple[str, ...]
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON; numbers that do not exist are null."""
        return {
            "name": self.name,
            "seed": self.seed,
            "description": self.description,
            "cost": asdict(self.cost),
            "notes": list(self.notes),
            "versions": self.versions,
            "tally": self.tally.to_dict(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], task: Task) -> "Result":
        """What :meth:`to_dict` wrote.

        Raises:
            InputError: it is damaged.
        """
        try:
            return cls(
                name=content["name"],
                seed=content["seed"],
                description=content["description"],
                tally=Tally.from_dict(content["tally"], task.area, task.sums, task.circle),
                cost=Cost(**content["cost"]),
                notes=tuple(content["notes"]),
                versions=content["versions"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"a result of this comparison is damaged ({error}); delete it and run again."
            ) from error


def versions(packages: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions of what makes figures, and the machine's kind."""
    own = {"rheos": __version__, "python": python_version(), "machine": machine()}
    return own | {name: version(name) for name in ("torch", "numpy", *packages)}


def measure(
    contender: Contender, task: Task, seed: int, folder: Path, progress: Progress | None = None
) -> Result:
    """Fit one contender and score it on every window.

    Args:
        contender: who.
        task: on what.
        seed: of its training and members.
        folder: where it may keep a model for a run that continues.
        progress: told how far the work is.
    """
    description = contender.describe(task, seed)
    label = f"{contender.name}, seed {seed}"
    tell = None if progress is None else lambda done, total, note: progress(done, total, f"{label}: {note}")
    forget_peak()
    began = time.perf_counter()
    ready = contender.fit(task, seed, folder, tell)
    trained = time.perf_counter() - began
    tally, spent, silent, total = Tally(task.area, task.sums, task.circle), 0.0, 0, 0
    windows = task.windows * len(task.dataset.recordings)
    for done, (recording, origin, truth) in enumerate(task.cases(), start=1):
        began = time.perf_counter()
        ensemble = ready.forecast(recording, origin)
        spent += time.perf_counter() - began
        tally.add(ensemble, truth)
        seen = np.isfinite(truth)
        silent += int((seen & ~np.isfinite(ensemble).all(0)).sum())
        total += int(seen.sum())
        if tell is not None:
            tell(done, windows, "scoring")
    notes = [*ready.notes]
    if silent:
        notes.append(f"{silent} of {total} observed values have no forecast and are not scored")
    # A run that was interrupted has trained for longer than this process can know: the model's own
    # account of its training survives.
    cost = Cost(max(trained, ready.training_seconds), spent, ready.evaluations, peak_bytes())
    return Result(
        name=contender.name,
        seed=seed,
        description=description,
        tally=tally,
        cost=cost,
        notes=tuple(notes),
        versions=versions(contender.packages),
    )
