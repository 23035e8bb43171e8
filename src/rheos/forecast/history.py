"""How a model was fitted, as its folder and its card tell it."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class History(BaseModel):
    """What happened when the model was fitted, as its card and report tell it.

    `bounds` holds, by variable, its limits and the share of drawn values that they changed; `sums`, by sum,
    how far members missed it before they were moved (:meth:`rheos.data.sums.Sums.off`); `modes` the variances
    of a Gaussian fitted to the training data, `bias` what each preset makes of them; `lost` is the share of
    the training data's variance that is not in the codes; `contrast` holds, by step of training an energy of
    tokens, how much better than a coin it tells held-out data from draws, in nats below 0.
    """

    model_config = ConfigDict(extra="forbid")

    source: str = ""
    fingerprint: str = ""
    frames: int = 0
    span: tuple[str, str] = ("", "")
    cut: tuple[str, ...] = ()
    steps: int = 0
    best_step: int = 0
    seconds: float = 0.0
    losses: list[tuple[int, float]] = []
    scores: list[tuple[int, float]] = []
    parameters: int = 0
    calibration: dict[str, Any] = {}
    bounds: dict[str, tuple[float | None, float | None, float]] = {}
    sums: dict[str, float] = {}
    lost: float = 0.0
    modes: list[float] = []
    bias: dict[str, list[float]] = {}
    contrast: list[tuple[int, float]] = []
    command: str = ""
    versions: dict[str, str] = {}
