"""Reflow inside a fit: pairs of noise and clip drawn by the model fitted so far, and batches of them.

Liu, Gong, Liu 2022, arXiv 2209.03003: a model trained anew on its own pairs has straighter paths, so that few
steps are enough. A pair keeps the window whose history, calendar and anchor it was drawn with.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.files import read_tensors, write_tensors
from rheos.core.keys import Key
from rheos.data.window_source import WindowSource
from rheos.forecast.model import FittedModel
from rheos.sample.reflow import Pairs, pairs
from rheos.sample.sample import process_of
from rheos.train.loop import Progress

_MOST_NUMBERS = 2**27  # of clips and noise together: half a gigabyte

Batch = tuple[Tensor, Context, Tensor | None]
"""Coded clips, their context, and the noise that belongs to them, if any does."""


@dataclass(slots=True)
class Paired:
    """Pairs and the windows they belong to.

    Args:
        model: what draws them, and is then trained on them.
        windows: of the training span.
        chosen: the window of each pair.
        pairs: of all windows, on the CPU.
    """

    model: FittedModel
    windows: WindowSource
    chosen: np.ndarray
    pairs: Pairs

    def __len__(self) -> int:
        return len(self.chosen)

    def batch(self, indices: Tensor, device: str = "cpu") -> Batch:
        """Coded clips of some pairs, their context and the noise that belongs to them."""
        batch = self.windows.batch(self.chosen[indices.numpy()])
        context = self.model.context(batch)[1].to(device)
        clips = self.pairs.clips[indices].to(device)
        coded = process_of(self.model.denoiser, None).read(clips, context)
        return coded, context, self.pairs.noise[indices].to(device)


def paired(
    model: FittedModel,
    windows: WindowSource,
    indices: np.ndarray,
    count: int,
    folder: Path,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Paired:
    """Draw pairs, or find those that an interrupted run has drawn.

    Args:
        model: fitted so far.
        windows: of the training span.
        indices: of the windows to draw for, which take turns.
        count: how many pairs; fewer where clips are so large that they would not fit.
        folder: where the pairs are kept while the run lasts.
        device: where the network is.
        progress: told how far it is.
    """
    clip, _ = model.context(windows.batch(indices[:1]), forecasting=False)
    count = max(1, min(count, _MOST_NUMBERS // (2 * clip.numel())))
    chosen = indices[np.linspace(0, len(indices) - 1, count).round().astype(int)]
    path = folder / "pairs.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for start in range(0, count, 2 * model.recipe.block):
            part = chosen[start : start + 2 * model.recipe.block]
            found.append(_drawn(model, windows, part, start, device))
            if progress is not None:
                progress(start + len(part), count, "drawing pairs")
        names = ("clips", "noise")
        write_tensors(path, {n: torch.cat([getattr(part, n) for part in found]).cpu() for n in names})
    return Paired(model, windows, chosen, Pairs(**read_tensors(path)))


def _drawn(model: FittedModel, windows: WindowSource, part: np.ndarray, start: int, device: str) -> Pairs:
    """Pairs number `start` and following."""
    clip, context = model.context(windows.batch(part))
    key = Key.of(model.recipe.seed, torch.arange(start, start + len(part)), "reflow")
    return pairs(model.denoiser, clip.shape, key=key, context=context, device=device)
