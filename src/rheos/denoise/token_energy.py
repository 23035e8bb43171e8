"""E(x_0, shown) = -sum_{l told} f_l[x_0^l]: what tokens told together do not know of each other, learned.

The residual energy of Xu et al. 2024 (EDLM), arXiv 2410.21357: p(x_0 | shown) ~ p_theta(x_0 | shown) exp(-E).
The network f is read where the tokens told stand, and it sees them all, set apart from those shown before.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.denoise.hiding import log_p_of
from rheos.denoise.token_denoiser import TokenDenoiser
from rheos.process.masked import MASK, Masked


class TokenEnergy(nn.Module):
    """Energies from any module called as `module(x, level, context)`, such as one that makes a denoiser.

    The module sees a clip `(b, f, *features, K)`, 1 at the value of a token that is shown, -1 at the value
    that is tried for one that is hidden, 0 elsewhere, and answers in that shape. Its level is the denoiser's:
    of what is shown. A network that answers 0 corrects nothing.
    """

    def __init__(self, network: nn.Module, process: Masked) -> None:
        """Wrap a network.

        Args:
            network: maps such a clip, its level `(b, f)` and context to the clip's shape.
            process: what the tokens are.
        """
        super().__init__()
        self.network = network
        self.process = process

    def forward(
        self,
        clips: Int64[Tensor, "b f *features"],
        own: Float[Tensor, " b"],
        tokens: Int64[Tensor, "b f *features"],
        context: Context,
    ) -> Float[Tensor, " b"]:
        """E of clips that tell some hidden tokens; 0 where they tell none.

        Args:
            clips: what is shown and what is told, tokens 1 to K, 0 where they stay hidden.
            own: log p_theta of what is told, which this energy is relative to and does not ask for.
            tokens: what is shown, 0 elsewhere.
            context: of the clips.
        """
        hidden = tokens == MASK
        told = hidden & (clips != MASK)
        kind = next((p.dtype for p in self.network.parameters()), torch.get_default_dtype())
        seen = torch.where(told[..., None], -1, 1) * self.process.shown(clips)
        found = self.network(seen.to(kind), TokenDenoiser.level(hidden).to(kind), context)
        return -log_p_of(found, clips, told)
