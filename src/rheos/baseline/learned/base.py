"""Baselines that train networks of their own: windows, steps and members are the same for all of them.

Windows are cut and scaled, and networks trained, averaged and chosen by held-out loss, as Rheos' own are;
what differs is the loss, and how members are drawn.
"""

import tempfile
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rheos.baseline.method import Baseline
from rheos.baseline.paths import check
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.data.codec import Fitted, Scale
from rheos.data.dataset import Dataset, Recording
from rheos.data.window_source import WindowSource, to_context
from rheos.data.windows import WindowSpec
from rheos.train.loop import Run
from rheos.train.settings import Duration, Training, seconds_per_step

Loss = Callable[[Tensor, Context, Key], Tensor]
Draw = Callable[[Tensor, Context, Key], Tensor]

_HELD_OUT = 0.12
_MOST_HELD = 64
_AT_ONCE = 50
_CHECKS = 8


@dataclass(frozen=True, slots=True)
class Lessons:
    """Windows to learn from, the later ones held out, and how much may be spent.

    Attributes:
        source: the windows.
        first: indices of those to train on.
        second: of those held out.
        method: whose lessons these are.
    """

    source: WindowSource
    first: np.ndarray
    second: np.ndarray
    method: "LearnedBaseline"

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Context]:
        """Clips `(b, P + S, *features)` in coded units and their contexts."""
        return to_context(self.source.batch(indices))

    def chosen(self, key: Key) -> Tensor:
        """Which of the first windows a training step's clips are, by the step's key."""
        return key.at(Purpose.BATCH, key.step).integers(len(self.first), 1)[:, 0]

    def train(self, model: nn.Module, loss: Loss, share: float = 1.0, judged: Loss | None = None) -> None:
        """Train a network in place; it ends with the averaged weights that did best on what is held out.

        Args:
            model: whose parameters change.
            loss: of each clip.
            share: of the steps, or of the time, that this network may take.
            judged: what is held against it on windows held out, where that is not the loss.
        """
        method = self.method
        settings = Training(batch=method.batch, checks=_CHECKS, time=method.time)
        held = self.second[np.linspace(0, len(self.second) - 1, _MOST_HELD).round().astype(int)]

        def of_step(_: nn.Module, step: int) -> Tensor:
            key = replace(Key.of(method.seed, method.batch, method.name()), step=step)
            return loss(*self.batch(self.first[self.chosen(key).numpy()]), key)

        def of_held(_: nn.Module) -> float:
            key = Key.of(method.seed, len(held), "held out")
            return float((judged or loss)(*self.batch(held), key).mean())

        if method.steps is None:
            each = seconds_per_step(share * method.time, lambda step: of_step(model, step).mean().backward())
            model.zero_grad(set_to_none=True)
            steps = max(1, int(share * method.time / each))
        else:
            steps = max(1, round(share * method.steps))
        with tempfile.TemporaryDirectory() as scratch, torch.enable_grad():
            Run(model, of_step, of_held, settings, steps, Path(scratch))()


@dataclass(frozen=True, slots=True)
class FittedLearned:
    """Trained networks and what turns a recording into their clips.

    Attributes:
        dataset: the training span, without its values.
        names: of its sequences.
        spec: sizes of the windows.
        codec: raw to coded units.
        exists: `features` bool, entries ever observed.
        draw: members `(m, S, *features)` in coded units, from clips whose future is blank.
    """

    dataset: Dataset
    names: tuple[str, ...]
    spec: WindowSpec
    codec: Fitted
    exists: np.ndarray
    draw: Draw

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """See :class:`rheos.baseline.method.FittedBaseline`."""
        check(self.names, recording, origin)
        known = bare(recording.until(origin))
        windows = WindowSource(replace(self.dataset, recordings=(known,)), self.spec, self.codec)
        batch = windows.at(0, origin)
        clip, context = to_context(batch, exists=self.exists)
        drawn = []
        with torch.no_grad():
            for first in range(0, len(key), _AT_ONCE):
                part = slice(first, first + _AT_ONCE)
                rows = replace(key, words=key.words[part], member=key.member[part])
                count = len(rows)
                drawn.append(self.draw(clip.repeat_interleave(count, 0), context.repeat(count), rows))
        members = self.codec.decode(torch.cat(drawn).numpy(), batch.state)
        return np.where(self.exists, members, np.nan).astype(recording.values.dtype)


class LearnedBaseline(Baseline):
    """Base of the baselines that train networks of their own.

    Attributes:
        history: P, frames of history that a forecast sees; None: as many as it has frames, at least 8, at
            most a quarter of the shortest recording.
        time: budget of training.
        steps: exact number of steps; overrides `time`.
        batch: clips a step.
        seed: of weights, batches and noise.
    """

    history: int | None = Field(default=None, ge=1)
    time: Duration = 300.0
    steps: int | None = Field(default=None, ge=1)
    batch: int = Field(default=32, ge=1)
    seed: int = 0

    @abstractmethod
    def learn(self, lessons: Lessons) -> Draw:
        """Train the networks, and say how members are drawn from them.

        Raises:
            InputError: the data are of a kind that the method does not take.
        """

    def fit(self, dataset: Dataset, horizon: int) -> FittedLearned:
        """See :class:`rheos.baseline.method.Baseline`.

        Raises:
            InputError: the recordings are too short, or of a kind that the method does not take.
        """
        dataset = replace(
            dataset,
            layout=replace(dataset.layout, known_future=(), past=(), static=()),
            recordings=tuple(bare(recording) for recording in dataset.recordings),
        )
        shortest = min(recording.observed for recording in dataset.recordings)
        spec = WindowSpec(
            history=self.history or max(1, min(max(horizon, 8), shortest // 4)), horizon=horizon
        )
        codec = Scale().fit(dataset)
        source = WindowSource(dataset, spec, codec)
        first, second = source.split(max(horizon, round(_HELD_OUT * shortest)))
        if not len(first) or not len(second):
            raise InputError(
                f"{self.name()} learns from windows of {spec.frames} frames and holds later ones out, for "
                f"which {shortest} frames are too few; give more data, a smaller --horizon or less history."
            )
        draw = self.learn(Lessons(source, first, second, self))
        names = tuple(recording.name for recording in dataset.recordings)
        return FittedLearned(replace(dataset, recordings=()), names, spec, codec, source.exists, draw)


def bare(recording: Recording) -> Recording:
    """A recording without covariates, which these baselines do not read."""
    return Recording.of(recording.values, recording.stamps, recording.name)


def of_frames(error: Tensor, mask: Tensor) -> Tensor:
    """The mean of `(b, ...)` over what is observed, for each clip: `(b,)`."""
    return (error * mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1.0)
