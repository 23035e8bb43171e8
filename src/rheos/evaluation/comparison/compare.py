"""Compare: several forecasters on the same windows, with intervals, and what they cost."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheos.core.errors import InputError
from rheos.data.dataset import Dataset
from rheos.data.reader import read
from rheos.evaluation.comparison.command import command_of
from rheos.evaluation.comparison.comparison import Comparison
from rheos.evaluation.comparison.contender import Contender, ModelContender, RecipeContender
from rheos.evaluation.comparison.entry import DEFAULT, Entry, contenders_of, opened
from rheos.evaluation.comparison.folder import Folder
from rheos.evaluation.comparison.result import Result, measure
from rheos.evaluation.comparison.settings import Comparing
from rheos.evaluation.comparison.table import markdown
from rheos.evaluation.comparison.task import Task
from rheos.forecast.forecaster import options, reading
from rheos.report.cost_figure import Priced, cost_chart
from rheos.report.style import png_bytes
from rheos.train.loop import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compare(
    source: Any,
    contenders: Sequence[Entry] = DEFAULT,
    *,
    horizon: int | None = None,
    settings: Comparing | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    words: Sequence[str] = (),
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Score several forecasters on the same windows that none of them was fitted on.

    Args:
        source: anything `rheos.fit` takes.
        contenders: the forecasters. A word names "rheos" (the recipe that is proposed from the data), a
            baseline, a peer, or all of "baselines" or "peers"; a pair `(name, what)` gives a recipe as
            override words or a mapping, a model as its folder (a Path) or a Forecaster, or a baseline with
            options of its own.
        horizon: frames to forecast; may stand in the config instead, as may the holdout.
        settings: windows, members, seeds, budget, and who is compared with whom by what; None: the defaults.
        config: options that all recipes share, as `rheos.fit` takes them.
        words: `a.b=c` overrides for all recipes; what says how the data are read stands here.
        out: a folder for results, models, table, picture and record; the same call continues there.
        progress: told how far the work is.

    Raises:
        InputError: a name is unknown or given twice, the folder holds another comparison, a model was
            fitted on other data, a peer's package is missing, or an option cannot be used.
    """
    chosen = settings or Comparing()
    common, frames, holdout = _sizes(options(config, words), horizon, chosen.holdout)
    entries = [opened(entry) for entry in contenders]
    dataset = _dataset(source, common, entries)
    everyone = contenders_of(entries, common, chosen.budget, dataset.layout)
    task = Task(dataset, frames, holdout, chosen.windows, chosen.members, chosen.quality)
    who = _named(chosen.subject, everyone) or _first_own(everyone)
    # The record names what was left to be found, so that its command is this comparison for good.
    chosen = replace(chosen, subject=who, reference=_named(chosen.reference, everyone) or who)
    _require_sums(chosen.score, task)
    command = command_of(source, task, common, everyone, chosen, out)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Folder(Path(scratch) / "comparison" if out is None else Path(out))
        _require(everyone, chosen.seeds, folder)
        folder.begin(task, everyone, chosen.seeds, command)
        results = {c.name: _results(c, task, chosen.seeds, folder, progress) for c in everyone}
        found = Comparison(task, results, {c.name: c.limits for c in everyone}, chosen)
        if out is not None:
            folder.finish(found.to_dict(), markdown(found), png_bytes(chart(found)))
    return found


def _results(
    contender: Contender, task: Task, seeds: Sequence[int], folder: Folder, progress: Progress | None
) -> list[Result]:
    """One a seed: those the folder has, and the others as they are made."""
    kept = []
    for seed in _runs(contender, seeds):
        result = folder.result(contender, seed, task)
        if result is None:
            result = measure(contender, task, seed, folder.model(contender.name, seed), progress)
            folder.keep(result)
        kept.append(result)
    return kept


def _require(contenders: Sequence[Contender], seeds: Sequence[int], folder: Folder) -> None:
    """See, before any work, that those who still have to run can."""
    for contender in contenders:
        if not all(folder.has(contender.name, seed) for seed in _runs(contender, seeds)):
            contender.require()


def _runs(contender: Contender, seeds: Sequence[int]) -> Sequence[int]:
    """The seeds that make a difference to it."""
    return seeds if contender.seeded else seeds[:1]


def chart(found: Comparison) -> "Figure":
    """The picture of gain over the reference against cost."""
    forecasts = found.task.windows * len(found.task.dataset.recordings)
    points = []
    for name in found.ranking:
        cost, gain = found.cost(name), found.gain(name, found.reference)
        points.append(
            Priced(
                name=name,
                gain=gain.value,
                low=gain.low,
                high=gain.high,
                training_seconds=cost["training_seconds"] or 0.0,
                forecast_seconds=(cost["forecast_seconds"] or 0.0) / forecasts,
                own=bool(cost["evaluations"]),
            )
        )
    return cost_chart(points, found.reference)


def _dataset(source: Any, common: Mapping[str, Any], entries: Sequence[Any]) -> Dataset:
    """The source as the words say; without a word on it, as the first model read its own."""
    if isinstance(source, Dataset):
        return source
    models = [entry.forecaster.model for entry in entries if isinstance(entry, ModelContender)]
    if "data" not in common and models:
        return read(source, models[0].recipe.data)
    return read(source, reading(common))


def _sizes(
    given: Mapping[str, Any], horizon: int | None, holdout: int | None
) -> tuple[dict[str, Any], int, int | None]:
    """Options without what belongs to the comparison, the horizon and the holdout."""
    common = dict(given)
    if "seed" in common:
        raise InputError("a comparison takes its seeds from --seeds, not from seed=; give --seeds 0,1,2.")
    frames = common.pop("horizon", None) if horizon is None else horizon
    kept_out = common.pop("holdout", None) if holdout is None else holdout
    for name, value in (("horizon", frames), ("holdout", kept_out)):
        if not isinstance(value, int) and (name, value) != ("holdout", None):
            raise InputError(f"{name}={value!r}, but it is a number of frames; say it with --{name}.")
    common = {name: value for name, value in common.items() if name not in ("horizon", "holdout")}
    return common, frames, kept_out


def _named(name: str | None, contenders: Sequence[Contender]) -> str | None:
    names = [contender.name for contender in contenders]
    if name is not None and name not in names:
        raise InputError(f"{name!r} is none of those to compare: {', '.join(names)}.")
    return name


def _first_own(contenders: Sequence[Contender]) -> str:
    own = [c.name for c in contenders if isinstance(c, RecipeContender | ModelContender)]
    return own[0] if own else contenders[0].name


def _require_sums(score: str, task: Task) -> None:
    if score == "crps_sum" and not task.sums:
        raise InputError("score=crps_sum needs variables of one unit, without space; take crps or wql.")
