"""Windows: coded pieces of recordings, history and future, with all that is known about them."""

from dataclasses import dataclass, field, fields
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rheos.core.errors import InputError
from rheos.data.calendar import HARMONICS


class WindowSpec(BaseModel):
    """Sizes of a window, in frames.

    Attributes:
        history: P, frames of history inside the clip.
        horizon: S, frames to forecast.
        lags: seasonal lags (frames) whose values accompany every frame; each at least `horizon`, so
            that they are known for the whole future.
        harmonics: calendar harmonics of the day, the week and the year.
        late: frames by which columns are reported late, by name; those of a window are unknown.
        forecasts: the column known ahead that forecasts a target, by the target's name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    history: int = Field(ge=1)
    horizon: int = Field(ge=1)
    lags: tuple[int, ...] = ()
    harmonics: dict[str, int] = Field(default_factory=lambda: dict(HARMONICS))
    late: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    forecasts: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lags_are_known(self) -> "WindowSpec":
        short = [lag for lag in self.lags if lag < self.horizon]
        if short:
            raise InputError(
                f"lag {short[0]} is shorter than the horizon of {self.horizon} frames, so its values are not "
                f"known for the whole future; give lags of at least {self.horizon}."
            )
        return self

    @property
    def frames(self) -> int:
        """P + S."""
        return self.history + self.horizon

    @property
    def reach(self) -> int:
        """Frames before the origin that a complete window looks back on."""
        return max(self.history, max(self.lags, default=0) + self.history)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBatch:
    """Coded windows as numpy arrays; NaN where missing or not yet known.

    b windows, P history frames, S future frames, F = P + S, K seasonal lags.

    Attributes:
        history: `(b, P, *features)`.
        future: `(b, S, *features)`; all NaN when forecasting.
        lagged: `(b, F, K, *features)`, the targets `lags[k]` frames before each frame.
        calendar: `(b, F, k)`, finite.
        known_future: `(b, F, k)`.
        forecast: `(b, F, *features)`, what others forecast of the targets, coded; no channel where no
            column is named.
        past: `(b, P, k)`.
        static: `(b, k)`.
        state: the codec's state of each window, arrays with leading axis b.
        recent: what the anchor's recent errors say of each window, alike; empty where none are looked at.
        sequence: `(b,)` index of the recording.
        origin: `(b,)` index in the recording of the first future frame.
    """

    history: np.ndarray
    future: np.ndarray
    lagged: np.ndarray
    calendar: np.ndarray
    known_future: np.ndarray
    forecast: np.ndarray
    past: np.ndarray
    static: np.ndarray
    sequence: np.ndarray
    origin: np.ndarray
    state: dict[str, np.ndarray] = field(default_factory=dict)
    recent: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.history)

    def rows(self, index: slice | np.ndarray) -> "WindowBatch":
        """Some of the windows."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("state", "recent")}
        return WindowBatch(
            **{name: value[index] for name, value in values.items()},
            state={name: value[index] for name, value in self.state.items()},
            recent={name: value[index] for name, value in self.recent.items()},
        )
