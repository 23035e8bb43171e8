"""min over weights and beliefs of sum_k |x_k - x'_k|^2 + w sum_l KL(q_k^l | p_k^l) / n_l: predictive coding.

PV-RNN (Ahmadi, Tani 2019, arXiv 1811.01339); the network is in :mod:`rheos.baseline.learned.coding`. Every
training window has free numbers of its own, learned beside the weights. A forecast has none yet: those of
its history are found by the same loss with the weights held (error regression), then the network goes on as
it expects. A large w makes members alike and lets the dynamics be chaotic, a small one leaves them to
noise.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rheos.baseline.learned.base import Draw, LearnedBaseline, Lessons
from rheos.baseline.learned.coding import PredictiveCoding
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.initialization import initialization
from rheos.core.keys import Key, Purpose
from rheos.score.crps import crps

_PACE = 5.0  # beliefs are met seldom, so they move in longer steps than weights
_JUDGED = 4  # members of a window held out


class PVRNN(LearnedBaseline):
    """A recurrent network of several time scales that infers by its errors instead of by an encoder (PV-RNN).

    For tables. It reads no calendar.

    Attributes:
        taus: time constants of its layers in frames, the fastest first.
        width: of a layer.
        latent: numbers that a layer draws at a step.
        meta_prior: w.
        regression: steps of error regression before a forecast.
        rate: of those steps (Adam).
    """

    kind: Literal["pv_rnn"] = "pv_rnn"
    taus: tuple[float, ...] = Field(default=(2.0, 10.0), min_length=1)
    width: int = Field(default=24, ge=1)
    latent: int = Field(default=2, ge=1)
    meta_prior: float = Field(default=0.01, ge=0.0)
    regression: int = Field(default=60, ge=1)
    rate: float = Field(default=0.1, gt=0.0)

    def learn(self, lessons: Lessons) -> Draw:
        """Train the weights and the windows' beliefs together; draw by error regression."""
        layout = lessons.source.dataset.layout
        if layout.kind != "series":
            raise InputError(f"pv_rnn forecasts tables, but this is a {layout.kind}; leave it out.")
        with initialization(self.seed):
            network = PredictiveCoding(len(layout.channels), self.taus, self.width, self.latent)
        beliefs = nn.Parameter(network.blank(len(lessons.first), lessons.source.spec.frames))
        both = nn.ModuleDict({"network": network})
        both.register_parameter("beliefs", beliefs)

        def loss(clip: Tensor, context: Context, key: Key) -> Tensor:
            return self.loss(
                network, clip, context, _PACE * beliefs[lessons.chosen(key)], self._noise(network, clip, key)
            )

        def judged(clip: Tensor, context: Context, key: Key) -> Tensor:
            # A proper score: the error of single members would favor those that hardly differ.
            rows = replace(Key.of(self.seed, _JUDGED * len(clip), "judged"), step=key.step)
            many = clip.repeat_interleave(_JUDGED, 0), context.repeat(_JUDGED)
            members = self.draw(network, *many, rows).unflatten(0, (len(clip), _JUDGED)).movedim(1, 0)
            future = slice(context.history_frames, None)
            truth = torch.where(_mask(clip, context)[:, future] > 0, clip[:, future], torch.nan)
            return torch.from_numpy(np.nanmean(crps(members.numpy(), truth.numpy()), (1, 2)))

        lessons.train(both, loss, judged=judged)
        network.requires_grad_(False)
        return lambda clip, context, key: self.draw(network, clip, context, key)

    def loss(
        self, network: PredictiveCoding, clip: Tensor, context: Context, free: Tensor, noise: Tensor
    ) -> Tensor:
        """Of each clip `(b, f, channel)`, its frames as long as `free` and `noise`."""
        shown, surprise, _ = network(noise, free)
        frames = shown.shape[1]
        error = (shown - clip[:, :frames]).square() * _mask(clip, context)[:, :frames]
        return error.sum((1, 2)) + self.meta_prior / network.latent * surprise.sum((1, 2))

    def regress(self, network: PredictiveCoding, clip: Tensor, context: Context, noise: Tensor) -> Tensor:
        """Free numbers `(b, f, layers, 2 latent)` of as many frames as the noise has, each clip's its own."""
        free = network.blank(*noise.shape[:2]).to(noise.dtype).requires_grad_()
        optimizer = torch.optim.Adam([free], lr=self.rate)
        with torch.enable_grad():
            for _ in range(self.regression):
                (gradient,) = torch.autograd.grad(self.loss(network, clip, context, free, noise).sum(), free)
                free.grad = gradient
                optimizer.step()
        return free.detach()

    def draw(self, network: PredictiveCoding, clip: Tensor, context: Context, key: Key) -> Tensor:
        """Futures `(b, S, channel)`: beliefs about the history, then what follows from them as expected."""
        noise, past = self._noise(network, clip, key), context.history_frames
        known = noise[:, :past]
        state = network(known, self.regress(network, clip, context, known))[2]
        ahead: Tensor = network(noise[:, past:], None, state)[0]
        return ahead

    def _noise(self, network: PredictiveCoding, clip: Tensor, key: Key) -> Tensor:
        shape = (clip.shape[1], len(network.layers), network.latent)
        return key.at(Purpose.NOISE, key.step).normal(shape, clip.dtype)


def _mask(clip: Tensor, context: Context) -> Tensor:
    return torch.ones_like(clip) if context.mask is None else context.mask
