"""s_{n+1} = s_n + I(x_0, F(s_n, i_n), i_{n+1}) - I(x_0, F(s_n, i_n), i_n), s_0 = x_0: cold sampling.

DYffusion (Ruhling Cachay, Zhao, Joren, Yu 2023, arXiv 2306.01984), algorithm 2. I(x_0, x_h, i)
interpolates in time and F(s, i) forecasts x_h from the state at i; noise plays no part. States at whole i are
the forecast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

Interpolate = Callable[[Tensor, Tensor, float], Tensor]
Forecast = Callable[[Tensor, float], Tensor]


def times_of(horizon: int, extra: int = 0) -> tuple[float, ...]:
    """i_0, ..., i_{N-1}, N = horizon + extra: `extra` steps before i = 1, then one a frame."""
    early = [step / (extra + 1) for step in range(extra + 1)]
    return (*early, *(float(frame) for frame in range(1, horizon)))


@dataclass(frozen=True, slots=True)
class Course:
    """What sampling went through.

    Attributes:
        states: s_n at each i_n, the first x_0.
        end: the last forecast of x_h.
    """

    times: tuple[float, ...]
    states: tuple[Tensor, ...]
    end: Tensor

    def frames(self) -> list[Tensor]:
        """States at i = 1, ..., h."""
        whole = [state for i, state in zip(self.times, self.states, strict=True) if i > 0 and i == int(i)]
        return [*whole, self.end]


def cold_sample(
    x0: Tensor,
    times: tuple[float, ...],
    forecast: Forecast,
    interpolate: Interpolate,
    naive: bool = False,
) -> Course:
    """Go from x_0 to x_h by way of all times.

    Args:
        x0: the state that is known.
        times: i_0 = 0 and those after it, before h.
        forecast: F, of a state and its time.
        interpolate: I, of x_0, x_h and a time beyond 0.
        naive: s_{n+1} = I(x_0, F(s_n, i_n), i_{n+1}) instead, which forgets where s_n was.
    """
    states, end = [x0], forecast(x0, times[0])
    for here, there in pairwise(times):
        state = interpolate(x0, end, there)
        if not naive:
            # I at time 0 is x_0 itself.
            state = states[-1] + state - (interpolate(x0, end, here) if here > 0 else x0)
        states.append(state)
        end = forecast(state, there)
    return Course(times, tuple(states), end)


def refined(x0: Tensor, course: Course, interpolate: Interpolate) -> list[Tensor]:
    """Frames i = 1, ..., h with those before the last drawn anew between x_0 and the last forecast of x_h."""
    whole = [i for i in course.times if i > 0 and i == int(i)]
    return [*(interpolate(x0, course.end, i) for i in whole), course.end]
