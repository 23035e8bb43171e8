"""log mean_ij exp(-|h_i - h_j|^2 / m), m the largest of the batch: features of different clips keep apart.

The dispersive loss of Wang, He 2025 (arXiv 2506.09027), in the form of MP1 (Sheng et al. 2025, arXiv
2507.10543), which is added to MeanFlow's: no pair is drawn together, and no scale of features is preferred.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.errors import IncompatibleError


def dispersion(features: Tensor, clips: int) -> Float[Tensor, ""]:
    """0 where all clips have the same features, the lower the further they are apart.

    Args:
        features: of some stage of a network, `(clips * n, ...)`, those of a clip following each other.
        clips: of the batch.
    """
    flat = features.reshape(clips, -1)
    distance = torch.cdist(flat, flat).square()
    largest = distance.amax()
    # One clip, or an untrained network that treats all alike, has nothing to keep apart.
    distance = distance / torch.where(largest > 0.0, largest, 1.0)
    return torch.logsumexp(-distance.flatten(), 0) - 2.0 * math.log(clips)


@contextmanager
def recorded(network: nn.Module, wanted: bool) -> Iterator[list[Tensor]]:
    """The features that a network's stages give during one call, in their order.

    Args:
        network: its `stages` are the modules that give features, alone or first of several.
        wanted: whether to look.

    Raises:
        IncompatibleError: the network has no stages.
    """
    found: list[Tensor] = []
    if not wanted:
        yield found
        return
    stages = getattr(network, "stages", None)
    if stages is None:
        raise IncompatibleError(
            f"the dispersive loss keeps hidden features apart, but {type(network).__name__} shows none: let "
            "it have stages, its inner modules, or use objective.dispersive=0."
        )

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    handles = [stage.register_forward_hook(keep) for stage in stages]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
