"""L = -log sigmoid(-E(x_0)) - log sigmoid(E(x')), x_0 of the data, x' told by p_theta from the same shown.

Noise-contrastive estimation (Gutmann and Hyvarinen 2010) of an energy of tokens: Xu et al. 2024 (EDLM), arXiv
2410.21357. For any law of what is shown L is least at -E = log p(x_0 | shown) - log p_theta(x_0 | shown).
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Int64
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rheos.core.categorical import categorical
from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.denoise.hiding import hide, log_p_of
from rheos.denoise.token_denoiser import TokenDenoiser
from rheos.denoise.token_energy import TokenEnergy
from rheos.process.masked import MASK


class NoiseContrastive(Method):
    """An energy that tells data from what the denoiser, already trained, says of hidden tokens.

    A forecast then tells several tokens a call by one of some candidates, with probability softmax(-E).

    Attributes:
        share: of the training's steps, made last; the denoiser stays as it is.
        candidates: of a call that tells several tokens; each costs a call of the energy's network.
    """

    kind: Literal["noise_contrastive"] = "noise_contrastive"
    share: float = Field(default=0.3, gt=0, lt=1)
    candidates: int = Field(default=8, ge=1)

    def __call__(
        self,
        energy: TokenEnergy,
        denoiser: TokenDenoiser,
        x0: Float[Tensor, "b f *features"],
        context: Context,
        key: Key,
    ) -> Float[Tensor, " b"]:
        """Loss of each clip in nats, 2 log 2 where the energy tells nothing apart.

        As many of its present future tokens are hidden as uniform luck says, and all of them are told.

        Args:
            energy: what is trained.
            denoiser: what is corrected, and not trained.
            x0: clips of tokens as numbers; missing entries, by `context.mask`, may hold anything.
            context: of the clips.
            key: of the clips (its step tells training steps apart).

        Raises:
            InputError: the clips hold what is no token.
        """
        tokens, hidden = hide(denoiser.process, x0, context, key)
        w = key.at(Purpose.STEP, key.step).uniform(x0.shape[1:], x0.device)
        return self.contrast(energy, denoiser, tokens, hidden, w, context)

    @staticmethod
    def contrast(
        energy: TokenEnergy,
        denoiser: TokenDenoiser,
        tokens: Int64[Tensor, "b f *features"],
        hidden: Bool[Tensor, "b f *features"],
        w: Float64[Tensor, "b f *features"],
        context: Context,
    ) -> Float[Tensor, " b"]:
        """The loss with these tokens hidden, those of x' drawn by the uniform numbers `w`."""
        shown = torch.where(hidden, MASK, tokens)
        with torch.no_grad():
            law = denoiser(shown, context)
        drawn = torch.where(hidden, MASK + 1 + categorical(law, w), tokens)
        true, told = (energy(x, log_p_of(law, x, hidden), shown, context) for x in (tokens, drawn))
        return functional.softplus(true) + functional.softplus(-told)
