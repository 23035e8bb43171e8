"""What every contender is given: the same data, cut, windows and members; and what weighs their scores."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rheos.core.errors import InputError
from rheos.data.circle import Circle
from rheos.data.dataset import Dataset
from rheos.evaluation.windows import MOST_WINDOWS, area_of, cases, share_unit, window_origins
from rheos.forecast.measure import channel_scale
from rheos.forecast.store import stamp_text
from rheos.sample.preset import preset

_HELD_OUT = 5  # without a word from the user a fifth of the frames is kept out at most


@dataclass(frozen=True, slots=True)
class Task:
    """One comparison's task.

    Args:
        dataset: everything that was read.
        horizon: frames to forecast.
        holdout: last observed frames that nothing is fitted on; None: as many windows as fit into a fifth
            of the shortest recording.
        windows: most windows of each recording.
        members: size of every ensemble.
        quality: "fast", "balanced" or "best", for Rheos' own.

    Attributes:
        training: what may be fitted on.
        origins: of every recording's windows, oldest first.
        scale: `(channel,)` standard deviation over the training span, the unit of the CRPS.
        area: weights of the cells.
        sums: whether the sum over variables means something.
        circle: which variables are directions.

    Raises:
        InputError: nothing is left to fit or to score, or a number will not do.
    """

    dataset: Dataset
    horizon: int
    holdout: int | None = None
    windows: int = MOST_WINDOWS
    members: int = 100
    quality: str = "balanced"
    training: Dataset = field(init=False)
    origins: list[list[int]] = field(init=False)
    scale: np.ndarray = field(init=False)
    area: np.ndarray = field(init=False)
    sums: bool = field(init=False)
    circle: Circle = field(init=False)

    def __post_init__(self) -> None:
        if self.members < 2:
            raise InputError(f"members={self.members}, but the scores of an ensemble need at least two.")
        if self.horizon < 1:
            raise InputError(f"horizon={self.horizon}, but a forecast has at least one frame.")
        preset(self.quality)
        shortest = min(recording.observed for recording in self.dataset.recordings)
        holdout = self.holdout
        if holdout is None:
            holdout = self.horizon * int(np.clip(shortest // _HELD_OUT // self.horizon, 1, self.windows))
        if holdout < self.horizon:
            raise InputError(
                f"holdout={holdout} is shorter than the horizon of {self.horizon} frames, so there is no "
                "window to score; give a longer --holdout."
            )
        training = self.dataset.until(holdout)
        cuts = [len(recording) for recording in training.recordings]
        values = {
            "holdout": holdout,
            "training": training,
            "origins": window_origins(self.dataset, cuts, self.horizon, self.windows),
            "scale": channel_scale(training),
            "area": area_of(self.dataset.layout, self.dataset.features[1:]),
            "sums": share_unit(self.dataset.layout),
            "circle": Circle(self.dataset.layout.circular),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "windows", len(self.origins[0]))

    def cases(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Recording, origin and truth of every window, in order of time."""
        return cases(self.dataset, self.origins, self.horizon)

    def init_times(self) -> list[str]:
        """Stamp of the last known frame of each window of the first recording."""
        stamps = self.dataset.recordings[0].stamps
        return [stamp_text(stamps[origin - 1]) for origin in self.origins[0]]

    def identity(self) -> dict[str, Any]:
        """What two results must share to stand in one table."""
        return {
            "fingerprint": self.dataset.fingerprint,
            "horizon": self.horizon,
            "holdout": self.holdout,
            "windows": self.windows,
            "members": self.members,
            "quality": self.quality,
            "init_times": self.init_times(),
        }
