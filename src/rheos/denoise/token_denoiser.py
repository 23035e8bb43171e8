"""log p(x_0 = v | what is shown) from a network: its logits, of the values a token may take, normalized.

Sahoo et al. 2024, arXiv 2406.07524: the mask is never an answer, and what is shown is copied. The network is
told no time, which would say no more than the clip does (Zheng et al. 2024, arXiv 2409.02908).
"""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.time_field import clip_level
from rheos.process.masked import MASK, Masked


class TokenDenoiser(nn.Module):
    """Laws of hidden tokens from any module called as `module(x, level, context)`.

    The module sees a clip `(b, f, *features, K)`, 1 at the value of a token that is shown and 0 elsewhere,
    and answers with logits of that shape. The level of a frame is log(shown / hidden) of its tokens, limited
    to [-20, 20]; +20 where all are shown.
    """

    def __init__(self, network: nn.Module, process: Masked) -> None:
        """Wrap a network.

        Args:
            network: maps such a clip, its level `(b, f)` and context to logits of the clip's shape.
            process: what the tokens are.

        Raises:
            IncompatibleError: the process has no tokens.
            InputError: it does not say how many values they take.
        """
        super().__init__()
        if not isinstance(process, Masked):
            raise IncompatibleError(
                f"process {type(process).__name__} has alpha(t) and sigma(t), but no tokens: use "
                "rheos.Denoiser."
            )
        if not process.values:
            raise InputError("the process has no values of a token: give rheos.process.Masked(values=(K,)).")
        self.network = network
        self.process = process

    def forward(
        self, tokens: Int64[Tensor, "b f *features"], context: Context | None = None
    ) -> Float[Tensor, "b f *features K"]:
        """log p of every value of every token; of one that is shown 0 at its value and -inf elsewhere.

        Args:
            tokens: 1 to K, 0 where hidden.
            context: what else is known.
        """
        shown, hidden = self.process.shown(tokens), tokens == MASK
        kind = next((p.dtype for p in self.network.parameters()), torch.get_default_dtype())
        logits = self.network(shown.to(kind), self.level(hidden).to(kind), context or Context())
        possible = self.process.possible(tokens.shape[2:], tokens.device)
        law = torch.log_softmax(logits.float().masked_fill(~possible, -math.inf), -1)
        copied = torch.where(shown > 0, 0.0, -math.inf)
        return torch.where(hidden[..., None], law, copied)

    @staticmethod
    def level(hidden: Tensor) -> Tensor:
        """log(shown / hidden) of the tokens of each frame, `(b, f)`."""
        share = hidden.flatten(2).double().mean(2)
        return clip_level(torch.log((1.0 - share) / share))
