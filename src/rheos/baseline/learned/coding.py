"""h_k = (1 - 1/tau) h_{k-1} + (1/tau) (W d_{k-1} + V z_k + U d'_{k-1} + b), d = tanh(h), for each layer.

PV-RNN (Ahmadi, Tani 2019, arXiv 1811.01339). d' are the neighboring layers. Before step k a layer expects

    z_k ~ N(tanh(M d_{k-1}), exp(R d_{k-1})^2), at the first step, where d is 0, N(0, 1),

and believes, once it has seen what came, N(tanh(M d_{k-1} + a_k), exp(R d_{k-1} + r_k)^2), with free
numbers a_k and r_k of each clip and step in the place of an encoder: where these are 0 it believes what it
expected.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from rheos.baseline.learned.koopman import divergence

State = tuple[Tensor, ...]


class Layer(nn.Module):
    """One layer: its recurrence and what it expects."""

    def __init__(self, tau: float, width: int, latent: int, around: int) -> None:
        super().__init__()
        self.rate = 1.0 / tau
        self.recur = nn.Linear(width, width)
        self.driven = nn.Linear(latent, width, bias=False)
        self.around = nn.Linear(around, width, bias=False) if around else None
        self.expects = nn.Linear(width, 2 * latent, bias=False)

    def forward(self, hidden: Tensor, own: Tensor, latent: Tensor, near: list[Tensor]) -> Tensor:
        """The next h of `(b, width)`, from its own d, z and the neighbors' d."""
        pushed = self.recur(own) + self.driven(latent)
        if self.around is not None:
            pushed = pushed + self.around(torch.cat(near, 1))
        return (1.0 - self.rate) * hidden + self.rate * pushed


class PredictiveCoding(nn.Module):
    """The network; layers from the fastest, which alone is read out, to the slowest."""

    def __init__(
        self,
        channels: int,
        taus: tuple[float, ...],
        width: int,
        latent: int,
        squash: Callable[[Tensor], Tensor] = torch.tanh,
    ) -> None:
        """Build it.

        Args:
            channels: of a frame.
            taus: time constant of each layer, in frames.
            width: of a layer.
            latent: numbers that a layer draws at a step.
            squash: what bounds d and means.
        """
        super().__init__()
        neighbors = [width * sum(0 <= near < len(taus) for near in (n - 1, n + 1)) for n in range(len(taus))]
        self.layers = nn.ModuleList(
            Layer(tau, width, latent, around) for tau, around in zip(taus, neighbors, strict=True)
        )
        self.shown = nn.Linear(width, channels)
        self.width, self.latent, self.squash = width, latent, squash

    def blank(self, rows: int, frames: int) -> Tensor:
        """Free numbers of so many clips, all 0: `(rows, frames, layers, 2 latent)`."""
        return torch.zeros(rows, frames, len(self.layers), 2 * self.latent)

    def forward(
        self, noise: Tensor, free: Tensor | None, state: State | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Frames drawn as believed, or where nothing is free as expected.

        Args:
            noise: standard normal `(b, f, layers, latent)`.
            free: a and r, `(b, f, layers, 2 latent)`.
            state: the h of all layers after the frames before; None: these are the first.

        Returns:
            Frames `(b, f, channels)`, KL of belief from expectation `(b, f, layers)`, and the h at the end.
        """
        rows, frames = noise.shape[:2]
        layers = [cast(Layer, layer) for layer in self.layers]
        hidden = [noise.new_zeros(rows, self.width) for _ in layers] if state is None else list(state)
        shown, surprises = [], []
        for frame in range(frames):
            own = [self.squash(h) for h in hidden]
            latents, surprise = [], []
            for number, layer in enumerate(layers):
                told: Tensor = layer.expects(own[number])
                believed = told if free is None else told + free[:, frame, number]
                (mean, scale), (expected, its_scale) = (self._law(part) for part in (believed, told))
                latents.append(mean + scale.exp() * noise[:, frame, number])
                surprise.append(divergence(mean, scale, expected, its_scale).sum(1))
            hidden = [
                layer(hidden[n], own[n], latents[n], [own[m] for m in (n - 1, n + 1) if 0 <= m < len(own)])
                for n, layer in enumerate(layers)
            ]
            shown.append(self.shown(self.squash(hidden[0])))
            surprises.append(torch.stack(surprise, 1))
        return torch.stack(shown, 1), torch.stack(surprises, 1), tuple(hidden)

    def _law(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the scale."""
        mean, log_scale = told.chunk(2, -1)
        return self.squash(mean), log_scale
