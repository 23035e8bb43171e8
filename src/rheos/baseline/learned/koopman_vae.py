"""|x - dec(z)|^2 + w_kl sum_k KL(q_k | p_k) + w_map |Z_past A - Z_next|^2, z_k ~ q_k, Z ~ p: linear dynamics.

Koopman VAE (Naiman, Erichson, Ren, Mahoney, Azencot 2024, arXiv 2310.02619). A recurrent encoder sees the
whole clip and gives q(z_k | x) = N; the prior is a recurrent cell unrolled on its own samples, which one
linear map is to explain. Published for generation; here prior and decoder start from the history, so that
what the prior draws is a forecast, and data are standardized instead of in [0, 1].
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rheos.baseline.learned.base import Draw, LearnedBaseline, Lessons, of_frames
from rheos.baseline.learned.koopman import divergence, growth, linear_map, oscillation
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.initialization import initialization
from rheos.core.keys import Key, Purpose

_SCALES = 4.0  # logarithms of scales are kept inside plus and minus this


class KoopmanVAE(LearnedBaseline):
    """A sequence autoencoder whose prior follows one linear map (Koopman VAE).

    For tables.

    Attributes:
        latent: d, numbers of a latent state.
        hidden: of the recurrent networks.
        layers: of encoder and decoder.
        kl: w_kl.
        linear: w_map.
        oscillating: so many of the map's eigenvalues are drawn to modulus 1, by `spectrum`.
        spectrum: weight of those eigenvalues' penalty, or without `oscillating` of all that exceed 1.
    """

    kind: Literal["koopman_vae"] = "koopman_vae"
    latent: int = Field(default=16, ge=1)
    hidden: int = Field(default=20, ge=1)
    layers: int = Field(default=3, ge=1)
    kl: float = Field(default=0.007, ge=0.0)
    linear: float = Field(default=0.005, ge=0.0)
    oscillating: int = Field(default=0, ge=0)
    spectrum: float = Field(default=0.0, ge=0.0)

    def learn(self, lessons: Lessons) -> Draw:
        """Train encoder, prior and decoder together; draw from the prior."""
        if lessons.source.dataset.layout.kind != "series":
            kind = lessons.source.dataset.layout.kind
            raise InputError(f"koopman_vae forecasts tables, but this is a {kind}; leave it out.")
        clip, context = lessons.batch(lessons.first[:1])
        with initialization(self.seed):
            world = LatentWorld(self, clip, context)
        lessons.train(world, lambda clip, context, key: self.loss(world, clip, context, key))

        def draw(clip: Tensor, context: Context, key: Key) -> Tensor:
            start = world.start(clip, context)
            return world.decode(world.prior(start, key)[0], start, clip, context)

        return draw

    def loss(self, world: "LatentWorld", clip: Tensor, context: Context, key: Key) -> Tensor:
        """Of each clip; what the map costs is the same for all of a batch."""
        start = world.start(clip, context)
        mean, log_scale = world.posterior(clip, context)
        noise = key.at(Purpose.NOISE, key.step).normal(tuple(mean.shape[1:]), mean.dtype)
        latents, prior_mean, prior_log_scale = world.prior(start, key)
        found = world.decode(mean + log_scale.exp() * noise, start, clip, context)
        future = slice(context.history_frames, None)
        loss = of_frames((found - clip[:, future]).square(), observed(clip, context)[:, future])
        loss = loss + self.kl * divergence(mean, log_scale, prior_mean, prior_log_scale).sum((1, 2))
        matrix, error = linear_map(latents)
        loss = loss + self.linear * error
        if self.spectrum == 0.0:
            return loss
        return loss + self.spectrum * (
            oscillation(matrix, self.oscillating) if self.oscillating else growth(matrix)
        )


class LatentWorld(nn.Module):
    """Encoder, prior and decoder for clips `(b, P + S, channel)`."""

    def __init__(self, method: KoopmanVAE, clip: Tensor, context: Context) -> None:
        """Build them for clips of one kind.

        Args:
            method: the sizes.
            clip: one like those to come.
            context: its context.
        """
        super().__init__()
        self.horizon, self.latent = clip.shape[1] - context.history_frames, method.latent
        channels, width = clip.shape[2], method.hidden
        calendar = 0 if context.calendar is None else context.calendar.shape[2]
        self.history = nn.GRU(2 * channels + calendar, width, batch_first=True)
        self.encoder = nn.GRU(
            2 * channels + calendar, width, method.layers, batch_first=True, bidirectional=True
        )
        self.told = nn.Linear(2 * width, 2 * method.latent)
        self.cell = nn.GRUCell(method.latent, width)
        self.believed = nn.Linear(width, 2 * method.latent)
        self.decoder = nn.GRU(
            method.latent + calendar + width, width, method.layers, batch_first=True, bidirectional=True
        )
        self.shown = nn.Linear(2 * width, channels)

    def start(self, clip: Tensor, context: Context) -> Tensor:
        """What prior and decoder know of the history, `(b, hidden)`."""
        past = context.history_frames
        known = torch.cat([part[:, :past] for part in _inputs(clip, context)], 2)
        last: Tensor = self.history(known)[1][-1]
        return last

    def posterior(self, clip: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        """Means and logarithms of scales `(b, S, d)` of q, given the whole clip."""
        seen = self.encoder(torch.cat(_inputs(clip, context), 2))[0][:, context.history_frames :]
        return _law(self.told(seen))

    def prior(self, start: Tensor, key: Key) -> tuple[Tensor, Tensor, Tensor]:
        """Samples `(b, S, d)` of p, each frame's law told by those before it; means, logarithms of scales."""
        noise = key.at(Purpose.START, key.step).normal((self.horizon, self.latent), start.dtype)
        state, found = start, []
        for frame in range(self.horizon):
            mean, log_scale = _law(self.believed(state))
            latent = mean + log_scale.exp() * noise[:, frame]
            found.append((latent, mean, log_scale))
            state = self.cell(latent, state)
        latents, means, log_scales = (torch.stack(part, 1) for part in zip(*found, strict=True))
        return latents, means, log_scales

    def decode(self, latents: Tensor, start: Tensor, clip: Tensor, context: Context) -> Tensor:
        """Frames `(b, S, channel)`, as changes from the last one known."""
        past = context.history_frames
        told = [latents, start[:, None].expand(-1, self.horizon, -1)]
        if context.calendar is not None:
            told.append(context.calendar[:, past:])
        changes: Tensor = self.shown(self.decoder(torch.cat(told, 2))[0])
        return clip[:, past - 1, None] + changes


def observed(clip: Tensor, context: Context) -> Tensor:
    """1 where a clip has a value."""
    return torch.ones_like(clip) if context.mask is None else context.mask


def _inputs(clip: Tensor, context: Context) -> list[Tensor]:
    mask = observed(clip, context)
    return [clip * mask, mask, *([] if context.calendar is None else [context.calendar])]


def _law(told: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_scale = told.chunk(2, -1)
    return mean, _SCALES * torch.tanh(log_scale / _SCALES)
