"""Memory: known before the start, bounded by what the user allows."""

import re

import numpy as np

from rheos.core.errors import InputError
from rheos.forecast.model import FittedModel
from rheos.forecast.store import Frame

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_ACTIVATIONS = 48  # numbers kept at once for every entry of a block, by measurement on both backbones


def read_bytes(text: str | float) -> int:
    """A size: "2GB", "512M", or a number of bytes.

    Raises:
        InputError: it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMGT]?)i?B?\s*", str(text), re.IGNORECASE)
    if not match:
        raise InputError(f"memory={text!r} is not a size such as 2GB or 512MB.")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def needed(model: FittedModel, frame: Frame, space: tuple[int, ...], in_memory: bool) -> int:
    """Bytes that a forecast takes: one block in the network, and the whole result if kept in memory."""
    recipe = model.recipe
    clip = recipe.window.frames * len(model.layout.channels) * int(np.prod(space))
    width = max(getattr(recipe.network, "width", 0), _ACTIVATIONS)
    block = 4 * recipe.block * clip * width
    result = 4 * int(np.prod(frame.shape(space))) * len(model.layout.channels) if in_memory else 0
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
