"""What a network is told about its clips when it is built: sizes, never values."""

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from rheos.core.context import Context


class Shapes(BaseModel):
    """Sizes of clips `(b, P + S, channels, *space)` and of everything their context holds.

    Attributes:
        history: P, frames of history.
        horizon: S, frames to forecast.
        channels: target channels.
        space: sizes of the spatial axes, () for series.
        calendar: calendar features of a frame.
        known_future: covariates known over the whole clip.
        past: covariates known over the history.
        static: constants of a sequence.
        lags: K, seasonal lags that accompany every frame.
        anchor: whether the context carries an anchor and its scale.
        coordinates: spatial features of the grid.
        periodic: for each spatial axis, whether it closes on itself; () means none does.
        values: K, values that a token takes, where clips hold tokens `(b, P + S, channels, *space, K)`, 1 at
            the value of one that is shown; 0: clips hold numbers.
        channel_levels: whether the network is told the level of every channel of a frame.
        two_levels: whether the network is also told the level where a step ends, as flow maps need.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    history: int = Field(default=0, ge=0)
    horizon: int = Field(ge=1)
    channels: int = Field(ge=1)
    space: tuple[int, ...] = ()
    calendar: int = Field(default=0, ge=0)
    known_future: int = Field(default=0, ge=0)
    past: int = Field(default=0, ge=0)
    static: int = Field(default=0, ge=0)
    lags: int = Field(default=0, ge=0)
    anchor: bool = False
    coordinates: int = Field(default=0, ge=0)
    periodic: tuple[bool, ...] = ()
    values: int = Field(default=0, ge=0)
    channel_levels: bool = False
    two_levels: bool = False

    @classmethod
    def of(cls, clip: Tensor, context: Context) -> "Shapes":
        """The sizes of a clip `(b, f, channels, *space)` and its context."""

        def width(value: Tensor | None, axis: int) -> int:
            return 0 if value is None else value.shape[axis]

        return cls(
            history=context.history_frames,
            horizon=clip.shape[1] - context.history_frames,
            channels=clip.shape[2],
            space=tuple(clip.shape[3:]),
            calendar=width(context.calendar, 2),
            known_future=width(context.known_future, 2),
            past=width(context.past, 2),
            static=width(context.static, 1),
            lags=width(context.lagged, 2),
            anchor=context.anchor is not None,
            coordinates=width(context.coordinates, 0),
            periodic=context.periodic,
        )

    @property
    def levels(self) -> int:
        """Levels that a frame has."""
        return self.channels if self.channel_levels else 1

    @property
    def frames(self) -> int:
        """P + S."""
        return self.history + self.horizon

    @property
    def entry_inputs(self) -> int:
        """Numbers that :func:`rheos.network.inputs.entry_inputs` gives for every entry."""
        if self.values:
            return 1 + (1 + self.lags) * self.values
        return 3 + 2 * self.lags + self.anchor

    @property
    def frame_inputs(self) -> int:
        """Numbers that :func:`rheos.network.inputs.frame_inputs` gives for every frame."""
        return 2 + self.calendar + self.known_future + 2 * self.past + self.static
