"""Backtest: forecast the frames kept out of fitting, in windows that do not overlap, beside the baselines."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from rheos.baseline import Baseline, default_baselines, fitted_on
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.circle import Circle
from rheos.data.dataset import Dataset
from rheos.data.late import as_known
from rheos.evaluation.scorecard import Scorecard
from rheos.evaluation.tally import Tally
from rheos.evaluation.windows import MOST_WINDOWS, area_of, cases, share_unit, window_origins
from rheos.forecast.engine import Engine, cuts
from rheos.forecast.forecast import Forecast
from rheos.forecast.forecaster import Forecaster
from rheos.forecast.store import stamp_text
from rheos.train.loop import Progress


@dataclass(frozen=True, slots=True)
class Case:
    """One window of a backtest as the report shows it.

    Attributes:
        recording: index of the recording.
        origin: index of the first future frame.
        ensemble: `(member, lead_time, channel, *space)`.
        truth: `(lead_time, channel, *space)`.
    """

    recording: int
    origin: int
    ensemble: np.ndarray
    truth: np.ndarray


def test_origins(forecaster: Forecaster, dataset: Dataset, windows: int) -> list[list[int]]:
    """Origins of each recording: windows that do not overlap, all after the training span, oldest first.

    Raises:
        InputError: the source does not reach a horizon beyond the training span.
    """
    horizon = forecaster.model.recipe.horizon
    origins = window_origins(dataset, cuts(forecaster.model, dataset), horizon, windows)
    if not origins[0]:
        last = forecaster.model.history.cut[0]
        raise InputError(
            f"the source has no {horizon} observed frames after {last}, where fitting ended; "
            f"fit with --holdout {horizon * windows} or give a longer source with --from."
        )
    return origins


def backtest(
    forecaster: Forecaster,
    source: Any,
    *,
    windows: int = MOST_WINDOWS,
    members: int = 100,
    seed: int = 0,
    quality: str = "balanced",
    baselines: Sequence[Baseline] | None = None,
    keep: Callable[[Case], None] | None = None,
    progress: Progress | None = None,
) -> Scorecard:
    """Score a forecaster and the baselines on frames that fitting never saw.

    Args:
        forecaster: the model.
        source: data that reach beyond its training span.
        windows: most windows of each recording; they end with the last observed frame.
        members: of every ensemble.
        seed: of the forecasts.
        quality: "fast", "balanced" or "best".
        baselines: to compare with, fitted on the training span; None: those that suit the data.
        keep: given every window of Rheos' as it is made, for pictures.
        progress: told how far the work is.

    Raises:
        InputError: nothing to score lies after the training span, or an option cannot be used.
    """
    if members < 2:
        raise InputError(f"members={members}, but the scores of an ensemble need at least two.")
    dataset = forecaster.read(source)
    model = forecaster.model
    origins = test_origins(forecaster, dataset, windows)
    engine = Engine(model, dataset, model.preset(quality), seed)
    area, sums = area_of(model.layout, dataset.features[1:]), share_unit(model.layout)
    seen = zip(dataset.recordings, cuts(forecaster.model, dataset), strict=True)
    training = replace(dataset, recordings=tuple(r.until(cut) for r, cut in seen))
    horizon = model.recipe.horizon
    chosen = default_baselines(model.layout) if baselines is None else baselines
    fitted = {b.name(): fitted_on(b, training, horizon) for b in chosen}
    circle = Circle(model.layout.circular)
    tallies = {name: Tally(area, sums, circle) for name in ("rheos", *fitted)}
    total, spent = sum(len(o) for o in origins), 0.0
    for done, (i, origin, truth) in enumerate(cases(dataset, origins, horizon), start=1):
        began = time.perf_counter()
        ensemble = members_of(engine, i, origin, members)
        spent += time.perf_counter() - began
        tallies["rheos"].add(ensemble, truth)
        recording = dataset.recordings[i]
        known = as_known(recording, dataset.layout, origin, model.recipe.late)
        key = Key.of(seed, members, recording.name, str(origin))
        for name, baseline in fitted.items():
            tallies[name].add(baseline.forecast(known, origin, key), truth)
        if keep is not None:
            keep(Case(i, origin, ensemble, truth))
        if progress is not None:
            progress(done, total, "backtesting")
    return Scorecard(
        tallies=tallies,
        channels=model.layout.channels,
        scale=model.scale,
        init_times=[stamp_text(dataset.recordings[0].stamps[o - 1]) for o in origins[0]],
        windows=len(origins[0]),
        members=members,
        evaluations=engine.evaluations,
        seconds=spent,
    )


def members_of(engine: Engine, recording: int, origin: int, members: int) -> np.ndarray:
    """The first members of one forecast: `(members, horizon, *features)`."""
    rows = engine.model.recipe.block
    blocks = [engine.block(recording, origin, number) for number in range(-(-members // rows))]
    return np.concatenate(blocks)[:members]


def evaluate(forecast: Forecast, truth: Any, scale: np.ndarray | None = None) -> dict[str, Any]:
    """Scores of a forecast against what came.

    Args:
        forecast: with `valid_time`.
        truth: an xarray Dataset with the same variables on a `time` dimension, or a path or table that
            `rheos.inspect` understands.
        scale: `(variable,)` units of the CRPS; None: 1, the variables' own.

    Returns:
        The same set of scores as a backtest's.

    Raises:
        InputError: the truth has no frame that the forecast covers.
    """
    if "unique_id" in forecast.dataset.dims:
        raise InputError("this forecast holds several sequences; select one of its .dataset and score that.")
    dataset = truth if isinstance(truth, xr.Dataset) else _as_xarray(truth)
    names = [name for name in forecast.variables if name in dataset]
    times = forecast.dataset["valid_time"].values
    if not names or not np.isin(times, dataset["time"].values).any():
        raise InputError("the truth shares no variable and no time with the forecast.")
    units = {forecast.dataset[name].attrs.get("units", "") for name in names}
    circle = Circle(tuple(float(forecast.dataset[name].attrs.get("circular", 0.0)) for name in names))
    addable = forecast.dataset[names[0]].ndim == 3 and len(units) == 1 and not circle.any
    tally = Tally(np.ones(()), addable, circle)
    for i in range(forecast.dataset.sizes["init_time"]):
        at = dataset[names].reindex(time=times[i])
        ensemble = np.stack([forecast.dataset[n].isel(init_time=i).values for n in names], axis=2)
        observed = np.stack([at[n].values for n in names], axis=1)
        tally.add(ensemble, observed)
    return tally.scores(tuple(names), np.ones(len(names)) if scale is None else scale)


def _as_xarray(source: Any) -> xr.Dataset:
    from rheos.data.reader import read

    data = read(source)
    recording, layout = data.recordings[0], data.layout
    dims = ("time", *layout.dims[1:])
    variables = {c: (dims, recording.values[:, i]) for i, c in enumerate(layout.channels)}
    coords = {name: layout.coords[name] for name in layout.dims[1:] if name in layout.coords}
    return xr.Dataset(variables, coords={"time": recording.stamps, **coords})
