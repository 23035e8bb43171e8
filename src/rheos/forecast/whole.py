"""p(future | history) from a law of whole clips: the history held at t = 0 while the future is drawn.

For models trained with `objective.unconditional=1` and a time for each frame, which are told no history but
know what frames at t = 0 are: in-painting by known entries (FVDM, arXiv 2410.03160).
"""

from dataclasses import replace

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.scope import Scope


def with_history_held(clip: Tensor, context: Context) -> Context:
    """The context that hides the history and gives it as known entries.

    Args:
        clip: of b windows `(b, P + S, channels, ...)`, their history first.
        context: of these windows.
    """
    frames, channels = clip.shape[1:3]
    given = torch.zeros(frames, channels, dtype=torch.bool)
    given[: context.history_frames] = True
    return replace(context.hidden(), observation=clip, scope=Scope.of(frames, channels, given=given))
