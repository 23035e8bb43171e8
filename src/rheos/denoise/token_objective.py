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
from rheos.core.keys import Key
from rheos.core.method import Method
from rheos.denoise.hiding import hide, log_p_of
from rheos.denoise.noise_contrastive import NoiseContrastive
from rheos.denoise.token_denoiser import TokenDenoiser
from rheos.process.masked import MASK


class MaskedCrossEntropy(Method):
    """Mean cross-entropy of hidden tokens, as many hidden as uniform luck says: 1/N of the bound, in nats.

    Attributes:
        energy: learned after the denoiser, corrects tokens that a forecast tells together; none unless said.
    """

    kind: Literal["masked_cross_entropy"] = "masked_cross_entropy"
    energy: NoiseContrastive | None = None

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
        tokens, hidden = hide(denoiser.process, x0, context, key)
        return self.cross_entropy(denoiser, tokens, hidden, context)

    @staticmethod
    def cross_entropy(
        denoiser: TokenDenoiser, tokens: Tensor, hidden: Tensor, context: Context
    ) -> Float[Tensor, " b"]:
        """Mean of -log p over the hidden tokens of each clip; 0 where none is hidden."""
        law = denoiser(torch.where(hidden, MASK, tokens), context)
        return -log_p_of(law, tokens, hidden) / hidden.flatten(1).sum(1).clamp(min=1)
