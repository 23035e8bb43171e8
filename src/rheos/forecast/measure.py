"""What is measured on the training data before and after training: scales, and the solver's bias on them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rheos.core.circle import mean_direction
from rheos.core.context import Context
from rheos.data.circle import Circle
from rheos.data.dataset import Dataset
from rheos.process.process import Process
from rheos.sample.preset import PRESETS, Preset
from rheos.sample.probe import variance_ratio

_MODES = 128


def canonical_futures(process: Process, clip: Tensor, context: Context) -> Tensor:
    """Canonical future frames of some windows, `(windows, entries)`, NaN missing."""
    frames = context.history_frames
    canonical = process.canonical(clip, context)[:, frames:]
    if context.mask is not None:
        canonical = torch.where(context.mask[:, frames:] > 0, canonical, torch.nan)
    return canonical.flatten(1)


def deviation(canonical: Tensor) -> float:
    """Root mean square of canonical entries: the sigma_data of the preconditioning."""
    return min(20.0, max(0.05, float(canonical.square().nanmean().sqrt())))


def mode_variances(canonical: Tensor) -> list[float]:
    """Variances of the modes of a Gaussian fitted to training data, falling.

    Args:
        canonical: `(windows, entries)`, NaN missing; wide clips are represented by some of their entries.

    Returns:
        As many as entries at most; empty where too little varies to fit a Gaussian.
    """
    seen = canonical[:, canonical.isfinite().sum(0) > 1].double()
    if len(seen) < 3 or seen.shape[1] < 1:
        return []
    kept = torch.linspace(0, seen.shape[1] - 1, min(_MODES, seen.shape[1])).round().long()
    covariance = torch.cov(torch.nan_to_num(seen[:, kept]).T).reshape(len(kept), len(kept))
    if not covariance.diagonal().sum() > 0:
        return []
    found: list[float] = torch.linalg.eigvalsh(covariance).flip(0).clamp(min=0.0).tolist()
    return found


def solver_bias(
    process: Process, variances: Sequence[float], presets: Mapping[str, Preset] = PRESETS
) -> dict[str, list[float]]:
    """Variance each preset gives the modes of training data, over the exact one.

    Solver bias is forecast bias.

    Args:
        process: gives the schedule.
        variances: of the modes.
        presets: by word.

    Returns:
        By word, the ratios, largest mode first; empty where there are no modes.
    """
    if not variances:
        return {}
    modes = torch.tensor(variances, dtype=torch.float64)
    return {
        word: variance_ratio(process, modes, preset=chosen).ratios.tolist()
        for word, chosen in presets.items()
    }


def _straightened(dataset: Dataset) -> Dataset:
    """The data with directions on the line about their mean."""
    circle = Circle(dataset.layout.circular)
    middle = np.zeros(dataset.features)
    for number in circle.channels:
        seen = [r.values[:, number][np.isfinite(r.values[:, number])] for r in dataset.recordings]
        middle[number] = mean_direction(np.concatenate(seen), circle.period[number], 0)
    if not circle.any:
        return dataset
    straight = (replace(r, values=circle.about(r.values, middle, 1)) for r in dataset.recordings)
    return replace(dataset, recordings=tuple(straight))


def channel_scale(dataset: Dataset) -> np.ndarray:
    """Standard deviation of each channel over all frames, cells and recordings; 1 where constant.

    A direction's is the root mean square of its signed distances from the mean direction.
    """
    dataset = _straightened(dataset)
    total = np.zeros(len(dataset.layout.channels))
    square, count = total.copy(), total.copy()
    for recording in dataset.recordings:
        values = recording.values.astype(np.float64)
        axes = tuple(i for i in range(values.ndim) if i != 1)
        total += np.nansum(values, axis=axes)
        count += np.isfinite(values).sum(axes)
    mean = total / np.maximum(count, 1)
    for recording in dataset.recordings:
        values = np.moveaxis(recording.values.astype(np.float64), 1, -1) - mean
        square += np.nansum(values**2, axis=tuple(range(values.ndim - 1)))
    scale = np.sqrt(square / np.maximum(count, 1))
    return np.where(scale > 1e-12 * np.maximum(1, np.abs(mean)), scale, 1.0)
