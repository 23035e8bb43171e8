"""p(x_0 | shown) ~ p_theta(x_0 | shown) exp(-E(x_0, shown)): one of some candidates, chosen by energy.

Corrects what tokens told together do not know of each other: Xu et al. 2024 (EDLM), arXiv 2410.21357. One of
k candidates is taken with probability softmax(-E): importance resampling, whose law goes to the corrected one
as k grows. The sign is that of the equation; the released code weighs by exp(+E).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rheos.core.categorical import categorical
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.denoise.hiding import log_p_of
from rheos.process.masked import MASK


class Energy(Protocol):
    """How much less likely whole clips are than the denoiser says."""

    def __call__(self, clips: Tensor, own: Tensor, tokens: Tensor, context: Context) -> Tensor:
        """E of clips that complete what is shown.

        Args:
            clips: `(b, f, *features)`.
            own: log p_theta of each given what is shown, `(b,)`.
            tokens: what is shown, `(b, f, *features)`.
            context: of the clips.

        Returns:
            `(b,)`, up to a constant a row.
        """
        ...


def relative_to(log_prob: Callable[[Tensor], Tensor]) -> Energy:
    """E = log p_theta(x_0 | shown) - log p(x_0), of another model that knows the likelihood of whole clips.

    Args:
        log_prob: of clips `(b, f, *features)`, up to what the shown tokens alone say: `(b,)`.
    """

    def energy(clips: Tensor, own: Tensor, tokens: Tensor, context: Context) -> Tensor:
        return own - log_prob(clips)

    return energy


@dataclass(frozen=True, slots=True)
class EnergyCorrection:
    """Tokens of a call chosen together.

    Attributes:
        energy: of whole clips.
        candidates: k; the published 2. Each costs an energy a call.
    """

    energy: Energy
    candidates: int = 2

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise InputError(f"candidates={self.candidates}, but one of at least one candidate is chosen.")

    def draw(
        self,
        law: Float[Tensor, "b f *features K"],
        tokens: Int64[Tensor, "b f *features"],
        hidden: Bool[Tensor, "b f *features"],
        context: Context,
        key: Key,
    ) -> Int64[Tensor, "b f *features"]:
        """Clips whose hidden tokens are chosen together.

        Args:
            law: log p of every value of every token.
            tokens: what is shown.
            hidden: which tokens to draw; others stay as they are, hidden ones too.
            context: of the clips.
            key: of the rows, its step that of the call.
        """
        numbers = key.at(Purpose.STEP, key.step).uniform((self.candidates, *tokens.shape[1:]), tokens.device)
        clips, weights = [], []
        for w in numbers.unbind(1):
            clips.append(torch.where(hidden, MASK + 1 + categorical(law, w), tokens))
            own = log_p_of(law, clips[-1], hidden)
            weights.append(-self.energy(clips[-1], own, tokens, context).double())
        choice = key.at(Purpose.CORRECTION, key.step).uniform((), tokens.device)
        chosen = categorical(torch.stack(weights, 1), choice)
        return torch.stack(clips)[chosen, torch.arange(len(tokens), device=tokens.device)]
