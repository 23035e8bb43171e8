"""The engine: blocks of members of one forecast, each the same bits whatever else is asked for.

A block holds `recipe.block` consecutive members of one recording and origin; every network call has
that many rows, and a member always has the same row of the same block. Calibration moves members about
the mean of block 0, which is therefore drawn for every forecast, asked for or not, and toward its anchor.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.anchor.recent import carried
from rheos.data.dataset import Dataset, Recording
from rheos.data.reader.day_first import dates_of_numbers
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch
from rheos.forecast.alone import Alone
from rheos.forecast.continuation import Continuation
from rheos.forecast.draw import anchored, draw
from rheos.forecast.given import Given
from rheos.forecast.health import Watch
from rheos.forecast.kinds import Sampler
from rheos.forecast.model import FittedModel
from rheos.forecast.store import Sink, stamp_text


class Stretch(NamedTuple):
    """Frames of one block, uncalibrated.

    Attributes:
        values: `(block, frames, *features)`, raw units.
        anchor: `(frames, *features)`, the mean over members of what their anchors forecast; None where
            calibration does not ask for it.
    """

    values: np.ndarray
    anchor: np.ndarray | None


@dataclass(slots=True)
class Engine:
    """Draws blocks of members.

    Args:
        model: the fitted model.
        dataset: recordings to forecast from; nothing at or after an origin is used.
        preset: solver, grid and evaluations, or the sampler of what the model draws.
        seed: of the forecast.
        horizon: frames ahead; beyond the trained horizon members continue from themselves.
        calibrated: apply the model's calibration.
        device: where the network runs.
        given: what is known of the frames to come; all members hold it.
        alone: the variables that are drawn, the others left out; None: all are.

    Attributes:
        evaluations: network calls made so far.
        warnings: distinct sentences from sampling.
    """

    model: FittedModel
    dataset: Dataset
    preset: Sampler
    seed: int = 0
    horizon: int = 0
    calibrated: bool = True
    device: str = "cpu"
    given: Given | None = None
    alone: Alone | None = None
    evaluations: int = 0
    warnings: list[str] = field(default_factory=list)
    _source: WindowSource = field(init=False)
    _first: tuple[tuple[int, int], Stretch] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._source = self.model.source(self.dataset)
        self.horizon = self.horizon or self.model.recipe.horizon

    def block(self, recording: int, origin: int, number: int) -> np.ndarray:
        """Members `number * block ...` of one forecast: `(block, horizon, *features)`, raw units.

        Args:
            recording: index in the data set.
            origin: frame index of the first future frame.
            number: of the block, from 0.
        """
        if not self.calibrated:
            return self._draw(recording, origin, number).values
        first = self._first_block(recording, origin)
        shared = number == 0 and not self._apart
        values = first.values if shared else self._draw(recording, origin, number).values
        return self.finish(values, first)

    @property
    def _apart(self) -> bool:
        """Whether the center is that of members of their own: those left out have a say in its way."""
        return self.alone is not None and self.model.calibration.kept is not None

    def _first_block(self, recording: int, origin: int) -> Stretch:
        if self._first is None or self._first[0] != (recording, origin):
            drawn = self._draw(recording, origin, 0, whole=self._apart)
            self._first = ((recording, origin), drawn)
        return self._first[1]

    def finish(self, values: np.ndarray, first: Stretch, lead: int = 0) -> np.ndarray:
        """Frames as they are given out: calibrated and inside the bounds.

        Args:
            values: `(rows, frames, *features)`, as drawn.
            first: block 0 at these frames; members are calibrated about its mean.
            lead: of the first frame, from 0; leads beyond the trained horizon are calibrated as the last
                one of it.
        """
        fitted, circle = self.model.calibration, self.model.circle
        middle = circle.middle(first.values)
        center = circle.about(first.values, middle).mean(0, dtype=np.float64)
        anchor = None if first.anchor is None else circle.about(first.anchor, middle, axis=1)
        leads = np.minimum(lead + np.arange(values.shape[1]), len(fitted.shift) - 1)
        members = fitted.at(leads).apply(circle.about(values, middle), center, anchor)
        return self.model.project(members)

    @property
    def uncalibrated(self) -> str:
        """Why members are as they are drawn, in a sentence; empty where they are calibrated."""
        if self.calibrated:
            return ""
        return (
            "these members are not calibrated: the model's calibration was fitted to forecasts of which "
            "nothing is given, and says nothing of the law given values"
        )

    def watch(self) -> Callable[[np.ndarray], np.ndarray | None]:
        """What tells the health `(rows, frames)` of one block's frames as they are given out, run after run.

        None where the model does not know how its data move.
        """
        health, circle = self.model.health, self.model.circle
        if health is None:
            return lambda _: None
        exists = self.model.exists
        if self.alone is not None:
            drawn = np.array(self.alone.channels).reshape(-1, *(1,) * (exists.ndim - 1))
            exists = exists & drawn
        watch = Watch(health, exists)
        return lambda values: watch(circle.lifted(values))

    def _draw(self, recording: int, origin: int, number: int, *, whole: bool = False) -> Stretch:
        """One block, uncalibrated: as many stretches of the trained horizon as it takes."""
        count = -(-self.horizon // self.model.recipe.horizon)
        drawn = list(islice(self.stretches(recording, origin, number, whole=whole), count))
        anchors = [part.anchor for part in drawn if part.anchor is not None]
        values = np.concatenate([part.values for part in drawn], axis=1)[:, : self.horizon]
        return Stretch(values, np.concatenate(anchors)[: self.horizon] if anchors else None)

    def stretches(
        self, recording: int, origin: int, number: int, *, whole: bool = False
    ) -> Iterator[Stretch]:
        """One block without end, a trained horizon of S frames at a time; block 0 with its anchor.

        Args:
            recording: index in the data set.
            origin: frame index of the first future frame.
            number: of the block, from 0.
            whole: draw all variables, also those to be left out.
        """
        alone = None if whole else self.alone
        name, span = self.dataset.recordings[recording].name, self.model.recipe.horizon
        stamp, members = self.stamp(recording, origin), self.members(number)
        own = Continuation(self.model, self.dataset, recording, origin, len(members))
        start, batch = 0, self.window(recording, origin)
        recent = carried(self._source, batch, len(members))
        while True:
            key = Key.of(self.seed, members, name, f"{stamp}+{start}" if start else stamp)
            values = self._sample(batch, key, self.known(recording, origin + start), alone)
            yield Stretch(values, self.anchor(batch) if number == 0 else None)
            own.add(values)
            start, batch = start + span, replace(own.window(), recent=recent)

    def anchor(self, batch: WindowBatch) -> np.ndarray | None:
        """The mean over windows of what the anchor forecasts; None where calibration does not ask for it."""
        if not self.calibrated or self.model.calibration.kept is None:
            return None
        points, circle = anchored(self.model, batch), self.model.circle
        middle = circle.middle(points)
        return circle.about(points, middle).mean(0, dtype=np.float64)

    def stamp(self, recording: int, origin: int) -> str:
        """The stamp of a forecast's first frame, which its random numbers are named after."""
        return stamp_text(self._source.valid_times(recording, origin)[0])

    def window(self, recording: int, origin: int) -> WindowBatch:
        """The window that a forecast starts from."""
        return self._source.at(recording, origin)

    def known(self, recording: int, origin: int) -> np.ndarray | None:
        """What is given of a stretch's frames `(S, *features)`, NaN elsewhere; None where it is nothing.

        Raises:
            InputError: the model does not know the times of that part.
        """
        if self.given is None:
            return None
        name = self.dataset.recordings[recording].name
        return self.given.at(self.model, name, self._source.valid_times(recording, origin))

    def require(self, recording: int, origin: int) -> None:
        """Check what is given of a whole forecast, and which variables are drawn, before any work.

        Raises:
            InputError: nothing of it is of this forecast, or not in a way that the model knows.
        """
        span = self.model.recipe.horizon
        known = [self.known(recording, start) for start in range(origin, origin + self.horizon, span)]
        if self.alone is not None:
            if len(known) > 1:
                raise InputError(
                    f"beyond the trained horizon of {span} frames members go on from their own last ones, "
                    "of which variables left out have none: forecast that far without `only`, and take the "
                    "columns."
                )
            self.alone.require_drawn(known[0], self.model.layout.channels)
        if self.given is not None and all(part is None for part in known):
            times = self._source.valid_times(recording, origin)
            raise InputError(
                f"none of the given values is of the frames to forecast, {stamp_text(times[0])} and after; "
                "give them by these stamps, or choose another frame to forecast from with --at."
            )

    def members(self, number: int) -> torch.Tensor:
        """The numbers of a block's members."""
        rows = self.model.recipe.block
        return torch.arange(number * rows, (number + 1) * rows)

    def _sample(
        self, batch: WindowBatch, key: Key, known: np.ndarray | None, alone: Alone | None
    ) -> np.ndarray:
        """Raw values of the future frames, one member a row: `(rows, S, *features)`.

        Args:
            batch: one window for all members, or one a member.
            key: of the members.
            known: what is given of these frames.
            alone: the variables that are drawn; None: all are.
        """
        drawn = draw(self.model, batch, key, self.preset, self.device, known, alone)
        self.evaluations += drawn.evaluations
        self.warnings += [w for w in drawn.warnings if w not in self.warnings]
        return drawn.values


