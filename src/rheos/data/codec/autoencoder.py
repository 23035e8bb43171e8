"""Autoencoder: z = P(x) + E(x), patches as a few numbers by a network that begins as principal components.

    x' = P^-1(z) + D(z),   E = D = 0 at first
    loss = |x - x'(z + noise e)|^2 + penalty |z|^2

P is the linear code of :mod:`rheos.data.codec.patches`. Noise of a fixed size on the codes, and their mean
square, are the Kullback-Leibler term of a variational autoencoder of that posterior variance (Kingma, Welling
2014, arXiv 1312.6114), weighed lightly as in latent diffusion (Rombach et al. 2022, arXiv 2112.10752, section
3.1). The last tenth of the frames chooses among several stages of training, the linear code among them.
"""

import time
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.data.codec.base import Codec, Fitted, State
from rheos.data.codec.coder import Coder, Linear
from rheos.data.codec.patches import FittedPatches, Patches, cut, joined
from rheos.data.dataset import Dataset, Layout

_STEPS = 1000  # where there is no budget
_CHECKS = 8
_HELD = 0.1
_FRAMES = 64  # coded at once
_CLOCKED = 5


class AutoEncoder(Codec):
    """A coarser grid of several numbers a patch, by a network trained before all else; for grids of two axes.

    Attributes:
        factor: cells of a patch along each spatial axis.
        channels: numbers that a patch becomes.
        width: channels of the network.
        share: of `training.time`, spent on this network.
        steps: of its training; overrides `share`.
        batch: frames a step.
        learning_rate: at the start; falls to 0 as a cosine.
        noise: on the codes in training; they have about unit variance.
        penalty: of the codes' mean square.
    """

    kind: Literal["autoencoder"] = "autoencoder"
    factor: int = Field(default=4, ge=2)
    channels: int = Field(default=8, ge=1)
    width: int = Field(default=64, ge=1)
    share: float = Field(default=0.2, gt=0, lt=1)
    steps: int | None = Field(default=None, ge=0)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    noise: float = Field(default=0.05, ge=0)
    penalty: float = Field(default=1e-3, ge=0)

    @property
    def mixes(self) -> bool:
        """True."""
        return True

    @property
    def spends(self) -> float:
        """The share, unless steps are given."""
        return self.share if self.steps is None else 0.0

    @property
    def linear(self) -> Patches:
        """The linear code that it begins as."""
        return Patches(factor=self.factor, channels=self.channels)

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """As of patches."""
        return self.linear.features(raw)

    def within(self, seconds: float, raw: tuple[int, ...]) -> Self:
        """With as many steps as take so many seconds, by timing a few of them on noise."""
        if self.steps is not None or len(raw) != 3:
            return self
        codes, *grid = self.features(raw)
        entries = raw[0] * self.factor**2
        shape = (self.batch, entries, *grid)
        patches = Key.of(0, 1).normal(shape)[0]
        coder = Coder(entries, codes, self.width, (False, False))
        linear = Linear(torch.zeros(codes, entries), torch.zeros(entries, codes), torch.ones(shape[1:]))
        noise = torch.zeros(self.batch, codes, *grid)
        spent = []
        with torch.enable_grad():
            for _ in range(_CLOCKED):
                began = time.perf_counter()
                coder.loss(patches, linear, noise, self.penalty).backward()
                spent.append(time.perf_counter() - began)
        return self.model_copy(update={"steps": max(1, int(self.share * seconds / np.median(spent[1:])))})

    def fit_targets(self, dataset: Dataset) -> "FittedAutoEncoder":
        """Train the network from the linear code on.

        Raises:
            IncompatibleError: there is no grid of two axes.
            InputError: as of patches.
        """
        if dataset.layout.kind == "field" and len(dataset.features) != 3:
            raise IncompatibleError(
                f"codec=autoencoder is for grids of two axes, and this one has {len(dataset.features) - 1}; "
                "use codec=patches."
            )
        linear = self.linear.fit_targets(dataset)
        y, x = (*dataset.layout.periodic, False, False)[:2]
        coder = Coder(linear.mean.size, len(linear.components), self.width, (y, x))
        fitted = FittedAutoEncoder(config=self, linear=linear, coder=coder)
        parts = [fitted.standard(r.values[None])[0] for r in dataset.recordings]
        frames = torch.cat(parts)
        frames = frames[frames.isfinite().flatten(1).all(1)]
        if len(frames) > 1:
            with torch.enable_grad():
                self._train(coder, fitted.fixed, frames)
        return fitted

    def _train(self, coder: Coder, linear: Linear, frames: Tensor) -> None:
        """Leave in the coder the weights of the stage that held-out frames liked best."""
        held = max(1, round(_HELD * len(frames)))
        known, kept = frames[:-held], frames[-held:]
        steps = _STEPS if self.steps is None else self.steps
        optimizer = torch.optim.AdamW(coder.parameters(), lr=self.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
        key = Key.of(0, self.batch, self.kind)
        shape = linear.encode(frames[:1]).shape[1:]
        best, stage = float("inf"), _weights(coder)
        checks = {round(steps * (n + 1) / _CHECKS) for n in range(_CHECKS)} | {0}
        for step in range(steps + 1):
            if step in checks:
                score = self._score(coder, linear, kept)
                if score < best:
                    best, stage = score, _weights(coder)
            if step == steps:
                break
            chosen = known[key.at(Purpose.BATCH, step).integers(len(known), 1)[:, 0]]
            noise = self.noise * key.at(Purpose.NOISE, step).normal(shape)
            loss = coder.loss(chosen, linear, noise, self.penalty)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(coder.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        coder.load_state_dict(stage)

    @torch.no_grad()
    def _score(self, coder: Coder, linear: Linear, frames: Tensor) -> float:
        """Mean squared error of held-out frames, their codes as noisy as in training."""
        total = 0.0
        for number, part in enumerate(frames.split(_FRAMES)):
            key = Key.of(1, len(part), self.kind, str(number))
            noise = self.noise * key.normal((linear.forth.shape[0], *part.shape[2:]))
            total += float(coder.loss(part, linear, noise, 0.0)) * len(part)
        return total / len(frames)

    def restore_targets(self, arrays: dict[str, np.ndarray]) -> "FittedAutoEncoder":
        """The inverse of `target_arrays`."""
        linear = self.linear.restore_targets(arrays)
        periodic = (bool(arrays["periodic"][0]), bool(arrays["periodic"][1]))
        coder = Coder(linear.mean.size, len(linear.components), self.width, periodic)
        weights = {name: torch.from_numpy(arrays[f"coder.{name}"]) for name in coder.state_dict()}
        coder.load_state_dict(weights)
        return FittedAutoEncoder(config=self, linear=linear, coder=coder)


def _weights(coder: Coder) -> dict[str, Tensor]:
    return {name: weights.detach().clone() for name, weights in coder.state_dict().items()}


@dataclass(frozen=True, kw_only=True)
class FittedAutoEncoder(Fitted):
    """A trained autoencoder.

    A frame in which anything is missing that exists has no codes, since the network sees all of it; entries
    never observed in training (land) count as their mean.

    Attributes:
        linear: what it adds to.
        coder: E and D.
    """

    config: AutoEncoder
    linear: FittedPatches
    coder: Coder

    @property
    def mixes(self) -> bool:
        """True."""
        return True

    @property
    def unit(self) -> float:
        """Root mean square of centered patches, the network's unit: what the linear codes keep of it."""
        kept = len(self.linear.components) / self.linear.mean.size
        return float(self.linear.scale) * kept**0.5

    @property
    def fixed(self) -> Linear:
        """The linear code in the network's unit."""
        scale = float(self.linear.scale) / self.unit
        rows = torch.from_numpy(self.linear.components).float()
        exists = np.moveaxis(self._cut(self.linear.seen), -1, 0)
        return Linear(rows / scale, rows.T.contiguous() * scale, torch.from_numpy(exists.astype(np.float32)))

    def _cut(self, values: np.ndarray) -> np.ndarray:
        return cut(values, self.config.factor, 2)

    def standard(self, values: np.ndarray) -> Tensor:
        """Patches of raw frames `(b, f, *features)` as the network sees them, `(b, f, entries, *coarse)`."""
        exists = self._cut(self.linear.seen)
        patches = (self._cut(np.asarray(values, np.float64)) - self.linear.mean) / self.unit
        return torch.from_numpy(np.moveaxis(np.where(exists, patches, 0.0), -1, 2).astype(np.float32))

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """As of patches."""
        return self.linear.features(raw)

    def layout(self, raw: Layout) -> Layout:
        """As of patches."""
        return self.linear.layout(raw)

    def exists(self, seen: np.ndarray) -> np.ndarray:
        """As of patches."""
        return self.linear.exists(seen)

    @torch.no_grad()
    def _through(self, half: torch.nn.Module, frames: np.ndarray) -> np.ndarray:
        """A half of the network on frames `(n, channels, *coarse)`, a few at a time; 0 where one is NaN."""
        parts = torch.from_numpy(np.nan_to_num(frames, nan=0.0)).float().split(_FRAMES)
        return torch.cat([half(part) for part in parts]).double().numpy()

    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """Codes `(b, f, channels, *coarse)`."""
        codes = self.linear.encode(values, state)
        exists = self.linear.exists(self.linear.seen)
        broken = (np.isnan(codes) & exists).any((2, 3, 4), keepdims=True)
        patches = self.standard(values).numpy()
        added = self._through(self.coder.encoder, patches.reshape(-1, *patches.shape[2:]))
        return np.where(broken, np.nan, codes + added.reshape(codes.shape))

    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """What the codes stand for: not the exact inverse, but what training made closest to it."""
        codes = np.asarray(values, np.float64)
        # What was drawn where nothing exists must not reach the patches beside it.
        told = np.where(self.linear.exists(self.linear.seen), codes, 0.0)
        added = self._through(self.coder.decoder, told.reshape(-1, *codes.shape[2:]))
        patches = np.moveaxis(added, 1, -1) * self.unit
        frames = joined(patches, self.config.factor, self.linear.seen.shape)
        return self.linear.decode(codes, state) + frames.reshape(*codes.shape[:2], *frames.shape[1:])

    def log_det(self, values: np.ndarray, state: State) -> None:
        """None: codes are fewer than values, so these have no density."""
        return None

    def target_arrays(self) -> dict[str, np.ndarray]:
        """The linear code, the weights, and which axes close on themselves."""
        weights = {f"coder.{name}": value.numpy() for name, value in self.coder.state_dict().items()}
        first = self.coder.encoder[0]
        periodic = np.array(first.periodic, np.uint8)
        return {**self.linear.target_arrays(), **weights, "periodic": periodic}
