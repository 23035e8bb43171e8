"""The codec of a fit: fitted first, in the share of the time that it asks for, and kept for a resume."""

from pathlib import Path

import numpy as np
import torch

from rheos.core.files import read_json, read_tensors, write_json, write_tensors
from rheos.data.codec import Chain, Fitted
from rheos.data.codec.scale import moments
from rheos.data.dataset import Dataset
from rheos.forecast.recipe import Recipe
from rheos.process import Masked

_LOOKED_AT = 64  # frames of a recording


def coded(recipe: Recipe, dataset: Dataset, folder: Path) -> tuple[Recipe, Fitted]:
    """Fit the codec, or read the one that an interrupted run fitted.

    Args:
        recipe: how.
        dataset: the training span, directions as points of the plane.
        folder: where the state of the run is kept.

    Returns:
        The recipe with what the codec settled: its steps of training, the values of tokens; and the codec.
    """
    if recipe.coding == 0.0:
        codec = Chain(links=recipe.codec).fit(dataset)
        return _with_values(recipe, codec), codec
    plan, arrays = folder / "codec.json", folder / "codec.safetensors"
    if plan.exists():
        chain = Chain.model_validate(read_json(plan))
    else:
        chain = Chain(links=recipe.codec).within(recipe.training.time, dataset.features)
        write_json(plan, chain.model_dump(mode="json"))
    recipe = recipe.model_copy(update={"codec": chain.links})
    if arrays.exists():
        return recipe, chain.restore({name: t.numpy() for name, t in read_tensors(arrays).items()})
    codec = chain.fit(dataset)
    write_tensors(arrays, {name: torch.from_numpy(a.copy()) for name, a in codec.to_arrays().items()})
    return recipe, codec


def lost(codec: Fitted, dataset: Dataset) -> float:
    """Share of the variance of frames that decoding their codes does not give back; 0 where codes are exact.

    Args:
        codec: of the data.
        dataset: what it was fitted on, of which some frames are looked at.
    """
    if not codec.mixes:
        return 0.0
    error, square = 0.0, 0.0
    for recording in dataset.recordings:
        frames = recording.values[:: max(1, len(recording) // _LOOKED_AT)].astype(np.float64)
        state = codec.state(frames[None])
        left = frames - codec.decode(codec.encode(frames[None], state), state)[0]
        mean, _ = moments(frames, (0, *range(2, frames.ndim)))
        seen = np.isfinite(left)
        error += float((left[seen] ** 2).sum())
        square += float(((frames - mean)[seen] ** 2).sum())
    return error / square if square > 0.0 else 0.0


def _with_values(recipe: Recipe, codec: Fitted) -> Recipe:
    """The recipe whose process of tokens knows how many its codec found."""
    if not isinstance(recipe.process, Masked):
        return recipe
    process = recipe.process.model_copy(update={"values": codec.values})
    return recipe.model_copy(update={"process": process})
