"""Extrapolation of pysteps: R(x, t + h) = R(departure point of x after h steps, t), h = 1, 2, ...

The last field goes along the motion without a change, semi-Lagrangian and backward in time: Germann and
Zawadzki, "Scale-dependence of the predictability of precipitation from continental radar images. Part I",
MWR 2002.
"""

from typing import Literal

import numpy as np

from rheos.baseline.peer.rain import HANDLING, RainPeer


class Extrapolation(RainPeer):
    """The last radar field along its motion (pysteps), one forecast: its members are all the same."""

    kind: Literal["extrapolation"] = "extrapolation"

    @property
    def limits(self) -> str:
        """The limits it is run under, in one line."""
        return (
            f"motion by Lucas-Kanade from the last {self.frames} frames in dB, library defaults; one "
            f"forecast, so its CRPS is its mean absolute error; {HANDLING}"
        )

    def members(
        self,
        seen: np.ndarray,
        velocity: np.ndarray,
        size: tuple[int, int],
        steps: tuple[float, float],
        seed: int,
    ) -> np.ndarray:
        """See :class:`RainPeer`."""
        from pysteps.nowcasts import get_method

        ahead = get_method("extrapolation")(seen[-1], velocity, size[1])
        return np.broadcast_to(ahead, (size[0], *ahead.shape))
