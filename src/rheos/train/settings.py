"""What can be chosen about training, and how a time budget becomes a number of steps."""

import re
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rheos.core.method import one_of
from rheos.denoise.time_sampler import TIME_SAMPLERS, LogSnrUniform

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}

AnyTimeSampler: Any = one_of(TIME_SAMPLERS)


def seconds(text: str | float) -> float:
    """Read a duration: "90s", "5m", "1.5h", or a number of seconds.

    Raises:
        ValueError: it is none of these, or not positive.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([smh]?)\s*", str(text))
    if not match or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not a duration such as 90s, 5m or 1.5h")
    return float(match[1]) * _UNITS[match[2] or "s"]


Duration = Annotated[float, BeforeValidator(seconds)]


class Training(BaseModel):
    """Settings of the training loop.

    Attributes:
        time: budget in seconds (or "5m"), turned into a number of steps before the first one.
        steps: exact number of steps; overrides `time`.
        batch: clips a step.
        learning_rate: peak of the schedule: linear warm-up, then cosine to zero.
        weight_decay: of AdamW, on weight matrices only.
        warmup: share of the steps over which the rate rises.
        averaging: relative width of the power-function average of weights (Karras et al. 2024,
            arXiv 2312.02696).
        gradient_norm: limit of the gradient's norm.
        checks: how often the held-out score is taken; the best average is kept.
        patience: checks without improvement after which training stops.
        reflow: share of the steps that are made, last, on pairs of noise and the clip that the model fitted
            before draws from it (arXiv 2209.03003): paths grow straighter, so that few steps of a solver do;
            0 for none.
        reflow_times: law of those steps' times, in place of `objective.time_sampler`: few steps of a solver
            ask where all is noise, which uniform times hardly meet.
        precision: "auto" is bfloat16 autocast on a GPU, float32 elsewhere.
        device: "auto" takes a GPU where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: Duration = 300.0
    steps: int | None = Field(default=None, ge=1)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    averaging: float = Field(default=0.1, gt=0, lt=0.28)
    gradient_norm: float = Field(default=1.0, gt=0)
    checks: int = Field(default=12, ge=1)
    patience: int = Field(default=5, ge=1)
    reflow: float = Field(default=0.0, ge=0, lt=1)
    reflow_times: AnyTimeSampler = LogSnrUniform()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _times_are_of_steps(self) -> "Training":
        if self.reflow == 0.0 and self.reflow_times != LogSnrUniform():
            raise ValueError(
                f"training.reflow_times={self.reflow_times.name()} is of steps on pairs, of which "
                "training.reflow=0 makes none; give it a share, or set objective.time_sampler"
            )
        return self


def seconds_per_step(budget: float, step: Callable[[int], object]) -> float:
    """How long a training step takes, by timing a few of them.

    Args:
        budget: seconds of the whole fit, of which this may take some hundredths.
        step: a rehearsal of one training step; must leave the model as it was.
    """
    step(0)
    spent, calls = 0.0, 0
    while calls < 12 and spent < 0.03 * budget + 0.5:
        began = time.perf_counter()
        step(calls + 1)
        spent += time.perf_counter() - began
        calls += 1
    return spent / calls
