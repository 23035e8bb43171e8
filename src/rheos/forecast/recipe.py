"""A recipe: everything that decides what is fitted, and the proposal made from the data itself."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rheos.calibrate import CALIBRATIONS, AffineCalibration
from rheos.core.errors import InputError
from rheos.core.method import one_of
from rheos.data.anchor import ANCHORS, Ridge
from rheos.data.calendar import HARMONICS, harmonics_for, shortest_cycle, step_seconds
from rheos.data.codec.chain import Chain, Link
from rheos.data.codec.scale import Scale
from rheos.data.dataset import Dataset
from rheos.data.late import late_columns
from rheos.data.options import DataOptions, closest
from rheos.data.reader.cells import CELLS
from rheos.data.windows import WindowSpec
from rheos.denoise import OBJECTIVES, Noising, Objective
from rheos.forecast.override import build, merge, spelled_out
from rheos.forecast.together import draws_tokens, process_named, require_companions, with_companions
from rheos.network import NETWORKS, SeriesNetwork
from rheos.process import LINEAR_FACES, PROCESSES_BETWEEN, TOKEN_PROCESSES, ProcessRecipe
from rheos.process.recipes import PROCESSES, DyDiff
from rheos.train.settings import Training

# YAML reads `100: [coal, gas]` with a number for its key.
Name = Annotated[str, BeforeValidator(str)]
AnyAnchor: Any = one_of(ANCHORS)
AnyProcess: Any = one_of((*PROCESSES, *TOKEN_PROCESSES, *PROCESSES_BETWEEN))
AnyNetwork: Any = one_of(NETWORKS)
AnyObjective: Any = one_of(OBJECTIVES)
AnyCalibration: Any = one_of(CALIBRATIONS)


class Recipe(BaseModel):
    """Everything that decides what is fitted.

    Attributes:
        horizon: S, frames to forecast.
        history: P, frames of history inside the clip.
        lags: seasonal lags in frames that accompany every frame.
        harmonics: calendar harmonics of the day, the week and the year.
        holdout: last frames kept out of everything that is fitted.
        validation: share of the training span, in blocks, for early stopping and calibration.
        seed: of initial weights, batches and noise.
        block: rows of every network call when sampling.
        data: how the source is read.
        bounds: physical limits by variable, `bounds.rain=[0,null]`; "auto" takes an extreme that the data
            hold exactly and often (no rain, no sun) for a limit, "none" has none.
        sums: variables that add up to another one, `sums.total=[north,south]`, or to a number,
            `sums.100=[coal,gas,wind]`, in every member.
        groups: lists of variables that are given, or left out, together where `times=per_group`, such as
            `groups=[[wind,rain]]`; those not named are by themselves.
        roles: role of each column: target, known_future, past, static, ignore.
        circular: the period of variables that are directions, `circular.wind_direction=360`.
        late: frames by which a target or past covariate is reported late, `late.temperature=3`; found where
            a column ends before the others.
        codec: raw units to coded units, applied in this order.
        anchor: center and scale of the canonical coordinates.
        process: the way into noise.
        network: the backbone.
        objective: the loss and its law of model times.
        training: the loop.
        calibration: of the ensemble, on held-out data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: int = Field(ge=1)
    history: int = Field(ge=1)
    lags: tuple[Annotated[int, Field(ge=1)], ...] = ()
    harmonics: dict[Literal["day", "week", "year"], int] = Field(default_factory=lambda: dict(HARMONICS))  # type: ignore[arg-type]
    holdout: int = Field(default=0, ge=0)
    validation: float = Field(default=0.12, gt=0, lt=0.5)
    seed: int = 0
    block: int = Field(default=50, ge=1)
    data: DataOptions = DataOptions()
    bounds: Literal["auto", "none"] | dict[str, tuple[float | None, float | None]] = "auto"
    sums: dict[Name, tuple[str, ...] | tuple[tuple[str, ...], ...]] = Field(default_factory=dict)
    groups: tuple[tuple[Name, ...], ...] = ()
    late: dict[Name, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    codec: tuple[Link, ...] = Field(default=(Scale(),), min_length=1)
    anchor: AnyAnchor = Ridge()
    process: AnyProcess = DyDiff()
    network: AnyNetwork = SeriesNetwork()
    objective: AnyObjective = Objective()
    training: Training = Training()
    calibration: AnyCalibration = AffineCalibration()

    @model_validator(mode="before")
    @classmethod
    def _methods_may_be_words(cls, content: Any) -> Any:
        return spelled_out(cls, content)

    @model_validator(mode="before")
    @classmethod
    def _clips_have_a_schedule(cls, content: Any) -> Any:
        word = process_named(content) if isinstance(content, Mapping) else None
        if word in {face.name() for face in LINEAR_FACES}:
            raise ValueError(
                f"process={word!r} mixes the parts of its states by matrices, so it has no alpha(t) and "
                "sigma(t), by which a recipe's anchor and presets are written; use it from Python, with "
                "rheos.denoise.StateDenoiser and rheos.sample.momentum.sample_states"
            )
        return content

    @model_validator(mode="after")
    def _lags_are_known(self) -> "Recipe":
        try:
            _ = self.window
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    @model_validator(mode="before")
    @classmethod
    def _processes_bring_what_goes_with_them(cls, content: Any) -> Any:
        return with_companions(content)

    @model_validator(mode="after")
    def _all_goes_together(self) -> "Recipe":
        require_companions(self)
        return self

    @model_validator(mode="after")
    def _history_is_shown_as_learned(self) -> "Recipe":
        if not isinstance(self.process, ProcessRecipe):
            return self
        shown, seen = self.process.history_noise, self.objective.history_noise
        if shown > seen:
            raise ValueError(
                f"process.history_noise={shown:g} shows history with more noise than training does; raise "
                f"objective.history_noise from {seen:g} to at least that, 0.7 for example"
            )
        if self.process.history == "diffused" and (seen > 0.0 or self.network.kind == "causal"):
            what = f"objective.history_noise={seen:g}" if seen > 0.0 else "network=causal"
            raise ValueError(f"{what} needs history that is clean otherwise; use process.history=clean")
        return self

    @model_validator(mode="after")
    def _whole_clips_hide_their_history(self) -> "Recipe":
        if self.hides == 0.0:
            return self
        what = f"objective.unconditional={self.hides:g}"
        if self.process.history != "diffused":
            raise ValueError(
                f"{what} hides the history, which process.history=clean shows; use process.history=diffused"
            )
        if self.anchor.kind != "none":
            raise ValueError(
                f"{what} hides the history, of which anchor={self.anchor.kind} tells; use anchor=none"
            )
        if self.hides == 1.0 and self.times != "per_frame":
            raise ValueError(
                f"{what} tells the network of no history, so a forecast holds it at t = 0 and draws what "
                "follows, which needs times=per_frame; use that, or a probability below 1"
            )
        return self

    @model_validator(mode="after")
    def _groups_have_times(self) -> "Recipe":
        names = [name for group in self.groups for name in group]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(
                f"groups={_lists(self.groups)} names {twice[0]!r} twice; a variable is in one group"
            )
        if names and self.times != "per_group":
            raise ValueError(
                f"groups={_lists(self.groups)} have times of their own with times=per_group only, not with "
                f"times={self.times}"
            )
        return self

    @model_validator(mode="after")
    def _groups_are_of_variables(self) -> "Recipe":
        mixing = [link.kind for link in self.codec if link.mixes]
        if mixing and self.times == "per_group":
            raise ValueError(
                f"times=per_group gives each variable a time of its own, and codec={mixing[0]} mixes "
                "variables; use times=shared or times=per_frame, or leave the codec out"
            )
        return self

    @property
    def times(self) -> str:
        """How the times of a clip's frames and variables go together at training, by its word."""
        return self.objective.times.name() if isinstance(self.objective, Noising) else "shared"

    @property
    def hides(self) -> float:
        """Probability that a clip is trained without being told its history."""
        return self.objective.unconditional if isinstance(self.objective, Objective) else 0.0

    def grouped(self, channels: tuple[str, ...]) -> tuple[int, ...]:
        """For each variable the number of its group, in order of appearance.

        Raises:
            InputError: a group names no variable, or there is but one group where times are per group.
        """
        known = {name: number for number, group in enumerate(self.groups) for name in group}
        for name in known:
            if name not in channels:
                raise InputError(f"groups: no variable is called {name!r}; {closest(name, channels)}")
        marks = [known.get(name, name) for name in channels]
        numbers = {mark: number for number, mark in enumerate(dict.fromkeys(marks))}
        if self.times == "per_group" and len(numbers) < 2:
            raise InputError(
                f"times=per_group tells groups of variables apart, but {', '.join(channels)} is one group; "
                "use times=shared."
            )
        return tuple(numbers[mark] for mark in marks)

    @property
    def coding(self) -> float:
        """Share of the training time that the codec is trained in; 0 where there is no budget."""
        return 0.0 if self.training.steps is not None else Chain(links=self.codec).spends

    @property
    def window(self) -> WindowSpec:
        """Sizes of a window."""
        return WindowSpec(
            history=self.history,
            horizon=self.horizon,
            lags=self.lags,
            harmonics=dict(self.harmonics),
            late=self.late,
            forecasts=self.anchor.forecasts,
        )


def _lists(groups: tuple[tuple[str, ...], ...]) -> str:
    return "[" + ",".join(f"[{','.join(group)}]" for group in groups) + "]"


def differences(recipe: Recipe) -> dict[str, Any]:
    """A recipe without its defaults, every method it names kept by its kind: short, and readable back."""
    return dict(_named(recipe.model_dump(mode="json", exclude_defaults=True), recipe.model_dump(mode="json")))


def _named(short: Any, full: Any) -> Any:
    if isinstance(short, list):
        return [_named(a, b) for a, b in zip(short, full, strict=True)]
    if not isinstance(short, dict):
        return short
    kind = {"kind": full["kind"]} if "kind" in full else {}
    return {**kind, **{name: _named(value, full[name]) for name, value in short.items()}}


def lags_for(periods: tuple[int, ...], horizon: int, frames: int) -> tuple[int, ...]:
    """Seasonal lags known for the whole horizon: two of the shortest period, one of each longer one.

    Only lags that leave at least two thirds of the frames for windows are taken.
    """
    lags: list[int] = []
    for i, period in enumerate(periods):
        first = period * -(-horizon // period)
        lags += [first, first + period] if i == 0 else [first]
    return tuple(sorted({lag for lag in lags if lag <= frames // 3}))


_NETWORK_OF = {"series": "series", "trajectory": "equivariant"}


def propose(
    dataset: Dataset, horizon: int, holdout: int = 0, features: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """What Rheos would choose for this data, as the options that differ from the defaults.

    Args:
        dataset: the recordings.
        horizon: frames to forecast.
        holdout: frames that will be kept out.
        features: shape of a coded frame; None: that of a raw one.
    """
    layout = dataset.layout
    lengths = [recording.observed - holdout for recording in dataset.recordings]
    frames = int(np.median(lengths))
    field, agents = layout.kind != "series", layout.kind == "trajectory"
    wanted = max(horizon, 4) if field else max(horizon, 24)
    proposal: dict[str, Any] = {
        "horizon": horizon,
        "history": max(2, min(wanted, 168, frames // 4)),
        "lags": list(lags_for(layout.periods, horizon, frames)),
        "network": {"kind": _NETWORK_OF.get(layout.kind, "field")},
    }
    if agents:
        # What turns with space: one scale for all axes, an anchor that adds up places, and no calibration,
        # which would move each axis by itself.
        isotropic = {"kind": "scale", "isotropic": True}
        proposal |= {"codec": [isotropic], "lags": [], "calibration": {"kind": "none"}}
        # Paths are smooth: noise as smooth as they are leaves the network what a Gaussian does not tell.
        prior = {"prior": {"kind": "measured"}, "schedule": {"kind": "cosine"}}
        proposal |= {"anchor": {"kind": "geometric"}, "process": {"kind": "gaussian_process", **prior}}
    late = late_columns(dataset)
    if late:
        proposal["late"] = late
    if CELLS in layout.attributes:
        # Later sources lie in cells of the same size.
        proposal["data"] = {"cells": layout.attributes[CELLS]}
    if layout.frequency is not None:
        step = step_seconds(layout.frequency)
        proposal["harmonics"] = harmonics_for(frames * step, step)
    if len(dataset.recordings) > 1 and not field:
        proposal["codec"] = [{"kind": "scale", "mode": "window"}]
    if field and not agents and _follows_the_year(proposal, layout.frequency, layout.periods):
        # A year's lag would cost two years of windows and say less than the climatology.
        proposal |= {"anchor": {"kind": "damped_modes"}, "lags": []}
    if field:
        cells = int(np.prod(features or dataset.features)) * (proposal["history"] + horizon)
        proposal["block"] = int(np.clip(4_000_000 // cells, 4, 50))
        proposal["training"] = {"batch": int(np.clip(200_000 // cells, 4, 16))}
    elif len(layout.channels) > 8:
        proposal["training"] = {"batch": int(np.clip(512 // len(layout.channels), 8, 64))}
    return proposal


def _follows_the_year(proposal: Mapping[str, Any], frequency: str | None, periods: tuple[int, ...]) -> bool:
    """Whether a field's calendar is slow: its anomalies last, and its years are too few for more weights."""
    found = shortest_cycle(frequency, periods, proposal.get("harmonics", HARMONICS))
    return found is not None and found[0] not in ("day", "week")


def make_recipe(
    dataset: Dataset, horizon: int, given: Mapping[str, Any], where: str = "the recipe"
) -> Recipe:
    """The proposal for this data with what the user gave laid over it.

    Args:
        dataset: the recordings.
        horizon: frames to forecast.
        given: the user's options, nested.
        where: how messages name their source.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    holdout = given.get("holdout", 0)
    held = holdout if isinstance(holdout, int) else 0

    def proposed(features: tuple[int, ...]) -> Recipe:
        proposal = propose(dataset, horizon, held, features)
        if draws_tokens(given):
            # What is proposed for numbers would stand in the way of what goes with tokens.
            proposal = {name: value for name, value in proposal.items() if name not in ("codec", "anchor")}
        return build(Recipe, merge(proposal, dict(given)), where)

    recipe = proposed(dataset.features)
    # Batches and blocks are for frames as the network sees them.
    coded = Chain(links=recipe.codec).features(dataset.features)
    return recipe if coded == dataset.features else proposed(coded)
