"""The training loop: AdamW, warm-up and cosine decay, averaged weights, held-out choice, exact resume.

Everything random in step k comes from keys that name k, so a run that was killed and started again
ends with the same bits as one that was not.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from rheos.core.errors import InputError
from rheos.core.files import read_json, read_tensors, write_json, write_tensors
from rheos.train.average import PowerAverage
from rheos.train.settings import Training

_SAVE_EVERY = 20.0  # seconds; does not change the result
_UNTRAINED = 0.05  # by which share it must beat what was trained


class Progress(Protocol):
    """Told how far a long piece of work is."""

    def __call__(self, done: int, total: int, note: str, /) -> None:
        """`done` of `total` units are finished; `note` is a few words."""
        ...


@dataclass(slots=True)
class Trained:
    """How training went.

    Attributes:
        steps: planned number of steps.
        stopped: last step made.
        best_step: step whose averaged weights the model now has.
        losses: `[step, mean loss since the last entry]` pairs.
        scores: `[step, held-out score]` pairs.
        seconds: time spent in this and earlier, interrupted runs.
    """

    steps: int
    stopped: int = 0
    best_step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0

    def then(self, other: "Trained") -> "Trained":
        """This and a second part of the training, which began with this one's best weights."""
        shifted = [(self.stopped + step, score) for step, score in other.scores if step > 0]
        return Trained(
            steps=self.steps + other.steps,
            stopped=self.stopped + other.stopped,
            best_step=self.stopped + other.best_step if other.best_step else self.best_step,
            losses=self.losses + [(self.stopped + step, loss) for step, loss in other.losses],
            scores=self.scores + shifted,
            seconds=self.seconds + other.seconds,
        )

    @property
    def best(self) -> float:
        """Lowest held-out score."""
        return min((score for _, score in self.scores), default=math.inf)


