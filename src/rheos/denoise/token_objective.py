"""-log p(x_0) <= sum_{n=1}^{N} (1 / n) E_{n hidden} sum_{hidden} -log p(x_0^l | what is shown), N tokens.

The bound E_t [-alpha' / (1 - alpha) sum_{hidden} -log p] of masked diffusion (Sahoo et al. 2024, arXiv
2406.07524), summed over the times at which n tokens are hidden: no schedule is left in it (Zheng et al. 2024,
arXiv 2409.02908). It is the chain rule averaged over all orders, so with exact answers an equality.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.denoise.time_sampler.base import stratified
from rheos.denoise.token_denoiser import TokenDenoiser
from rheos.process.masked import MASK


class MaskedCrossEntropy(Method):
    """Mean cross-entropy of hidden tokens, as many hidden as uniform luck says: 1/N of the bound, in nats."""

    kind: Literal["masked_cross_entropy"] = "masked_cross_entropy"

    def __call__(
        self, denoiser: TokenDenoiser, x0: Float[Tensor, "b f *features"], context: Context, key: Key
    ) -> Float[Tensor, " b"]:
        """Loss of each clip with n of its N present future tokens hidden, n uniform on 1 to N; 0 without any.

        Args:
            denoiser: what is trained.
            x0: clips of tokens as numbers; missing entries, by `context.mask`, may hold anything.
            context: of the clips.
            key: of the clips (its step tells training steps apart).

        Raises:
            InputError: the clips hold what is no token.
        """
        tokens = denoiser.process.canonical(x0, context)
        wanted = tokens != MASK
        wanted[:, : context.history_frames] = False
        w = key.at(Purpose.NOISE, key.step).uniform(x0.shape[1:], x0.device)
        hidden = self.hidden(wanted, w, stratified(len(x0), key).to(x0.device))
        return self.cross_entropy(denoiser, tokens, hidden, context)

    @staticmethod
    def hidden(wanted: Tensor, w: Tensor, share: Tensor) -> Tensor:
        """The ceil(share N) of the N wanted tokens of each clip that have the largest numbers `w`.

        Args:
            wanted: bool `(b, f, *features)`.
            w: in (0, 1), one a token, `(b, f, *features)`.
            share: in (0, 1), `(b,)`.
        """
        flat = torch.where(wanted, w, -1.0).flatten(1)
        place = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        count = torch.ceil(share * wanted.flatten(1).sum(1))
        return (place < count[:, None]).reshape(wanted.shape)

    @staticmethod
    def cross_entropy(
        denoiser: TokenDenoiser, tokens: Tensor, hidden: Tensor, context: Context
    ) -> Float[Tensor, " b"]:
        """Mean of -log p over the hidden tokens of each clip; 0 where none is hidden."""
        law = denoiser(torch.where(hidden, MASK, tokens), context)
        own = law.gather(-1, (tokens - MASK - 1).clamp(min=0)[..., None])[..., 0]
        told = torch.where(hidden, own, 0.0).flatten(1)
        return -told.sum(1) / hidden.flatten(1).sum(1).clamp(min=1)
