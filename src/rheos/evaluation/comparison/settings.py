"""What can be chosen about a comparison beside who takes part and how far ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

from rheos.core.errors import InputError
from rheos.evaluation.windows import MOST_WINDOWS
from rheos.train.settings import seconds

SCORES = {"crps": "CRPS", "wql": "weighted quantile loss", "crps_sum": "CRPS-sum"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """Windows and members, seeds and budget, and who is compared with whom by what.

    Attributes:
        holdout: last observed frames that nothing is fitted on; None: as many windows as fit into a fifth
            of the data.
        windows: most windows of each recording; they do not overlap and end with the last observed frame.
        members: of every ensemble.
        quality: "fast", "balanced" or "best", for Rheos' own forecasts.
        seeds: of training and members; what learns without random numbers runs with the first alone.
        time: training budget of each Rheos recipe and trained peer, "5m" or seconds.
        subject: whom the verdict is about; None: the first recipe or model of Rheos.
        reference: whom all are compared with beside the best other; None: the subject.
        score: what decides: "crps", "wql" or "crps_sum".

    Raises:
        InputError: there is no such score, no seed or one twice, or the time is no duration.
    """

    holdout: int | None = None
    windows: int = MOST_WINDOWS
    members: int = 100
    quality: str = "balanced"
    seeds: Sequence[int] = (0,)
    time: str | float | None = None
    subject: str | None = None
    reference: str | None = None
    score: str = "crps"

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise InputError(f"score={self.score!r}, but known are {', '.join(SCORES)}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={list(self.seeds)}, but they are one or more different whole numbers.")
        _ = self.budget

    @property
    def budget(self) -> float | None:
        """Seconds of training, None for each one's own."""
        try:
            return None if self.time is None else seconds(self.time)
        except ValueError as error:
            raise InputError(f"time: {error}.") from None
