"""Choosing solver, grid and number of steps for a trained model: the cheapest within a bound on its error.

For every number of network calls the linear solvers are tried on even steps of log-SNR and on steps placed
where the model's own error arises (:mod:`rheos.sample.error_profile`), to several ends; the exact probe
picks the best of either kind, and the trained network decides between the two.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rheos.core.errors import IncompatibleError, InputError
from rheos.data.dataset import Dataset
from rheos.denoise import FlowMap
from rheos.forecast.kinds import NO_STEPS
from rheos.forecast.model import FittedModel
from rheos.forecast.trial import PILOT, Trial
from rheos.process.schedule import Schedule
from rheos.sample.error_profile import ErrorProfile
from rheos.sample.grid import LogSNR, TimeGrid
from rheos.sample.preset import BOUNDS, Preset
from rheos.sample.solver import DPMpp2M, Exponential, Solver, UniPC
from rheos.sample.step_controller import REFERENCE
from rheos.train.loop import Progress
from rheos.train.settings import seconds

CALLS = (4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
SOLVERS_TRIED: tuple[Solver, ...] = (DPMpp2M(), Exponential(order=3), UniPC())
_HIGHEST, _LOWEST = 80.0, (0.1, 0.03, 0.01, 0.003)
_MEMBERS = 100  # of the forecast that a time budget is for


@dataclass(frozen=True, slots=True)
class Point:
    """The best that was found for a number of network calls.

    Attributes:
        preset: solver, grid and evaluations.
        bias: exact, of the worst mode of the data's Gaussian; see :mod:`rheos.forecast.trial`.
        error: of the trained network's ensemble.
        seconds: a forecast of 100 members takes.
    """

    preset: Preset
    bias: float
    error: float
    seconds: float

    @property
    def off(self) -> float:
        """The larger of both, as a share of the ensemble's variance."""
        return max(self.bias, self.error)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What `tune_sampler` found.

    Attributes:
        points: quality against evaluations, the cheapest first.
        chosen: by word.
        bounds: on `off`, by word.
        modes: variances of the training data's modes that `bias` is about.
    """

    points: tuple[Point, ...]
    chosen: dict[str, Point]
    bounds: dict[str, float]
    modes: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "curve": [_told(point) for point in self.points],
            "chosen": {
                word: _told(point) | {"bound": self.bounds[word], "kept": point.off <= self.bounds[word]}
                for word, point in self.chosen.items()
            },
        }

    def __str__(self) -> str:
        """The curve as a table, and what was chosen."""
        lines = [f"{'calls':>5}  {'solver':<12} {'steps':<8} {'bias':>9} {'error':>9} {'seconds':>9}"]
        lines += [
            f"{p.preset.evaluations:>5}  {p.preset.solver.name():<12} {_kind(p.preset):<8} {p.bias:>9.2%} "
            f"{p.error:>9.2%} {p.seconds:>9.2f}"
            for p in self.points
        ]
        for word, point in self.chosen.items():
            kept = "within" if point.off <= self.bounds[word] else "not within"
            calls, bound = point.preset.evaluations, f"{self.bounds[word]:.4g}"
            lines.append(f"{word}: {calls} calls, off by {point.off:.2%}, {kept} the bound of {bound}")
        return "\n".join(lines)


def _kind(preset: Preset) -> str:
    return "placed" if isinstance(preset.grid, TimeGrid) else "even"


def _told(point: Point) -> dict[str, Any]:
    return {
        "evaluations": point.preset.evaluations,
        "preset": point.preset.model_dump(mode="json"),
        "bias": point.bias,
        "error": point.error,
        "seconds": point.seconds,
    }


def tune(
    model: FittedModel,
    dataset: Dataset | None,
    bound: Mapping[str, float] | None = None,
    time: str | float | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Try samplers until the strictest bound is kept; see `Forecaster.tune_sampler`.

    Raises:
        InputError: a bound or the time cannot be used, or too little is known of the training data.
        IncompatibleError: the model draws tokens, or is a flow map.
    """
    bounds, allowed = _bounds(bound), _time(time)
    if isinstance(model.continuous, FlowMap):  # raises for tokens: they have no solver to choose
        raise IncompatibleError(NO_STEPS)
    total = REFERENCE.evaluations + len({s.declared_order for s in SOLVERS_TRIED}) * PILOT + 2 * sum(CALLS)
    done = 0

    def spent(calls: int) -> None:
        nonlocal done
        done += calls
        if progress is not None:
            progress(done, total, "tuning the sampler")

    trial = Trial.of(model, dataset, spent)
    trial.error(REFERENCE)
    rows = trial.shape[0] / (model.recipe.block * math.ceil(_MEMBERS / model.recipe.block))
    each = trial.seconds / rows
    affordable = [n for n in CALLS if allowed is None or n * each <= allowed]
    if not affordable:
        raise InputError(
            f"time={time} does not pay for {CALLS[0]} network calls, the fewest of a forecast of {_MEMBERS} "
            f"members; allow {CALLS[0] * each:.2g}s or more."
        )
    points: list[Point] = []
    profiles = _profiles(trial)
    for calls in affordable:
        points.append(_best(trial, calls, profiles, calls * each))
        if points[-1].off <= min(bounds.values()):
            break
    chosen = {word: _cheapest(points, limit) for word, limit in bounds.items()}
    return Tuning(tuple(points), chosen, bounds, tuple(trial.modes))


