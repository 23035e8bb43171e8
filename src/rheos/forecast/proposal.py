"""What `rheos inspect` adds to a look at the data: the recipe Rheos proposes and what it will cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rheos.core.errors import InputError
from rheos.data.bounds import Bounds, told
from rheos.data.circle import Circle
from rheos.data.codec import Chain
from rheos.data.dataset import Dataset
from rheos.data.inspect import Inspection
from rheos.data.inspect import inspect as look
from rheos.data.reader import read
from rheos.data.reader.video import SUFFIXES
from rheos.data.sums import Sums
from rheos.forecast.forecaster import options, reading
from rheos.forecast.measure import channel_scale
from rheos.forecast.recipe import Recipe, differences, make_recipe
from rheos.network.shapes import Shapes

_MULTIPLY_ADDS_PER_SECOND = 1.5e10  # two CPU cores in float32, small matrices; an order of magnitude
_MUCH_MB, _MUCH_SECONDS = 8000.0, 600.0
_FACTOR = 4  # of the patches offered where a field is large


def inspect(
    source: Any,
    horizon: int | None = None,
    *,
    config: str | Path | Mapping[str, Any] | None = None,
    words: Sequence[str] = (),
) -> Inspection:
    """Look at a source and propose a recipe for it.

    Args:
        source: anything `rheos.fit` takes.
        horizon: frames to forecast; None: one seasonal period, or a tenth of the data.
        config: as for `rheos.fit`.
        words: likewise.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    given = options(config, words)
    how = reading(given)
    wanted = horizon if horizon is not None else given.get("horizon")
    if wanted is not None and (not isinstance(wanted, int) or wanted < 1):
        raise InputError(f"horizon={wanted!r}, but it must be a whole number of frames, at least 1.")
    found = look(source, how)
    if any(problem.fatal for problem in found.problems):
        return found
    dataset = source if isinstance(source, Dataset) else read(source, how)
    frames = wanted or likely_horizon(dataset)
    recipe = make_recipe(dataset, frames, {**given, "horizon": frames})
    proposed = differences(recipe)
    known = dataset.until(recipe.holdout)
    limits = Bounds.of(known, recipe.bounds).words(dataset.layout.channels)
    Sums.of(dataset.layout.channels, recipe.sums, channel_scale(known)).require(known)
    return replace(found, recipe=proposed, cost=cost(dataset, recipe), limits=limits)


def likely_horizon(dataset: Dataset) -> int:
    """One seasonal period where there is one, else a tenth of the shortest recording, at most 24."""
    shortest = min(recording.observed for recording in dataset.recordings)
    periods = dataset.layout.periods
    return max(1, min(periods[0] if periods else 24, shortest // 10))


def cost(dataset: Dataset, recipe: Recipe) -> dict[str, float]:
    """Rough cost of training and forecasting on this machine's kind of CPU.

    Returns:
        `parameters`, `training_seconds`, `training_memory_mb`, `forecast_seconds` (100 members from one
        origin, balanced).
    """
    layout = dataset.layout
    plane = len(layout.channels) + len(Circle(layout.circular).channels)
    channels, *space = Chain(links=recipe.codec).features((plane, *dataset.features[1:]))
    shapes = Shapes(
        history=recipe.history,
        horizon=recipe.horizon,
        channels=channels,
        space=tuple(space),
        known_future=len(layout.known_future),
        past=len(layout.past),
        static=len(layout.static),
        lags=len(recipe.lags),
        anchor=True,
        periodic=layout.periodic,
    )
    network = recipe.network.build(shapes, recipe.seed)
    parameters = sum(p.numel() for p in network.parameters())
    entries = shapes.frames * int(np.prod((channels, *space)))
    width = getattr(recipe.network, "width", 32)
    work = 12.0 * entries * width * width
    return {
        "parameters": parameters,
        "training_seconds": recipe.training.time,
        "training_memory_mb": round(recipe.training.batch * entries * width * 4 * 12 / 2**20),
        "forecast_seconds": round(100 * 20 * work / _MULTIPLY_ADDS_PER_SECOND, 1),
    }


def proposal_text(found: Inspection) -> str:
    """The proposed recipe and its cost as lines for people; empty where there is none."""
    if found.recipe is None or found.cost is None:
        return ""
    recipe = yaml.safe_dump(found.recipe, sort_keys=False, default_flow_style=None).rstrip()
    spent = found.cost
    lines = [
        "",
        "proposed recipe (defaults left out)",
        *(f"  {line}" for line in recipe.splitlines()),
        *(["limits that no member passes", f"  {told(found.limits)}"] if found.limits else []),
        "cost, roughly",
        f"  training {spent['training_seconds']:.0f} s, {spent['training_memory_mb']:.0f} MB",
        f"  100 members from one origin {spent['forecast_seconds']:.1f} s on two CPU cores",
        *_lighter(found),
    ]
    return "\n".join(lines)


def _lighter(found: Inspection) -> list[str]:
    """What makes a large field affordable, where it is not."""
    cost = found.cost or {}
    much = max(cost["training_memory_mb"] / _MUCH_MB, cost["forecast_seconds"] / _MUCH_SECONDS)
    if found.kind != "field" or much <= 1.0:
        return []
    ways = [f"'codec=[scale,{{kind: patches,factor: {_FACTOR},channels: {6 * len(found.channels)}}}]'"]
    if found.source.lower().endswith(SUFFIXES):
        ways.insert(0, f"data.size={max(0.5 ** math.ceil(math.log2(much) / 2), 0.0625):g}")
    return [f"  that is much; {' or '.join(ways)} takes less"]
