"""Forecasts without end, a frame at a time: stretches of the trained horizon, or a window that rolls.

In stretches a frame is the one that `forecast` gives, and costs nothing but every S-th, which costs a whole
stretch. Rolling (:mod:`rheos.sample.stream`), each frame costs the same, for models that know frames at
times of their own and whose canonical data do not depend on the window they are seen in.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.protocols import CausalNetwork, Denoise
from rheos.denoise.remembering import Remembering, frame_by_frame
from rheos.forecast.continuation import Continuation, coming
from rheos.forecast.draw import decoded
from rheos.forecast.engine import Engine, Stretch, Unit
from rheos.forecast.forecast import Forecast
from rheos.forecast.kinds import NO_LEVELS
from rheos.forecast.model import FittedModel
from rheos.forecast.store import Frame, Memory
from rheos.sample.path import Rolling
from rheos.sample.preset import Preset
from rheos.sample.stream import stream

Pace = Literal["stretches", "rolling"]
"""How a forecast without end is made."""


def streamed(engine: Engine, frame: Frame, units: list[Unit], members: int, pace: Pace) -> Iterator[Forecast]:
    """Forecasts of one lead time each, without end.

    Args:
        engine: draws the blocks.
        frame: axes of the first lead time.
        units: the forecasts.
        members: of each.
        pace: stretches or rolling.

    Raises:
        InputError: there is no such pace, or the model cannot roll.
        IncompatibleError: its process cannot.
    """
    if pace not in get_args(Pace):
        raise InputError(f"pace={pace!r}, but a stream goes by {' or '.join(get_args(Pace))}.")
    draw = _rolling if pace == "rolling" else _in_stretches
    blocks = range(-(-members // engine.model.recipe.block))
    drawn = [[draw(engine, unit.recording, unit.origin, number) for number in blocks] for unit in units]
    return _forecasts(engine, frame, units, members, drawn)


def _forecasts(
    engine: Engine, frame: Frame, units: list[Unit], members: int, drawn: list[list[Iterator[Stretch]]]
) -> Iterator[Forecast]:
    """Frame after frame of all units and blocks, calibrated about the mean of each unit's block 0."""
    dataset, rows = engine.dataset, engine.model.recipe.block
    stamps: dict[int, Iterator[Any]] = {
        unit.init: coming(dataset.recordings[unit.recording].stamps, dataset.layout.frequency, unit.origin)
        for unit in units
    }
    watches = [[engine.watch() for _ in blocks] for blocks in drawn]
    lead = 0
    while True:
        valid = np.stack([np.asarray([next(stamps[init])]) for init in sorted(stamps)])
        sink = Memory(replace(frame, valid_times=valid, first=lead + 1), dataset.features[1:])
        for unit, blocks, watch in zip(units, drawn, watches, strict=True):
            parts = [next(block) for block in blocks]
            for number, part in enumerate(parts):
                kept = engine.finish(part.values, parts[0], lead)[: members - number * rows]
                sink.write(unit.place, unit.init, number, kept, watch[number](kept))
        yield Forecast(sink.dataset())
        lead += 1


def _in_stretches(engine: Engine, recording: int, origin: int, number: int) -> Iterator[Stretch]:
    """The frames of a block, one at a time, stretch after stretch."""
    for values, anchor in engine.stretches(recording, origin, number):
        for lead in range(values.shape[1]):
            here = slice(lead, lead + 1)
            yield Stretch(values[:, here], None if anchor is None else anchor[here])


def _rolling(engine: Engine, recording: int, origin: int, number: int) -> Iterator[Stretch]:
    """The frames of a block, one after the other; where it starts, there is one anchor for all of them."""
    model, members = engine.model, engine.members(number)
    own = Continuation(model, engine.dataset, recording, origin, len(members))

    def known(finished: int) -> Context:
        batch = own.window() if finished else engine.window(recording, origin)
        context = model.context(batch)[1]
        return context if finished else context.repeat(len(members))

    spec, preset = model.recipe.window, _rolling_preset(engine)
    name, stamp = engine.dataset.recordings[recording].name, engine.stamp(recording, origin)
    drawn = stream(
        _denoise(model),
        (len(members), spec.frames, model.shapes.channels, *model.shapes.space),
        key=Key.of(engine.seed, members, name, stamp),
        context=known,
        preset=preset,
        device=engine.device,
    )

    def frames() -> Iterator[Stretch]:
        anchor = engine.anchor(engine.window(recording, origin))
        for clip in drawn:
            values = model.project(decoded(model, clip[:, None], {}, model.exists))
            own.add(values)
            yield Stretch(values, None if anchor is None else anchor[:1])

    return frames()


def _denoise(model: FittedModel) -> Denoise:
    """The model's denoiser; one that remembers finished frames, where its network can."""
    denoiser = model.continuous
    causal = isinstance(denoiser.network, CausalNetwork)
    return Remembering(denoiser) if causal and frame_by_frame(denoiser.process.coordinates) else (denoiser)


def _rolling_preset(engine: Engine) -> Preset:
    """The engine's preset on the path of a rolling window.

    Raises:
        InputError: frames under way would change their meaning from window to window, or the model never saw
            frames at times of their own.
        IncompatibleError: the model draws tokens, which are told in any order.
    """
    model, preset = engine.model, engine.preset
    if model.layout.kind == "trajectory":
        raise InputError(
            "agents come and go, and a rolling stream forecasts the same entries in every frame: stream with "
            "pace='stretches'."
        )
    recipe, wanted = model.recipe, "times=per_frame anchor=none"
    _ = model.continuous  # raises where the model has no noise levels
    if not isinstance(preset, Preset):
        raise IncompatibleError(NO_LEVELS)
    if recipe.objective.times.kind != "per_frame":
        raise InputError(
            "a rolling stream has every frame at a time of its own, but the model was trained with one for "
            f"all: fit it with {wanted}, or stream with pace='stretches'."
        )
    if recipe.hides == 1.0:
        raise InputError(
            "the model was never told a history (objective.unconditional=1), by which a rolling stream goes "
            "on: stream with pace='stretches'."
        )
    if recipe.anchor.kind != "none":
        raise InputError(
            f"the model's anchor {recipe.anchor.kind!r} starts anew at each window, which frames under way "
            f"in a rolling stream cannot: fit with {wanted}, or stream with pace='stretches'."
        )
    if not model.codec.pointwise:
        raise InputError(
            "the model's codec is measured anew on each window, which frames under way in a rolling stream "
            "cannot follow: fit with codec=scale, or stream with pace='stretches'."
        )
    return preset.model_copy(update={"path": Rolling(window=recipe.horizon)})
