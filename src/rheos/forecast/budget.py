"""Memory: known before the start, bounded by what the user allows."""

import numpy as np

from rheos.core.errors import InputError
from rheos.core.sizes import read_bytes
from rheos.forecast.model import FittedModel
from rheos.forecast.store import Frame

_ACTIVATIONS = 48  # numbers kept at once for every entry of a block, by measurement on both backbones


def needed(model: FittedModel, frame: Frame, space: tuple[int, ...], in_memory: bool) -> int:
    """Bytes that a forecast takes: one block in the network, and the whole result if kept in memory."""
    recipe = model.recipe
    raw = recipe.window.frames * len(model.layout.channels) * int(np.prod(space))
    clip = recipe.window.frames * int(np.prod(model.codec.features((len(model.layout.channels), *space))))
    width = max(getattr(recipe.network, "width", 0), _ACTIVATIONS)
    # Decoding holds two copies of a block, which are small beside the network's unless codes are few.
    block = max(4 * recipe.block * clip * width, 16 * recipe.block * raw)
    result = 4 * int(np.prod(frame.shape(space))) * len(frame.layout.channels) if in_memory else 0
    return block + result


def check_memory(
    model: FittedModel, frame: Frame, space: tuple[int, ...], allowed: str | float | None, in_memory: bool
) -> None:
    """Refuse, before any work, a forecast that would not fit.

    Raises:
        InputError: it needs more than `allowed`.
    """
    if allowed is None:
        return
    need, limit = needed(model, frame, space, in_memory), read_bytes(allowed)
    if need > limit:
        raise InputError(
            f"this forecast needs about {need / 2**20:.0f} MiB, more than --memory {allowed}; "
            + ("write it to a store with --out." if in_memory else "allow more, or fit with a smaller block.")
        )