@dataclass(frozen=True, slots=True)
class Unit:
    """One forecast: where its members go, and where it starts."""

    place: int
    init: int
    recording: int
    origin: int


def run(
    engine: Engine,
    units: list[Unit],
    members: int,
    sink: Sink,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Fill a sink, block by block.

    Args:
        engine: draws the blocks.
        units: the forecasts.
        members: of each.
        sink: where they go; blocks it already has are not drawn again.
        progress: told after each block.
    """
    rows = engine.model.recipe.block
    blocks = -(-members // rows)
    total, finished = len(units) * blocks, 0
    for unit in units:
        for number in range(blocks):
            if not sink.done(unit.place, unit.init, number):
                values = engine.block(unit.recording, unit.origin, number)[: members - number * rows]
                shown = values if engine.alone is None else engine.alone.kept(values)
                sink.write(unit.place, unit.init, number, shown, engine.watch()(values))
            finished += 1
            if progress is not None:
                progress(finished, total, "forecasting")


def origin_at(recording: Recording, at: str | int | None) -> int:
    """Index of the first frame to forecast: the one after the last known frame `at`.

    Args:
        recording: the data.
        at: stamp (or frame number) of the last frame that may be used; None: the last observed one.

    Raises:
        InputError: the recording has no such frame, or the stamp may be read as two.
    """
    if at is None:
        return recording.observed
    stamps = recording.stamps
    if dates_of_numbers(pd.Series([str(at).strip()])):
        raise InputError(
            f"{at!r} may begin with the day or with the month: write the year first, as in "
            f"{stamp_text(stamps[-1])}."
        )
    try:
        where = stamps.get_loc(int(at) if isinstance(stamps, pd.RangeIndex) else at)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise InputError(
            f"there is no frame at {at!r}: the data run from {stamps[0]} to {stamps[-1]}; give a stamp of "
            "a recorded frame with --at."
        ) from None
    if isinstance(where, slice):
        where = where.stop - 1
    return int(where) + 1


def cuts(model: FittedModel, dataset: Dataset) -> list[int]:
    """For each recording the number of frames that fitting could see.

    Raises:
        InputError: a recording was not fitted, or does not hold the last frame that was.
    """
    last = {r.name: cut for r, cut in zip(model.tail.recordings, model.history.cut, strict=True)}
    for recording in dataset.recordings:
        if recording.name not in last:
            raise InputError(
                f"sequence {recording.name!r} of the source was not among those the model was fitted on "
                f"({', '.join(list(last)[:8])}), so nothing says where its training span ended; leave it out."
            )
    return [origin_at(recording, last[recording.name]) for recording in dataset.recordings]
