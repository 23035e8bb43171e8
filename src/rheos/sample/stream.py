"""Frame after frame without end: a window rolls over the future, emits its first frame, takes in a new one.

Rolling diffusion (Ruhe, Heek, Salimans, Hoogeboom 2024, arXiv 2402.09470). On a path where a frame takes n
steps and starts `delay` steps after the one before it, frame k is at node clip(j - k delay, 0, n) of the grid
after j steps. The first n steps finish frame 0; from then on every `delay` steps finish one frame, all frames
of the window have the same times whenever that happens, and so the coefficients are computed once.

The frames are those that `sample` draws on the same path for one long clip with the same key, if the
denoiser's answer for the frames under way depends neither on frames that have left the window nor on
frames that have not entered it: a network that looks no further than the window, or exact data whose
frame depends on as many frames before it as the window keeps, with nothing left of the signal at t_max.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from math import prod

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Denoise, Remembers
from rheos.core.time_field import Times
from rheos.process import Process
from rheos.sample.check import all_drawn, check
from rheos.sample.preset import Preset
from rheos.sample.preset import preset as preset_of
from rheos.sample.sample import device_of, process_of
from rheos.sample.solver import FlowMapSteps, Move, State, ready

Known = Callable[[int], Context]
"""Number of the first frame that is not finished, counted from 0 -> context of the window it starts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a stream.

    Attributes:
        first: the steps that finish frame 0.
        cycle: the steps that finish any later one, with the answers of earlier steps taken into account.
    """

    first: tuple[Move, ...]
    cycle: tuple[Move, ...]

    @classmethod
    def of(cls, process: Process, preset: Preset, known: int, ahead: int) -> "Plan":
        """Plan for windows of `known` finished frames and `ahead` others.

        Raises:
            InputError: the path does not stagger frames, or more are under way than the window holds.
        """
        grid = preset.times(process.schedule)
        steps, delay = len(grid), preset.path.delay(len(grid))
        if delay == 0:
            raise InputError(
                f"on path {preset.path.name()!r} no frame is finished before the others, so there is nothing "
                "to stream: use rolling, pyramid or frame_by_frame."
            )
        if ahead * delay < steps:
            raise InputError(
                f"{-(-steps // delay)} frames are under way at a time, but the window has {ahead} after its "
                "history: make it longer, or let frames wait longer for each other."
            )
        times = torch.cat((grid.times, torch.zeros(1, dtype=torch.float64)))
        # One frame more than the window: once frame 0 is finished, the others are where frame 0 was.
        table = preset.path.fields(times, known, known + ahead + 1)
        rolled = torch.cat((table[:, :, :known], table[:, :, known + 1 :]), 2)
        first = preset.solver.plan(process.schedule, table[: steps + 1, :, :-1])
        cycle = preset.solver.plan(process.schedule, rolled[: steps + delay + 1])[steps:]
        return cls(tuple(first), tuple(cycle))

    def to(self, like: Tensor) -> "Plan":
        """The coefficients in a window's dtype and on its device."""
        return Plan(tuple(ready(self.first, like)), tuple(ready(self.cycle, like)))

    @property
    def times(self) -> Times:
        """All times at which the denoiser is asked."""
        return Times(tuple(time for move in (*self.first, *self.cycle) for time in move.times))


