"""A denoiser of windows that shows finished frames to its causal network once, and remembers them.

D(u_k, t_k | finished frames) from keys and values of those, kept by the network: a call costs as much as the
frames under way, however far back they look. Right because to a causal network neither noise nor time
of later frames changes what it makes of a finished one.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.protocols import CausalNetwork, Posterior
from rheos.denoise.denoiser import Denoiser
from rheos.process.coordinates import Anchored, Composed, Coordinates, Identity


class Remembering(nn.Module):
    """Implements the Remembers protocol."""

    def __init__(self, denoiser: Denoiser) -> None:
        """Wrap a denoiser.

        Raises:
            IncompatibleError: its network is not causal, or its coordinates mix frames.
        """
        super().__init__()
        if not isinstance(denoiser.network, CausalNetwork):
            raise IncompatibleError(
                f"{type(denoiser.network).__name__} looks at finished frames anew in every call: only "
                "a causal network (network=causal) can remember them."
            )
        if not frame_by_frame(denoiser.process.coordinates):
            raise IncompatibleError(
                f"coordinates {denoiser.process.coordinates.name()!r} show a finished frame differently once "
                "others follow, so it cannot be remembered: use process=plain."
            )
        self.denoiser = denoiser
        self.process = denoiser.process
        self._network: CausalNetwork = denoiser.network
        self._memory: Any = None

    def remember(self, u: Tensor, context: Context, *, anew: bool) -> None:
        """Show the network the last finished frame, or all of them: one call of it."""
        known = context.history_frames
        first = 0 if anew else known - 1
        part = context.frames(first, known)
        clean = torch.zeros(1, known - first, dtype=torch.float64)
        row = self.denoiser.row(clean, u[:, first:known])
        seen = self.denoiser.shown(u[:, first:known], row, part)
        self._memory = self._network.remember(seen, row.level, part, None if anew else self._memory)

    def forward(self, u: Tensor, t: Tensor, context: Context) -> Posterior:
        """The posterior mean of u_0; finished frames are their own.

        Raises:
            IncompatibleError: nothing was remembered yet.
        """
        if self._memory is None:
            raise IncompatibleError("a remembering denoiser is shown finished frames first: call remember().")
        known = context.history_frames
        part = context.frames(known, u.shape[1])
        late, times = u[:, known:], t[:, known:] if t.ndim > 1 else t
        answer = partial(self._network.answer, memory=self._memory)
        mean = self.denoiser.answer(late, self.denoiser.row(times, late), part, answer)
        return Posterior(torch.cat((u[:, :known], mean), 1))


def frame_by_frame(coordinates: Coordinates) -> bool:
    """Whether a frame of the seen clip is made of that frame of the canonical one alone, at any time."""
    parts = coordinates.parts if isinstance(coordinates, Composed) else (coordinates,)
    return all(isinstance(part, Identity | Anchored) for part in parts)
