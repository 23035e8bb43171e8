"""The forecaster: fit it, keep it, ask it for futures."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rheos import __version__
from rheos.core.errors import InputError, RheosError
from rheos.core.files import read_json, write_json
from rheos.data.calendar import through
from rheos.data.dataset import Dataset, Layout
from rheos.data.options import BY_COLUMN, DataOptions
from rheos.data.reader import read
from rheos.forecast.alone import Alone
from rheos.forecast.budget import check_memory
from rheos.forecast.engine import Engine, Unit, origin_at, run
from rheos.forecast.fitting import Fitting
from rheos.forecast.forecast import Forecast
from rheos.forecast.given import Given
from rheos.forecast.measure import solver_bias
from rheos.forecast.model import FittedModel
from rheos.forecast.override import merge, parse_words, read_yaml
from rheos.forecast.recipe import Recipe, make_recipe
from rheos.forecast.settings import Forecasting
from rheos.forecast.store import Frame, Memory, ZarrStore, require_free, stamp_text
from rheos.forecast.streaming import Pace, streamed
from rheos.forecast.tuning import Tuning, tune
from rheos.train.loop import Progress


class Forecaster:
    """A fitted model with the verbs a user has for it.

    Args:
        model: the fitted parts.
    """

    def __init__(self, model: FittedModel) -> None:
        self.model = model

    def __repr__(self) -> str:
        recipe = self.model.recipe
        return (
            f"Forecaster of {', '.join(self.model.layout.channels[:6])}, {recipe.horizon} frames ahead, "
            f"{recipe.process.kind} process, {self.model.history.steps} steps"
        )

    def save(self, folder: str | Path) -> None:
        """Write the model folder.

        Raises:
            InputError: it exists.
        """
        self.model.save(Path(folder))

    def read(self, source: Any) -> Dataset:
        """Read a source as the training data were read, and check that it is of the same kind.

        Args:
            source: anything `rheos.fit` takes; None: the end of the training data.

        Raises:
            InputError: it cannot be read, or its variables or axes are others.
        """
        if source is None:
            return self.model.tail
        dataset = source if isinstance(source, Dataset) else read(source, self.model.recipe.data)
        mine, theirs = self.model.layout, dataset.layout
        if mine.kind == theirs.kind == "trajectory":
            # Other agents are welcome; what they are told apart by is their own affair.
            theirs = replace(
                theirs, static=mine.static if constants(theirs) == constants(mine) else theirs.static
            )
        for what in ("channels", "known_future", "past", "static", "frequency", "circular"):
            if getattr(mine, what) != getattr(theirs, what):
                raise InputError(
                    f"the model was fitted on {what} {getattr(mine, what)!r}, but the source has "
                    f"{getattr(theirs, what)!r}; give a source like the one it was fitted on."
                )
        shape = (len(mine.channels), *self.model.exists.shape[1:])
        if mine.kind == "trajectory":
            shape = (*shape[:-1], dataset.features[-1])
        if dataset.features != shape or mine.kind != theirs.kind:
            raise InputError(
                f"the model was fitted on frames of shape {shape}, but the source has {dataset.features}."
            )
        return dataset

    def forecast(
        self,
        source: Any = None,
        *,
        at: str | int | Sequence[str | int] | None = None,
        members: int = 100,
        seed: int = 0,
        quality: str = "balanced",
        horizon: int | None = None,
        settings: Forecasting | None = None,
        out: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Forecast:
        """Draw an ensemble of joint futures.

        Args:
            source: data to forecast from; None: the end of the training data.
            at: stamp or frame number of the last known frame, or several; None: the last observed.
            members: size of the ensemble.
            seed: the same seed gives the same members.
            quality: "fast", "balanced" or "best": solver and network evaluations, the model's own where
                `tune_sampler` chose them.
            horizon: frames ahead, default the trained one; beyond it members continue block by block.
            settings: what is known of the future, which variables are asked for, and the memory to use; None:
                nothing, all of them, and what there is.
            out: a Zarr store to write block by block; None: keep the forecast in memory.
            progress: told how far the work is.

        Raises:
            InputError: the source, a stamp, what is given, the memory or an option cannot be used.
        """
        if horizon is not None and horizon < 1:
            raise InputError(f"horizon={horizon}, but a forecast has at least one frame.")
        chosen = settings or Forecasting()
        dataset, times = self._asked(source, at, members)
        engine = Engine(self.model, dataset, self.model.preset(quality), seed, horizon or 0)
        if chosen.given is not None:
            # Calibration is of forecasts that nothing is given of: it says nothing of these.
            engine.given, engine.calibrated = Given.of(chosen.given, self.model), False
        if chosen.only is not None:
            engine.alone = Alone.of(chosen.only, self.model)
        frame, units = self._plan(engine, times, members)
        space = dataset.features[1:]
        check_memory(self.model, frame, space, chosen.memory, in_memory=out is None)
        if out is None:
            sink = Memory(frame, space)
            run(engine, units, members, sink, progress)
            return Forecast(sink.dataset())
        identity = {
            "model": self.model.tail.fingerprint,
            "trained": [self.model.history.steps, self.model.history.scores],
            "recipe": self.model.recipe.model_dump(mode="json"),
            "data": dataset.fingerprint,
            "request": [members, seed, engine.horizon, [str(t) for t in times]],
            "preset": engine.preset.model_dump(mode="json"),
            **({} if engine.given is None else {"given": engine.given.fingerprint}),
            **({} if engine.alone is None else {"only": engine.alone.numbers}),
        }
        store = ZarrStore(Path(out), frame, space, identity)
        try:
            run(engine, units, members, store, progress)
        except RheosError:
            store.discard()  # the same command would end the same way
            raise
        return Forecast.open(store.finish())

    def stream(
        self,
        source: Any = None,
        *,
        at: str | int | Sequence[str | int] | None = None,
        members: int = 100,
        seed: int = 0,
        quality: str = "balanced",
        pace: Pace = "stretches",
    ) -> Iterator[Forecast]:
        """Draw an ensemble of joint futures without end, a lead time at a time.

        Memory does not grow with the frames taken, and a member has the same frames however many are.

        Args:
            source: as for :meth:`forecast`.
            at: as for :meth:`forecast`.
            members: size of the ensemble.
            seed: the same seed gives the same members.
            quality: "fast", "balanced" or "best".
            pace: "stretches": the members of :meth:`forecast`, all work of a trained horizon done at its
                first frame; "rolling": after the first frame each costs the same, for a model fitted with
                `times=per_frame anchor=none`, best with `process=plain network=causal`.

        Returns:
            An endless iterator of forecasts of one lead time each.

        Raises:
            InputError: the source, a stamp or an option cannot be used, or the model cannot roll; or, on the
                way, a covariate is not known so far ahead.
        """
        dataset, times = self._asked(source, at, members)
        engine = Engine(self.model, dataset, self.model.preset(quality), seed, horizon=1)
        frame, units = self._plan(engine, times, members)
        return streamed(engine, frame, units, members, pace)

    def _asked(
        self, source: Any, at: str | int | Sequence[str | int] | None, members: int
    ) -> tuple[Dataset, list[str | int | None]]:
        """The data, and the last known frames to forecast from."""
        if members < 1:
            raise InputError(f"members={members}, but an ensemble has at least one.")
        dataset = self.read(source)
        times: list[str | int | None] = [at] if at is None or isinstance(at, str | int) else [*at]
        if not times:
            raise InputError("at=[] names no frame to forecast from; give at least one, or leave it out.")
        return dataset, times

    def tune_sampler(
        self,
        source: Any = None,
        *,
        bound: Mapping[str, float] | None = None,
        time: str | float | None = None,
        progress: Progress | None = None,
    ) -> Tuning:
        """Choose solver, grid and network calls of each quality for this model, and use them from now on.

        Each word gets the cheapest sampler whose error, a share of the ensemble's variance, is within its
        bound: of the worst mode, exactly, on the Gaussian fitted to the training data, and of the trained
        network against a fine reference. Nothing after the cut-off is looked at. :meth:`save` and
        :meth:`save_presets` keep the choice.

        Args:
            source: the data the model was fitted on; None: what the model keeps of them.
            bound: for "fast", "balanced" and "best"; None: 0.15, 0.03 and 0.01.
            time: most seconds (or "2s") that a forecast of 100 members may take with any of them; where a
                bound costs more, the word gets the least error in that time.
            progress: told how far the work is.

        Raises:
            InputError: the source, a bound or the time cannot be used.
            IncompatibleError: the model draws tokens, or is a flow map.
        """
        tuning = tune(self.model, None if source is None else self.read(source), bound, time, progress)
        self.model.presets = {word: point.preset for word, point in tuning.chosen.items()}
        self.model.history.bias = solver_bias(self.model.continuous.process, tuning.modes, self.model.presets)
        return tuning

    def save_presets(self, folder: str | Path) -> None:
        """Write what `tune_sampler` chose into the model folder that this one was loaded from.

        Raises:
            InputError: it holds no model, or another one.
        """
        self.model.save_presets(Path(folder))

    def _plan(
        self, engine: Engine, times: Sequence[str | int | None], members: int
    ) -> tuple[Frame, list[Unit]]:
        """Axes of the forecast, and which recording and origin fills which place."""
        recordings = engine.dataset.recordings
        wanted = [(i, origin_at(r, at)) for i, r in enumerate(recordings) for at in times]
        frequency = engine.dataset.layout.frequency
        stamps: dict[str, tuple[Any, np.ndarray]] = {}
        units = []
        for recording, origin in wanted:
            if origin < 1:
                raise InputError("a forecast needs at least one known frame before it.")
            valid = through(recordings[recording].stamps, frequency, origin + engine.horizon)[origin:]
            last = recordings[recording].stamps[origin - 1]
            stamps.setdefault(stamp_text(last), (last, np.asarray(valid)))
            units.append((recording, origin, stamp_text(last)))
            engine.require(recording, origin)
        order = list(stamps)
        layout = engine.dataset.layout if self.model.layout.kind == "trajectory" else self.model.layout
        frame = Frame(
            layout=layout if engine.alone is None else engine.alone.layout(layout),
            names=tuple(r.name for r in recordings),
            init_times=[stamps[key][0] for key in order],
            valid_times=np.stack([stamps[key][1] for key in order]),
            members=members,
            block=self.model.recipe.block,
            watched=self.model.health is not None,
            uncalibrated=engine.uncalibrated,
        )
        return frame, [Unit(r, order.index(key), r, origin) for r, origin, key in units]


def constants(layout: Layout) -> tuple[str, ...]:
    """What is known of every agent: the names of the static columns without the agents' own."""
    return tuple(dict.fromkeys(name.rpartition("[")[0] for name in layout.static))


