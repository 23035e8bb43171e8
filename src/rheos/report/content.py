"""What a report shows, as plain values: nothing here computes a score or draws a picture.

Everything but the title is optional; a section appears when its value is given. Arrays are numpy, NaN is
missing, times are datetime64 or numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Outcome = Literal["better", "worse", "unclear"]


def percent(share: float, signed: bool = False) -> str:
    """A share as text with one decimal, an unbreakable space before the sign and a true minus."""
    return f"{100 * share:{'+' if signed else ''}.1f}\N{NO-BREAK SPACE}%".replace("-", "−")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Rheos against the best baseline: skill = 1 - score / score of the baseline.

    Attributes:
        skill: 0.1 means 10 % better.
        low: lower end of the skill's interval; NaN where too few windows allow none.
        high: its upper end.
        baseline: name of the best baseline.
        windows: forecasts scored.
        members: ensemble size.
        score: name of the score.
        confidence: of the interval.
    """

    skill: float
    low: float
    high: float
    baseline: str
    windows: int
    members: int
    score: str = "CRPS"
    confidence: float = 0.9

    @property
    def outcome(self) -> Outcome:
        """Better or worse only where the whole interval is on one side of zero."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "unclear"

    @property
    def headline(self) -> str:
        """The verdict in a few words."""
        amount = percent(abs(self.skill))
        if self.outcome == "better":
            return f"Better than the best baseline by {amount}"
        if self.outcome == "worse":
            return f"Not better: {amount} worse than the best baseline"
        return "Not shown to be better than the best baseline"

    @property
    def sentence(self) -> str:
        """The verdict with its numbers, in one sentence, also when it is negative."""
        windows = f"{self.windows} window{'s' if self.windows != 1 else ''}"
        sample = f"over {windows} with {self.members} members"
        against = f"{self.score} skill against {self.baseline} is {percent(self.skill, signed=True)}"
        if math.isnan(self.low) or math.isnan(self.high):
            return f"{against} {sample}, too few windows for an interval."
        low, high = percent(self.low, signed=True), percent(self.high, signed=True)
        interval = f"{100 * self.confidence:g}\N{NO-BREAK SPACE}% interval {low} to {high}"
        ending = {
            "better": "entirely above zero",
            "worse": "entirely below zero: the baseline is the better forecast here",
            "unclear": "which includes zero: this test cannot tell the two apart",
        }[self.outcome]
        return f"{against} ({interval}) {sample}, {ending}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One line of the score table; None where a score is not defined for the data."""

    name: str
    crps: float
    wql: float | None = None
    crps_sum: float | None = None
    rmse: float | None = None
    coverage_90: float | None = None
    spread_skill: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowScores:
    """Scores of the same windows by Rheos and by the best baseline, in time order.

    Attributes:
        origins: label of each window.
        rheos: `(windows,)`.
        baseline: `(windows,)`.
        baseline_name: who that is.
        unit: of the score.
    """

    origins: tuple[str, ...]
    rheos: np.ndarray
    baseline: np.ndarray
    baseline_name: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """One channel's forecast from one origin.

    Attributes:
        channel: its name.
        history_time: `(P,)`.
        history: `(P,)`.
        time: `(S,)`.
        members: `(M, S)`.
        truth: `(S,)` where known.
        unit: of the values.
        title: "" names the channel.
    """

    channel: str
    history_time: np.ndarray
    history: np.ndarray
    time: np.ndarray
    members: np.ndarray
    truth: np.ndarray | None = None
    unit: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldForecast:
    """One channel's field forecast from one origin.

    Attributes:
        channel: its name.
        leads: `(S,)` labels of the lead times ("+3 days").
        members: `(M, S, y, x)`, NaN on land.
        truth: `(S, y, x)` where known.
        history: `(P, y, x)`, oldest first, for the animation's start.
        unit: of the values.
        y: `(y,)` coordinate values, ascending or descending; None: grid points.
        x: `(x,)`.
        y_label: what y is ("latitude").
        x_label: what x is.
    """

    channel: str
    leads: tuple[str, ...]
    members: np.ndarray
    truth: np.ndarray | None = None
    history: np.ndarray | None = None
    unit: str = ""
    y: np.ndarray | None = None
    x: np.ndarray | None = None
    y_label: str = "y"
    x_label: str = "x"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankHistogram:
    """How often the truth took each rank among the members.

    Attributes:
        counts: `(ranks,)`, how often the truth fell on each rank or into each of as many equal bins.
        independent_cases: how many of the cases are worth an independent one (sets the expected band).
    """

    counts: np.ndarray
    independent_cases: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadScores:
    """Scores by lead time.

    Attributes:
        lead: `(S,)`.
        lead_unit: of `lead` ("months").
        crps: `(S,)` of Rheos ("rheos") and of each baseline, by name.
        unit: of the scores.
        spread: `(S,)`, root of the mean ensemble variance with the finite-ensemble factor.
        error: `(S,)`, root-mean-square error of the ensemble mean.
    """

    lead: np.ndarray
    lead_unit: str
    crps: Mapping[str, np.ndarray] = field(default_factory=dict)
    unit: str = ""
    spread: np.ndarray | None = None
    error: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often the truth fell inside the central intervals.

    Attributes:
        nominal: `(k,)` probabilities of the intervals.
        after: `(k,)` observed shares, as forecast (calibrated where a calibration was fitted).
        before: `(k,)` observed shares before calibration.
        note: what the calibration was, or why there is none.
    """

    nominal: np.ndarray
    after: np.ndarray
    before: np.ndarray | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The course of training.

    Attributes:
        step: `(n,)`.
        loss: `(n,)`.
        validation_step: `(k,)`.
        validation: `(k,)` held-out score.
        chosen_step: whose weights are used.
        score: name of the held-out score.
    """

    step: np.ndarray
    loss: np.ndarray
    validation_step: np.ndarray | None = None
    validation: np.ndarray | None = None
    chosen_step: int | None = None
    score: str = "held-out CRPS"


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverBias:
    """Variance a solver gives each mode of a Gaussian fitted to the data, over the exact variance.

    Attributes:
        ratio: `(modes,)`, largest mode first; 1 is exact.
        solver: its description.
        evaluations: network calls a member.
        bound: the preset's promise on `|ratio - 1|`.
    """

    ratio: np.ndarray
    solver: str
    evaluations: int
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What it took; None is left out."""

    training_seconds: float | None = None
    training_steps: int | None = None
    forecast_seconds: float | None = None
    evaluations: int | None = None
    parameters: int | None = None
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Facts of the model and of its data.

    Attributes:
        facts: by name (data fingerprint, valid horizon, licence).
        recipe: the resolved recipe as YAML.
        versions: of the packages that matter.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One model on one data set: a chapter of the page.

    Attributes:
        title: names the data.
        verdict: None where nothing was scored.
        subtitle: one sentence on the data and the task.
        score_unit: unit of the table's CRPS and RMSE.
        command: the exact command that reproduces the chapter.
    """

    title: str
    verdict: Verdict | None = None
    subtitle: str = ""
    scores: tuple[ScoreRow, ...] = ()
    score_unit: str = "training standard deviations"
    window_scores: WindowScores | None = None
    fans: tuple[Fan, ...] = ()
    fields: tuple[FieldForecast, ...] = ()
    ranks: RankHistogram | None = None
    leads: LeadScores | None = None
    coverage: Coverage | None = None
    training: Training | None = None
    bias: SolverBias | None = None
    cost: Cost | None = None
    command: str = ""
    card: Card | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Several chapters under one heading."""

    title: str
    chapters: tuple[Content, ...]
    subtitle: str = ""