def _cheapest(points: list[Point], limit: float) -> Point:
    """The first within a limit; where none is, the least off."""
    return next((p for p in points if p.off <= limit), min(points, key=lambda p: p.off))


def _best(trial: Trial, calls: int, profiles: Mapping[int, ErrorProfile], takes: float) -> Point:
    """The best even and the best placed candidate by the probe; of these the better one on the network."""
    schedule = trial.model.continuous.process.schedule
    ranked: dict[str, tuple[float, Preset]] = {}
    for candidate in _candidates(schedule, calls, profiles):
        bias, kind = trial.bias(candidate), _kind(candidate)
        if kind not in ranked or bias < ranked[kind][0]:
            ranked[kind] = (bias, candidate)
    tried = (Point(preset, bias, trial.error(preset), takes) for bias, preset in ranked.values())
    return min(tried, key=lambda point: point.off)


def _candidates(schedule: Schedule, calls: int, profiles: Mapping[int, ErrorProfile]) -> Iterator[Preset]:
    """Every solver on even and on placed steps, to each end."""
    for solver in SOLVERS_TRIED:
        for lowest in _LOWEST:
            even = LogSNR(highest=_HIGHEST, lowest=lowest)
            yield Preset(solver=solver, grid=even, evaluations=calls)
            whole = profiles[solver.declared_order]
            last = int((schedule.log_snr(whole.grid.times) <= -2.0 * math.log(lowest) + 1e-9).sum())
            part = replace(whole, grid=TimeGrid(whole.grid.times[:last]), errors=whole.errors[: last - 1])
            yield Preset(solver=solver, grid=part.place(schedule, calls), evaluations=calls)


def _profiles(trial: Trial) -> dict[int, ErrorProfile]:
    """The error along the way, for each order among the solvers tried."""
    widest = LogSNR(highest=_HIGHEST, lowest=min(_LOWEST))
    found: dict[int, ErrorProfile] = {}
    for solver in SOLVERS_TRIED:
        if solver.declared_order not in found:
            found[solver.declared_order] = trial.profile(Preset(solver=solver, grid=widest))
    return found


def _bounds(given: Mapping[str, float] | None) -> dict[str, float]:
    """Bounds by word, the usual ones where none are given."""
    if given is None:
        return BOUNDS
    if set(given) != set(BOUNDS):
        raise InputError(f"bound={dict(given)!r}, but it gives one for each of {', '.join(BOUNDS)}.")
    found = {word: float(given[word]) for word in BOUNDS}
    if not found["fast"] >= found["balanced"] >= found["best"] > 0:
        raise InputError(
            f"bound={','.join(f'{b:g}' for b in found.values())}, but bounds are positive and fall from fast "
            "over balanced to best, such as 0.15,0.03,0.01."
        )
    return found


def bounds_of(text: str | None) -> dict[str, float] | None:
    """Bounds as typed: three numbers with commas, for fast, balanced and best.

    Raises:
        InputError: they are not.
    """
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
        return dict(zip(BOUNDS, numbers, strict=True))
    except ValueError:
        raise InputError(
            f"bound={text!r} is not three numbers for fast, balanced and best, such as 0.15,0.03,0.01."
        ) from None


def _time(given: str | float | None) -> float | None:
    """Seconds of a duration."""
    try:
        return None if given is None else seconds(given)
    except ValueError as error:
        raise InputError(f"time: {error}.") from None
