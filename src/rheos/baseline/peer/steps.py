"""STEPS of pysteps: a cascade of scales, each an AR(2) along the motion, stirred by noise like the rain.

    X_k(t + 1) = phi_k1 X_k(t) + phi_k2 X_k(t - 1) + phi_k0 eps_k

The motion is perturbed too, and each member's distribution is matched to the last field's: Bowler, Pierce and
Seed, "STEPS: a probabilistic precipitation forecasting scheme which merges an extrapolation nowcast with
downscaled NWP", QJRMS 2006; Seed, Pierce and Norman, WRR 2013.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from rheos.baseline.peer.rain import FAINTEST_DB, HANDLING, RainPeer


class Steps(RainPeer):
    """Short-term ensemble prediction of rain by a stochastic cascade (pysteps).

    Attributes:
        levels: most scales of the cascade, fewer on small fields.
    """

    kind: Literal["steps"] = "steps"
    levels: int = Field(default=6, ge=2)

    @property
    def limits(self) -> str:
        """The limits it is run under, in one line."""
        return (
            f"motion by Lucas-Kanade from the last {self.frames} frames in dB, AR(2), {self.levels} cascade "
            "levels, library defaults otherwise (nonparametric noise, perturbed motion, incremental mask, "
            f"matched distribution); {HANDLING}"
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

        made = get_method("steps")(
            seen[-3:],
            velocity,
            size[1],
            n_ens_members=size[0],
            n_cascade_levels=self.levels,
            precip_thr=FAINTEST_DB,
            timestep=steps[0],
            kmperpixel=steps[1],
            seed=seed,
        )
        return np.asarray(made)
