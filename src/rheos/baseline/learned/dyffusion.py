"""s_{n+1} = s_n + I(x_0, F(s_n, i_n), i_{n+1}) - I(x_0, F(s_n, i_n), i_n): diffusion whose steps are frames.

DYffusion (Ruhling Cachay, Zhao, Joren, Yu 2023, arXiv 2306.01984). First I learns x_i between the last known
frame x_0 and x_h: |I(x_0, x_h, i) - x_i|^2, its dropout never switched off: members differ by nothing else.
Then F learns, at s_n = I(x_0, x_h, i_n),

    |F(s_n, i_n) - x_h|^2 / 2 + |F(I(x_0, F(s_n, i_n), i_{n+1}), i_{n+1}) - x_h|^2 / 2,

all of it on the first term at the last step, which has no next. i_n = n / (extra + 1) up to frame 1, then a
frame a step. Here both networks also see the history.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.baseline.learned.base import Draw, LearnedBaseline, Lessons, Loss, of_frames
from rheos.baseline.learned.between import Between
from rheos.baseline.learned.cold import cold_sample, refined, times_of
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.core.method import one_of
from rheos.network import FieldNetwork, SeriesNetwork

AnyBackbone: Any = one_of((SeriesNetwork, FieldNetwork))
_BACKBONE: dict[str, type[SeriesNetwork] | type[FieldNetwork]] = {
    "series": SeriesNetwork,
    "field": FieldNetwork,
}


class DYffusion(LearnedBaseline):
    """Interpolation between the last frame and the end of the horizon, undone step by step (DYffusion).

    For tables and fields. Members differ by dropout alone, so they spread too little where data are noisy.

    Attributes:
        network: of interpolator and forecaster; None: series for tables, field for fields.
        dropout: share of the interpolator's numbers that are dropped, at training and when forecasting.
        extra: k, steps before the first frame, at times between frames.
        naive: forget at each step where the state was, s_{n+1} = I(x_0, F(s_n, i_n), i_{n+1}).
        refine: draw all frames before the last anew between x_0 and the last forecast of x_h.
    """

    kind: Literal["dyffusion"] = "dyffusion"
    network: AnyBackbone | None = None
    dropout: float = Field(default=0.15, ge=0.0, lt=1.0)
    extra: int = Field(default=0, ge=0)
    naive: bool = False
    refine: bool = False

    def learn(self, lessons: Lessons) -> Draw:
        """Train the interpolator, then the forecaster; draw by cold sampling."""
        layout, horizon = lessons.source.dataset.layout, lessons.source.spec.horizon
        if layout.kind not in _BACKBONE:
            raise InputError(
                f"dyffusion forecasts tables and fields, but this is a {layout.kind}; leave it out."
            )
        if horizon == 1 and self.extra:
            raise InputError(
                f"dyffusion has nothing to interpolate with a horizon of 1, so its extra={self.extra} steps "
                "have no states; leave extra at 0."
            )
        clip, context = lessons.batch(lessons.first[:1])
        nets = Between(self.network or _BACKBONE[layout.kind](), clip, context, self.dropout, self.seed)
        if horizon > 1:
            lessons.train(nets.interpolator, self.interpolation_loss(nets), 0.5)
            nets.interpolator.requires_grad_(False)
        lessons.train(nets.forecaster, self.forecast_loss(nets), 0.5 if horizon > 1 else 1.0)
        return self.drawn_from(nets)

    def interpolation_loss(self, nets: Between) -> Loss:
        """Of each clip, at a frame strictly inside: |I(x_0, x_h, i) - x_i|^2."""

        def loss(clip: Tensor, context: Context, key: Key) -> Tensor:
            i = 1 + key.at(Purpose.TIME, key.step).integers(nets.horizon - 1, 1)[:, 0]
            x0, target, xh = (
                _at(clip, nets, frame) for frame in (torch.zeros_like(i), i, nets.horizon + 0 * i)
            )
            found = nets.interpolate(x0, xh, i.to(torch.float64), context, key, 0)
            return of_frames((found - target) ** 2, _at(_mask(context), nets, i))

        return loss

    def forecast_loss(self, nets: Between) -> Loss:
        """Of each clip, at one of the steps: the forecast there and, where there is one, at the next."""
        times = torch.tensor((*times_of(nets.horizon, self.extra), nets.horizon), dtype=torch.float64)

        def loss(clip: Tensor, context: Context, key: Key) -> Tensor:
            step = key.at(Purpose.TIME, key.step).integers(len(times) - 1, 1)[:, 0]
            here, there = times[step], times[step + 1]
            x0, xh = clip[:, nets.past - 1], clip[:, -1]
            seen, ahead = _mask(context)[:, -1], (step < len(times) - 2).to(clip.dtype)
            state = x0
            if nets.horizon > 1:
                between = nets.interpolate(x0, xh, here, context, key, 0)
                state = torch.where(_like(here == 0, x0), x0, between)
            end = nets.forecast(state, here, context)
            first = of_frames((end - xh) ** 2, seen)
            if nets.horizon == 1:
                return first
            onward = nets.interpolate(x0, end, there, context, key, 1)
            second = of_frames((nets.forecast(onward, there, context) - xh) ** 2, seen)
            return first + 0.5 * ahead * (second - first)

        return loss

    def drawn_from(self, nets: Between) -> Draw:
        """Members by cold sampling, one a row of the key."""

        def draw(clip: Tensor, context: Context, key: Key) -> Tensor:
            ask = _counted(nets, context, key)
            x0 = clip[:, nets.past - 1]
            course = cold_sample(
                x0,
                times_of(nets.horizon, self.extra),
                lambda state, i: nets.forecast(state, _time(i, state), context),
                ask,
                self.naive,
            )
            return torch.stack(refined(x0, course, ask) if self.refine else course.frames(), 1)

        return draw


def _counted(nets: Between, context: Context, key: Key) -> Callable[[Tensor, Tensor, float], Tensor]:
    """The interpolator of a forecast, each of whose calls drops other numbers."""
    calls = iter(range(1 << 20))
    return lambda x0, xh, i: nets.interpolate(x0, xh, _time(i, x0), context, key, next(calls))


def _time(i: float, like: Tensor) -> Tensor:
    return torch.full((len(like),), i, dtype=torch.float64)


def _at(clip: Tensor, nets: Between, i: Tensor) -> Tensor:
    """Frame i of each clip, 0 the last of its history."""
    return clip[torch.arange(len(clip)), nets.past - 1 + i]


def _mask(context: Context) -> Tensor:
    if context.mask is None:
        raise InputError("windows say which of their entries are observed; give the context its mask.")
    return context.mask


def _like(chosen: Tensor, like: Tensor) -> Tensor:
    return chosen.reshape(-1, *(1,) * (like.ndim - 1))
