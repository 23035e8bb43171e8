"""x_a = y_i + h z: one of the clips at hand, drawn at random, and a cloud about it: a smoothed bootstrap.

Silverman and Young 1987, "The bootstrap: to smooth or not to smooth?", Biometrika 74. Of clips that are the
errors of a forecast in the past it is that forecast dressed by them: Roulston and Smith 2003, "Combining
dynamical and statistical ensembles", Tellus A 55. The cloud makes a density of the clips, without which a
flow could lead from each of them to one place only.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose


@dataclass(frozen=True, slots=True)
class Resampled:
    """A law of clips by clips that are of it; it knows nothing of any history.

    Attributes:
        clips: `(n, S, *features)`, future frames in canonical coordinates.
        cloud: h, the deviation about each of them.
    """

    clips: Tensor
    cloud: float

    def draw(
        self, key: Key, context: Context, dtype: torch.dtype, device: torch.device | str
    ) -> Float[Tensor, "rows f *features"]:
        """Clips of the law, their history frames 0.

        Args:
            key: one row a clip; its BOOTSTRAP stream says which, its START stream is the cloud.
            context: says how many frames are history.
            dtype: of the clips.
            device: of the clips.
        """
        number = key.at(Purpose.BOOTSTRAP, key.step).integers(len(self.clips), 1)[:, 0]
        z = key.at(Purpose.START, key.step).normal(self.clips.shape[1:], dtype, device)
        drawn = self.clips.to(device, dtype)[number.to(device)] + self.cloud * z
        return torch.cat((drawn.new_zeros(len(drawn), context.history_frames, *drawn.shape[2:]), drawn), 1)