def options(
    config: str | Path | Mapping[str, Any] | None = None, words: Sequence[str] = ()
) -> dict[str, Any]:
    """A recipe's options from a YAML file or mapping and `a.b=c` words, the words winning.

    Raises:
        InputError: the file or a word cannot be read.
    """
    base = read_yaml(Path(config)) if isinstance(config, str | Path) else dict(config or {})
    for name in BY_COLUMN:
        if name in base:
            base = merge(base, {"data": {name: base.pop(name)}})
    return dict(merge(base, parse_words(words)))


def reading(given: Mapping[str, Any]) -> DataOptions:
    """How a recipe's options want the source read.

    Raises:
        InputError: an option of `data` is unknown or has a wrong value.
    """
    chosen = given.get("data", {})
    if not isinstance(chosen, Mapping):
        raise InputError(f"data={chosen!r}, but it holds options such as data.missing=[-9999].")
    return DataOptions.of(chosen)


def fit(
    source: Any,
    horizon: int | None = None,
    *,
    config: str | Path | Mapping[str, Any] | Recipe | None = None,
    words: Sequence[str] = (),
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Forecaster:
    """Fit a forecaster to recorded sequences.

    Args:
        source: a path (CSV, Parquet, NetCDF, Zarr, npy, FILE.npz::name, JSON lines), a DataFrame, an
            xarray object, an array, or a Dataset.
        horizon: frames to forecast; may stand in the config instead.
        config: a recipe, a YAML file, or a mapping; what it leaves out is proposed from the data.
        words: `a.b=c` overrides, such as "process=plain", "holdout=336", "training.time=5m".
        out: the model folder. The run can be interrupted and continued by the same call; while it
            lasts its state is in `out` + ".partial".
        progress: told how far the work is.

    Returns:
        The forecaster, saved if `out` was given.

    Raises:
        InputError: the source, an option or the amount of data will not do.
    """
    given = config.model_dump(mode="json") if isinstance(config, Recipe) else options(config, words)
    target = Path(out) if out is not None else None
    if target is not None:
        require_free(target)
    dataset = source if isinstance(source, Dataset) else read(source, reading(given))
    frames = horizon if horizon is not None else given.get("horizon")
    if frames is None:
        raise InputError("the horizon is not given: say with --horizon how many frames to forecast.")
    if not isinstance(frames, int) or frames < 1:
        raise InputError(f"horizon={frames!r}, but it must be a whole number of frames, at least 1.")
    recipe = make_recipe(dataset, frames, {**given, "horizon": frames})
    name = str(source) if isinstance(source, str | Path) else type(source).__name__
    if target is None:
        with tempfile.TemporaryDirectory() as scratch:
            return Forecaster(Fitting(dataset, recipe, Path(scratch), name, progress)())
    folder = _partial(target, recipe, dataset)
    try:
        forecaster = Forecaster(Fitting(dataset, recipe, folder, name, progress)())
    except RheosError:
        shutil.rmtree(folder)  # the same command would end the same way
        raise
    forecaster.save(target)
    shutil.rmtree(folder)
    return forecaster


def _partial(target: Path, recipe: Recipe, dataset: Dataset) -> Path:
    """The folder of an unfinished run: continued if data, recipe and version are the same, else begun."""
    folder = target.with_name(target.name + ".partial")
    identity = {
        "recipe": recipe.model_dump(mode="json"),
        "data": dataset.fingerprint,
        "rheos": __version__,
    }
    marker = folder / "run.json"
    if marker.exists() and read_json(marker) == identity:
        return folder
    if folder.exists() and not marker.exists() and any(p.suffix != ".writing" for p in folder.iterdir()):
        raise InputError(f"{folder} is in the way and no unfinished run; move it or give another --out.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_json(marker, identity)
    return folder


def load(folder: str | Path) -> Forecaster:
    """Read a model folder written by `fit` or `save`; nothing in it is run.

    Raises:
        InputError: it is not a model, is damaged, or was written by a newer Rheos.
    """
    return Forecaster(FittedModel.load(Path(folder)))
