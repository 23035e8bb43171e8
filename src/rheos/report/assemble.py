"""From a model, a backtest or a forecast to what the page shows."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from rheos.core.errors import InputError
from rheos.data.calendar import through
from rheos.data.circle import Circle
from rheos.data.dataset import Dataset, Layout
from rheos.evaluation.backtest import Case, backtest, test_origins
from rheos.evaluation.scorecard import Scorecard
from rheos.forecast.card import limits
from rheos.forecast.forecast import Forecast
from rheos.forecast.forecaster import Forecaster, load
from rheos.forecast.model import FittedModel
from rheos.forecast.recipe import differences
from rheos.report.content import (
    Card,
    Content,
    Cost,
    Coverage,
    Fan,
    FieldForecast,
    LeadScores,
    RankHistogram,
    ScoreRow,
    SolverBias,
    Training,
    Verdict,
    WindowScores,
)
from rheos.report.page import write
from rheos.sample.preset import BOUNDS, Preset
from rheos.train.loop import Progress

_PICTURED = 3
_CHANNELS = 3
_MEMBERS = 50
_NOMINAL = np.array([0.5, 0.8, 0.9, 0.95])


@dataclass(slots=True)
class Album:
    """Keeps a few windows of a backtest for pictures: the first, one amid, and the last.

    Args:
        total: windows there will be.
    """

    total: int
    cases: list[Case] = field(default_factory=list)
    _seen: int = 0

    def __call__(self, case: Case) -> None:
        """Take a window, or let it pass."""
        wanted = {round(i * (self.total - 1) / (_PICTURED - 1)) for i in range(_PICTURED)}
        if self._seen in wanted:
            self.cases.append(Case(case.recording, case.origin, case.ensemble[:_MEMBERS], case.truth))
        self._seen += 1


def chapter(
    forecaster: Forecaster,
    *,
    title: str,
    subtitle: str = "",
    command: str = "",
    scorecard: Scorecard | None = None,
    dataset: Dataset | None = None,
    cases: Sequence[Case] = (),
) -> Content:
    """One model on one data set, as the page shows it.

    Args:
        forecaster: the model.
        title: names the data.
        subtitle: one sentence on the data and the task.
        command: what reproduces the chapter.
        scorecard: of a backtest, if one was made.
        dataset: the recordings that `cases` are from.
        cases: windows to picture.
    """
    model = forecaster.model
    field_data = len(model.layout.dims) > 1
    pictured = [] if dataset is None else list(cases)
    scored = scorecard if scorecard is not None else None
    return Content(
        title=title,
        subtitle=subtitle,
        command=command,
        verdict=None if scored is None else _verdict(scored),
        scores=() if scored is None else _rows(scored),
        window_scores=None if scored is None else _windows(scored),
        fans=() if field_data or dataset is None else _fans(model, dataset, pictured),
        fields=() if not field_data or dataset is None else _fields(model, dataset, pictured[-1:]),
        ranks=None if scored is None else _ranks(scored),
        leads=None if scored is None else _leads(scored, model.layout),
        coverage=None if scored is None else _coverage(scored, model),
        training=_training(model),
        bias=_bias(model),
        cost=_cost(model, scored),
        card=_card(model),
    )


def _verdict(card: Scorecard) -> Verdict:
    value, low, high = card.skill
    return Verdict(
        skill=value,
        low=low,
        high=high,
        baseline=card.best_baseline.replace("_", " "),
        windows=card.windows,
        members=card.members,
    )


def _rows(card: Scorecard) -> tuple[ScoreRow, ...]:
    keys = ("crps", "wql", "crps_sum", "rmse", "coverage_90", "spread_skill")
    return tuple(
        ScoreRow(name=name.replace("_", " "), **{k: scores[k] for k in keys})
        for name, scores in card.scores().items()
    )


def _windows(card: Scorecard) -> WindowScores | None:
    ours, theirs = card.per_window("rheos"), card.per_window(card.best_baseline)
    if len(ours) < 2:
        return None
    labels = card.init_times if len(card.init_times) == len(ours) else [str(i + 1) for i in range(len(ours))]
    return WindowScores(
        origins=tuple(label.replace("T00:00:00", "") for label in labels),
        rheos=ours,
        baseline=theirs,
        baseline_name=card.best_baseline.replace("_", " "),
        unit="training standard deviations",
    )


def _fans(model: FittedModel, dataset: Dataset, cases: Sequence[Case]) -> tuple[Fan, ...]:
    layout, fans = model.layout, []
    channels, circle = range(min(_CHANNELS, len(layout.channels))), Circle(layout.circular)
    for case in cases[: 1 if len(channels) > 1 else _PICTURED]:
        recording = dataset.recordings[case.recording]
        first = max(0, case.origin - 2 * model.recipe.horizon)
        stamps = through(recording.stamps, layout.frequency, case.origin + len(case.truth))
        middle = circle.middle(case.ensemble)
        ensemble, truth = circle.about(case.ensemble, middle), circle.about(case.truth, middle, 1)
        axis = np.asarray(stamps.to_datetimeindex() if hasattr(stamps, "to_datetimeindex") else stamps)
        for channel in channels:
            name = layout.channels[channel]
            fans.append(
                Fan(
                    channel=f"{recording.name} {name}".strip() if recording.name else name,
                    history_time=axis[first : case.origin],
                    history=recording.values[first : case.origin, channel],
                    time=axis[case.origin :],
                    members=ensemble[:, :, channel],
                    truth=truth[:, channel],
                    unit=layout.units[channel],
                )
            )
    return tuple(fans)


def _fields(model: FittedModel, dataset: Dataset, cases: Sequence[Case]) -> tuple[FieldForecast, ...]:
    layout, found = model.layout, []
    if len(layout.dims) != 3:
        return ()
    names = layout.dims[1:]
    coords = [layout.coords.get(name) for name in names]
    step = _steps(layout.frequency)
    for case in cases:
        recording = dataset.recordings[case.recording]
        first = max(0, case.origin - model.recipe.history)
        for channel in range(min(_CHANNELS, len(layout.channels))):
            found.append(
                FieldForecast(
                    channel=layout.channels[channel],
                    leads=tuple(f"+{lead} {step}" for lead in range(1, len(case.truth) + 1)),
                    members=case.ensemble[:, :, channel],
                    truth=case.truth[:, channel],
                    history=recording.values[first : case.origin, channel],
                    unit=layout.units[channel],
                    y=_numeric(coords[0]),
                    x=_numeric(coords[1]),
                    y_label=names[0],
                    x_label=names[1],
                )
            )
    return tuple(found)


def _numeric(values: np.ndarray | None) -> np.ndarray | None:
    return values if values is not None and np.issubdtype(values.dtype, np.number) else None


def _ranks(card: Scorecard) -> RankHistogram:
    counts = card.tallies["rheos"].histogram
    # Leads, cells and variables of one window are far from independent; count windows as cases.
    return RankHistogram(counts=counts, independent_cases=float(max(card.windows, 1) * len(card.channels)))


def _leads(card: Scorecard, layout: Layout) -> LeadScores:
    ours = card.tallies["rheos"].by_lead(card.scale)
    return LeadScores(
        lead=np.arange(1, len(ours["crps"]) + 1),
        lead_unit=_steps(layout.frequency),
        crps={n.replace("_", " "): t.by_lead(card.scale)["crps"] for n, t in card.tallies.items()},
        unit="training standard deviations",
        spread=ours["spread"],
        error=ours["rmse"],
    )


def _steps(frequency: str | None) -> str:
    """What lead times count, in a word where there is one."""
    words = {"MS": "months", "ME": "months", "D": "days", "B": "business days", "h": "hours", "YS": "years"}
    return "frames" if frequency is None else words.get(frequency, f"steps of {frequency}")


def _coverage(card: Scorecard, model: FittedModel) -> Coverage:
    shares = np.nanmean(np.stack(card.tallies["rheos"].levels), axis=0)
    return Coverage(nominal=_NOMINAL, after=shares, note=str(model.history.calibration.get("note", "")))


def _training(model: FittedModel) -> Training | None:
    history = model.history
    if not history.losses:
        return None
    steps, losses = np.array(history.losses).T
    checked, scores = np.array(history.scores).T if history.scores else (None, None)
    return Training(
        step=steps,
        loss=losses,
        validation_step=checked,
        validation=scores,
        chosen_step=history.best_step,
    )


def _bias(model: FittedModel) -> SolverBias | None:
    ratios = model.history.bias.get("balanced")
    chosen = model.preset("balanced")
    if not ratios or not isinstance(chosen, Preset):
        return None
    return SolverBias(
        ratio=np.array(ratios),
        solver=chosen.solver.name(),
        evaluations=chosen.evaluations,
        bound=BOUNDS["balanced"],
    )


def _cost(model: FittedModel, card: Scorecard | None) -> Cost:
    history = model.history
    return Cost(
        training_seconds=history.seconds,
        training_steps=history.steps,
        forecast_seconds=None if card is None else card.seconds / max(1, card.windows),
        evaluations=model.calls("balanced"),
        parameters=history.parameters,
        device=f"{platform.machine()} CPU",
    )


def _card(model: FittedModel) -> Card:
    history, recipe = model.history, model.recipe
    facts = {
        "data": history.source,
        "fingerprint": history.fingerprint,
        "span": f"{history.span[0]} to {history.span[1]}",
        "frames": f"{history.frames:,}",
        "valid horizon": f"{recipe.horizon} frames",
        "kept out of fitting": f"{recipe.holdout} frames",
        "calibration": str(history.calibration.get("note", "none")),
        "physical limits": limits(model.layout, history.model_dump()),
        "license of the data": model.layout.attributes.get("license", "not stated in the data"),
    }
    text = yaml.safe_dump(differences(recipe), sort_keys=False)
    return Card(facts=facts, recipe=text, versions=history.versions)


def report_model(
    folder: Path,
    out: Path,
    source: str | None,
    windows: int,
    members: int,
    command: str,
    progress: Progress | None = None,
) -> Path:
    """The page of a model; with a source, of its backtest too.

    Raises:
        InputError: the model or the source cannot be read.
    """
    _require_folder(out)
    forecaster = load(folder)
    title = Path(forecaster.model.history.source).name or "Forecast model"
    if source is None:
        return write(chapter(forecaster, title=title, command=command), out)
    dataset = forecaster.read(source)
    album = Album(sum(len(origins) for origins in test_origins(forecaster, dataset, windows)))
    card = backtest(forecaster, dataset, windows=windows, members=members, keep=album, progress=progress)
    content = chapter(
        forecaster, title=title, command=command, scorecard=card, dataset=dataset, cases=album.cases
    )
    return write(content, out)


def _require_folder(out: Path) -> None:
    if out.is_dir() or not out.parent.is_dir():
        raise InputError(f"{out} is a folder or lies in none that exists; name a page with --out.")


def report_forecast(path: Path, out: Path, command: str) -> Path:
    """The page of a forecast store: fans of its first variables.

    Raises:
        InputError: it is not a forecast.
    """
    _require_folder(out)
    forecast = Forecast.open(path)
    fans, fields = [], []
    for name in forecast.variables[:_CHANNELS]:
        values = forecast.dataset[name].isel(init_time=0)
        if "unique_id" in values.dims:
            values = values.isel(unique_id=0)
        times = forecast.dataset["valid_time"].isel(init_time=0).values
        unit = str(values.attrs.get("units", ""))
        if values.ndim == 2:
            nothing = np.empty(0)
            fans.append(
                Fan(
                    channel=name,
                    history_time=times[:0],
                    history=nothing,
                    time=times,
                    members=values.values,
                    unit=unit,
                )
            )
        elif values.ndim == 4:
            leads = tuple(f"+{lead}" for lead in forecast.dataset["lead_time"].values)
            fields.append(
                FieldForecast(channel=name, leads=leads, members=values.values[:_MEMBERS], unit=unit)
            )
    if not fans and not fields:
        raise InputError(f"{path} has no series and no two-dimensional field to draw.")
    content = Content(
        title=path.name,
        subtitle=forecast.uncalibrated,
        fans=tuple(fans),
        fields=tuple(fields),
        command=command,
    )
    return write(content, out)