def stream(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    key: Key,
    process: Process | None = None,
    context: Context | Known | None = None,
    preset: Preset,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Iterator[Tensor]:
    """Draw clips that never end, a frame at a time.

    After the first frame, each costs the same number of denoiser calls, `delay` steps of the path (and one
    to remember the frame before it, where the denoiser can), and memory is that of one window. The noise
    of a frame follows from the key and the frame's number, so the frames are the same however many are
    taken.

    Args:
        denoise: a denoiser, an oracle, or one of them under guidance; better one that knows frames at times
            of their own (`objective.times=per_frame`).
        shape: `(b, f, *features)` of the window: its history and all frames under way.
        key: one row a clip.
        process: how clips become noise; may be left out where `denoise` has it as `.process`.
        context: how many finished frames the window keeps, and those it starts with; or a function from
            the number of the first frame that is not finished to the context of its window, where there
            is more to know of frames, asked when all frames before that one have been given out. What it
            says of a frame may not change; its history is used once.
        preset: with a path on which frames wait for each other.
        dtype: of the frames.
        device: of the frames, by default that of the denoiser's parameters.

    Returns:
        An endless iterator of frames in coded units, `(b, *features)`, the first one the frame after the
        history.

    Raises:
        InputError: key, shape, context or path will not do.
        IncompatibleError: process and preset cannot work frame by frame.
    """
    process, preset = process_of(denoise, process), preset_of(preset)
    if len(key) != shape[0]:
        raise InputError(f"the key has {len(key)} rows, but {shape[0]} clips are asked for: give one a clip.")
    check(process, preset, "none", trajectory=False)
    _check(process, preset)
    known = context if callable(context) else _same(Context() if context is None else context)
    frames = all_drawn(known(0)).history_frames
    place = device_of(denoise) if device is None else torch.device(device)
    plan = Plan.of(process, preset, frames, shape[1] - frames)
    return _frames(denoise, plan, process, known, key, (*shape,), dtype, place)


def _frames(
    denoise: Denoise,
    plan: Plan,
    process: Process,
    known: Known,
    key: Key,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    place: torch.device,
) -> Iterator[Tensor]:
    """The frames, with everything checked."""
    features, done, number = prod(shape[2:]), 0, 0
    noisiest = float(process.schedule.sigma(torch.tensor(process.schedule.t_max, dtype=torch.float64)))
    now = known(0).to(place, dtype)
    state = State(process.start(now, key, shape, dtype, place))
    plan = plan.to(state.u)
    # What follows from the times alone is done beforehand, where the denoiser knows how.
    asked = denoise.at(plan.times, state.u) if hasattr(denoise, "at") else denoise
    while True:
        # Not around the yield: the caller's own setting must not change between frames.
        with torch.no_grad():
            if isinstance(denoise, Remembers) and now.history_frames:
                denoise.remember(state.u, now, anew=number == 0)
            for move in plan.cycle if number else plan.first:
                noise = key.at(Purpose.STEP, done).after(number * features)
                draw = partial(process.noise.draw, noise, shape[1:], now, dtype, place)
                state = move.apply(state, partial(_answer, asked, now), draw)
                done += 1
            # A copy: whoever keeps the frame must not keep its window.
            finished = process.read(state.u, now)[:, now.history_frames].clone()
        yield finished
        number += 1
        begin = key.at(Purpose.START).after((number + shape[1] - 1) * features)
        fresh = noisiest * process.noise.draw(begin, (1, *shape[2:]), now, dtype, place)
        nothing = torch.zeros_like(fresh)
        state = State(_shifted(state.u, fresh), tuple(_shifted(h, nothing) for h in state.history))
        now = _later(now, known(number).to(place, dtype), finished)


def _answer(denoise: Denoise, context: Context, u: Tensor, t: Tensor) -> Tensor:
    return denoise(u, t, context).mean


def _shifted(window: Tensor, fresh: Tensor) -> Tensor:
    """A window without its first frame, another at its end."""
    return torch.cat((window[:, 1:], fresh), 1)


def _later(before: Context, after: Context, finished: Tensor) -> Context:
    """The context of the next window, the finished frame the last of its history."""
    if before.history is None:
        return after
    return replace(after, history=torch.cat((before.history[:, 1:], finished[:, None]), 1))


def _same(context: Context) -> Known:
    """A context that knows nothing of single frames but the history, as that of any window.

    Raises:
        InputError: it does.
    """
    free = {"history_frames", "history", "static", "coordinates", "periodic", "groups"}
    told = [f.name for f in fields(context) if f.name not in free and getattr(context, f.name) is not None]
    if told:
        raise InputError(
            f"the context holds {told[0]} for the frames of one window only: give a function from the number "
            "of a window's first unfinished frame to its context."
        )
    return lambda _: context


def _check(process: Process, preset: Preset) -> None:
    """Raise where frames cannot be told apart.

    Raises:
        IncompatibleError: noise or data of a frame are made of those of others.
    """
    if process.history == "diffused" or process.history_noise > 0.0:
        raise IncompatibleError(
            "a stream keeps finished frames as they are, but this process gives history noise again: use "
            "history='clean' and history_noise=0."
        )
    if not process.noise.gaussian or process.noise.correlation(2) is not None:
        raise IncompatibleError(
            f"a new frame of a stream needs noise of its own, but {process.noise.name()!r} noise ties frames "
            "together: use white noise."
        )
    if not process.coordinates.entrywise:
        raise IncompatibleError(
            f"a frame of a stream leaves its window, but in coordinates {process.coordinates.name()!r} data "
            "are read from several frames: use others."
        )
    if isinstance(preset.solver, FlowMapSteps):
        raise IncompatibleError(
            "a stream moves frames at different paces and keeps what it knows of finished ones, which a flow "
            "map's step does not: use another solver, to which it is a denoiser."
        )
    if preset.parallel is not None:
        raise IncompatibleError("a stream makes one step after the other: leave out the preset's `parallel`.")
