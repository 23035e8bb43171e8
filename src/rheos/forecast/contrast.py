"""An energy of tokens inside a fit: learned after the denoiser on the same windows, kept if it tells more.

Xu et al. 2024 (EDLM), arXiv 2410.21357.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.data.window_source import WindowSource
from rheos.denoise import NoiseContrastive, TokenDenoiser, TokenEnergy
from rheos.forecast.kinds import energy_of
from rheos.forecast.model import FittedModel
from rheos.train.loop import Trained

_WINDOWS = 512  # of a held-out score, which is cheap: nothing is forecast
_TOGETHER = 128


@dataclass(slots=True)
class Contrasting:
    """An energy beside a trained denoiser.

    Args:
        model: what is corrected.
        contrast: the loss.
        windows: of the training span.
        held: indices of the held-out windows.
        device: where the networks are.

    Attributes:
        energy: what is trained; before, it corrects nothing.
    """

    model: FittedModel
    contrast: NoiseContrastive
    windows: WindowSource
    held: np.ndarray
    device: str = "cpu"
    energy: TokenEnergy = field(init=False)

    def __post_init__(self) -> None:
        self.energy = energy_of(self.model.recipe, self.model.shapes).to(self.device)

    def __call__(self, denoiser: TokenDenoiser, x0: Tensor, context: Context, key: Key) -> Tensor:
        """The loss of each clip, as objectives give it."""
        return self.contrast(self.energy, denoiser, x0, context, key)

    def score(self, _: nn.Module) -> float:
        """Mean loss over at most 512 held-out windows, above 2 log 2, nats: below 0 where it tells more."""
        count = min(len(self.held), _WINDOWS)
        chosen = self.held[np.linspace(0, len(self.held) - 1, count).round().astype(int)]
        found = []
        for start in range(0, count, _TOGETHER):
            part = chosen[start : start + _TOGETHER]
            clip, context = self.model.context(self.windows.batch(part), forecasting=False)
            key = replace(Key.of(self.model.recipe.seed, len(part), "held-out contrast"), step=start)
            with torch.no_grad():
                loss = self(self.model.tokens, clip.to(self.device), context.to(self.device), key)
            found.append(loss)
        return float(torch.cat(found).mean()) - 2.0 * math.log(2.0)

    def keep(self, trained: Trained) -> None:
        """Give the model its energy, unless none was better than the one that corrects nothing."""
        self.model.history.contrast = trained.scores
        if trained.best_step > 0:
            self.model.energy = self.energy
