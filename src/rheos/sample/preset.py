"""How much to spend: a solver, a grid and a number of denoiser calls under one word.

Chosen by the probe: on Gaussian data with variances from 1e-3 to 30 about a unit mean, the worst mode's
variance is within 15 % (fast), 3 % (balanced) and 1 % (best) of the truth, on every schedule here; and the
ten calls of `fast` are nearer to the law of autoregressive clips than fifty of DDIM, evenly spaced in time.
Even spacing in log-SNR treats all variances alike; the last ratio leaves the least of them unharmed.
"""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rheos.core.method import Method, one_of
from rheos.process.schedule import Schedule
from rheos.sample.correction import CORRECTIONS
from rheos.sample.driver.adaptive import Adaptive
from rheos.sample.driver.parallel import Parallel
from rheos.sample.grid import GRIDS, LogSNR, TimeGrid
from rheos.sample.path import PATHS, Synchronous
from rheos.sample.quality import of_word
from rheos.sample.solver import FLOW_SOLVERS, SOLVERS, DPMpp2M, Exponential, FlowMapSteps, UniPC

AnySolver: Any = one_of((*SOLVERS, *FLOW_SOLVERS))
AnyGrid: Any = one_of(GRIDS) | TimeGrid
AnyPath: Any = one_of(PATHS)
AnyCorrection: Any = one_of(CORRECTIONS)


class Preset(Method):
    """A solver, a grid and how many denoiser calls they may make.

    Attributes:
        solver: the rule of a step.
        grid: the rule for the times, or the times themselves.
        evaluations: the most denoiser calls a clip; ignored where the times themselves are given. A path on
            which frames wait for each other takes a step more for every step of waiting.
        path: which frame is how far at each step.
        corrections: what is done between two steps, in this order.
        parallel: make many steps at once, where a single-step solver is to answer sooner; None for one
            after the other. More denoiser calls are spent than `evaluations`.
        adaptive: let every clip choose its steps, between the ends of the grid; None for the grid's own.
    """

    kind: Literal["preset"] = "preset"
    solver: AnySolver = Exponential(order=3)
    grid: AnyGrid = LogSNR(highest=100.0, lowest=0.005)
    evaluations: int = Field(20, ge=1)
    path: AnyPath = Synchronous()
    corrections: tuple[AnyCorrection, ...] = ()
    parallel: Parallel | None = None
    adaptive: Adaptive | None = None

    @model_validator(mode="after")
    def _corrections_know_one_time(self) -> Self:
        if self.corrections and not isinstance(self.path, Synchronous):
            raise ValueError(
                f"corrections act on a clip at one time, but on path {self.path.name()!r} frames have their "
                "own: leave out one of them"
            )
        return self

    @property
    def stochastic(self) -> bool:
        """Whether noise is drawn on the way."""
        return bool(self.solver.stochastic or any(part.stochastic for part in self.corrections))

    @property
    def steps(self) -> int:
        """The most steps that the denoiser calls pay for; corrections come at inner nodes."""
        each = self.solver.evaluations_per_step + sum(part.evaluations for part in self.corrections)
        return int((self.evaluations - 1) // each + 1)

    def times(self, schedule: Schedule) -> TimeGrid:
        """The grid's times on a schedule.

        Raises:
            IncompatibleError: the grid asks for what the schedule does not cover.
        """
        if isinstance(self.grid, TimeGrid):
            return self.grid.within(schedule)
        found: TimeGrid = self.grid.times(schedule, self.steps)
        return found.within(schedule)


PRESETS: dict[str, Preset] = {
    "fast": Preset(solver=UniPC(order=3), grid=LogSNR(highest=28.0, lowest=0.014), evaluations=10),
    "balanced": Preset(),
    "best": Preset(solver=DPMpp2M(), grid=LogSNR(highest=80.0, lowest=0.003), evaluations=50),
}
"""Presets by word, the cheapest first."""

FLOW_PRESETS: dict[str, Preset] = {
    "fast": Preset(solver=FlowMapSteps(), grid=LogSNR(lowest=1.0), evaluations=1),
    "balanced": Preset(solver=FlowMapSteps(), grid=LogSNR(lowest=1.0), evaluations=2),
    "best": Preset(solver=FlowMapSteps(), grid=LogSNR(lowest=0.2), evaluations=4),
}
"""Presets of a flow map, by the same words: 1, 2 and 4 calls."""

BOUNDS: dict[str, float] = {"fast": 0.15, "balanced": 0.03, "best": 0.01}
"""By how much the worst mode's variance may be off with each preset, as a share."""


def preset(word: Preset | str) -> Preset:
    """The preset of a word; a preset is its own.

    Raises:
        InputError: there is no such word.
    """
    return word if isinstance(word, Preset) else of_word(PRESETS, word)


def flow_preset(word: Preset | str) -> Preset:
    """The same for a flow map.

    Raises:
        InputError: there is no such word.
    """
    return word if isinstance(word, Preset) else of_word(FLOW_PRESETS, word)