def learning_rate(step: int, steps: int, settings: Training) -> float:
    """Linear warm-up to the peak, then half a cosine to zero; `step` counts from 0."""
    warm = max(1, round(settings.warmup * steps))
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def make_optimizer(model: nn.Module, settings: Training) -> torch.optim.AdamW:
    """AdamW that decays matrices only."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate, betas=(0.9, 0.99))


class Run:
    """One training run that can be interrupted at any moment and continued.

    Args:
        model: the denoiser; trained in place.
        loss: maps (model, step) to the loss of each clip of that step's batch.
        validate: maps the model, holding averaged weights, to a held-out score, lower is better.
        settings: the training settings.
        steps: number of steps.
        folder: where the state is kept while the run lasts.
        score: what the held-out score is called where progress is told.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[nn.Module, int], Tensor],
        validate: Callable[[nn.Module], float],
        settings: Training,
        steps: int,
        folder: Path,
        score: str = "held-out CRPS",
    ) -> None:
        self.model, self.loss, self.validate, self.settings = model, loss, validate, settings
        self.folder, self.score = folder, score
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(model, settings)
        self.average = PowerAverage(self.parameters, settings.averaging)
        self.best = [value.clone() for value in self.average.values]
        self.record = Trained(steps=steps)
        self._checks = {max(1, round(steps * (i + 1) / settings.checks)) for i in range(settings.checks)}
        self._gathered: list[Tensor] = []

    def __call__(self, progress: Progress | None = None) -> Trained:
        """Train to the end and leave the best averaged weights in the model.

        Raises:
            InputError: the weights or the loss are no longer finite.
        """
        self._restore()
        began = saved = time.perf_counter()
        earlier = self.record.seconds
        self.model.train()
        if not self.record.scores:
            # Where data are few, training can harm; the untrained network forecasts its anchor's errors.
            self._check()
        while self.record.stopped < self.record.steps and not self._patience_is_over():
            self._step(self.record.stopped)
            self.record.stopped += 1
            at_check = self.record.stopped in self._checks
            if at_check:
                self._check()
            now = time.perf_counter()
            self.record.seconds = earlier + now - began
            if progress is not None:
                progress(self.record.stopped, self.record.steps, self._note())
            if at_check or now - saved > _SAVE_EVERY:
                self._save()
                saved = now
        with torch.no_grad():
            for parameter, value in zip(self.parameters, self.best, strict=True):
                parameter.copy_(value)
        self.model.eval()
        return self.record

    def _step(self, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.record.steps, self.settings)
        loss = self.loss(self.model, step).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.gradient_norm)
        if torch.isfinite(norm):
            self.optimizer.step()
            self._gathered.append(loss.detach())
        self.average.update(self.parameters, step + 1)

    def _check(self) -> None:
        current = [p.detach().clone() for p in self.parameters]
        self.average.copy_to(self.parameters)
        self.model.eval()
        with torch.no_grad():
            score = float(self.validate(self.model))
        self.model.train()
        with torch.no_grad():
            for parameter, value in zip(self.parameters, current, strict=True):
                parameter.copy_(value)
        if not math.isfinite(score) or (self.record.stopped and not self._gathered):
            raise InputError(
                f"training came apart before step {self.record.stopped}, its numbers are no longer finite; "
                "give a smaller training.learning_rate."
            )
        if not self.record.scores or self._mark(self.record.stopped, score) < self._best_mark():
            self.best = [value.clone() for value in self.average.values]
            self.record.best_step = self.record.stopped
        self.record.scores.append((self.record.stopped, score))
        if self._gathered:
            self.record.losses.append((self.record.stopped, float(torch.stack(self._gathered).mean())))
        self._gathered.clear()

    @staticmethod
    def _mark(step: int, score: float) -> float:
        """What counts: untrained, members have no dependence beyond their anchor's, which is a handicap."""
        return score * (1 + _UNTRAINED) if step == 0 else score

    def _best_mark(self) -> float:
        return min(self._mark(step, score) for step, score in self.record.scores)

    def _patience_is_over(self) -> bool:
        # The untrained network is a candidate, not a mark: training may have to pass below it first.
        trained = [score for step, score in self.record.scores if step > 0]
        return bool(trained) and len(trained) - 1 - int(np.argmin(trained)) >= self.settings.patience

    def _note(self) -> str:
        return f"{self.score} {self.record.best:.4f}" if self.record.scores else "training"

    def _save(self) -> None:
        tensors = {f"average.{i}": value for i, value in enumerate(self.average.values)}
        tensors |= {f"best.{i}": value for i, value in enumerate(self.best)}
        for i, parameter in enumerate(self.parameters):
            tensors[f"model.{i}"] = parameter
            for name, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{i}.{name}"] = torch.as_tensor(value)
        if self._gathered:
            tensors["gathered"] = torch.stack(self._gathered)
        # The record names its tensors by the step: a kill between the writes leaves the older pair whole.
        write_tensors(self.folder / f"state-{self.record.stopped}.safetensors", tensors)
        record = {name: getattr(self.record, name) for name in Trained.__slots__}
        write_json(self.folder / "record.json", record)
        for old in self.folder.glob("state-*.safetensors"):
            if old.name != f"state-{self.record.stopped}.safetensors":
                old.unlink()

    def _restore(self) -> None:
        if not (self.folder / "record.json").exists():
            return
        stored = read_json(self.folder / "record.json")
        self.record = Trained(
            **stored
            | {"losses": [tuple(x) for x in stored["losses"]], "scores": [tuple(x) for x in stored["scores"]]}
        )
        tensors = read_tensors(self.folder / f"state-{self.record.stopped}.safetensors")
        device = self.parameters[0].device
        with torch.no_grad():
            for i, parameter in enumerate(self.parameters):
                parameter.copy_(tensors[f"model.{i}"])
                self.average.values[i].copy_(tensors[f"average.{i}"])
                self.best[i].copy_(tensors[f"best.{i}"])
                state = {
                    name.rsplit(".", 1)[1]: value if name.endswith(".step") else value.to(device)
                    for name, value in tensors.items()
                    if name.startswith(f"optimizer.{i}.")
                }
                if state:
                    self.optimizer.state[parameter] = state
        self._gathered = list(tensors["gathered"]) if "gathered" in tensors else []
