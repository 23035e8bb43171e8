"""w_x(t) |K_t (X(u_t, t, s) - target)|^2: what the objectives of flow maps share.

X(u_t, t, t) is learned as any denoiser is, its target u_0: flow matching's boundary term, without which
the identities have solutions that are no flow, such as X = u_t / (alpha_t + sigma_t), which never moves.
For s < t the target is what an identity of the flow says of X, by the map as it stands, a constant to the
gradient.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.denoise.dispersion import dispersion, recorded
from rheos.denoise.euler import share, time_of
from rheos.denoise.flow_map import FlowMap
from rheos.denoise.noising import Noised, Noising


class FlowObjective(Noising, ABC):
    """Base of the objectives of flow maps.

    Attributes:
        boundary: share of the clips that are trained on as a denoiser's.
        whole: of the others, the share whose step ends at the data; where it ends elsewhere, what is left
            of the linear path's time is uniform.
        adaptive: p; each clip's loss l is divided by its own (l + 1e-3)^p, a constant to the gradient
            (published 1, MP1 1/2); 0 keeps the mean where the data's errors have heavy tails.
        dispersive: weight of the dispersive loss, which keeps apart what clips become inside the network
            (MP1 1/2); 0 for none.
    """

    boundary: float = Field(default=0.5, gt=0.0, le=1.0)
    whole: float = Field(default=0.3, ge=0.0, le=1.0)
    adaptive: float = Field(default=0.0, ge=0.0, le=1.0)
    dispersive: float = Field(default=0.0, ge=0.0)

    @abstractmethod
    def target(
        self, flow: FlowMap, shown: Noised, s: Tensor, mean: Float[Tensor, "b f *features"], cut: Tensor
    ) -> Float[Tensor, "b f *features"]:
        """What X(u_t, t, s) should be; called without gradients.

        Args:
            flow: as it stands.
            shown: clips at times `shown.at`.
            s: time field where their steps end, below that on entries that are not clean.
            mean: X(u_t, t, s) as it stands.
            cut: a uniform number of each clip `(b)`, for an identity that cuts intervals.
        """

    def ends(self, flow: FlowMap, shown: Noised, coins: Tensor) -> tuple[Tensor, Tensor]:
        """Time field where each clip's step ends, and which clips `(b)` have one that goes anywhere.

        Args:
            flow: whose schedule tells noise.
            shown: clips at their times.
            coins: three uniform numbers of each, `(b, 3)`.
        """
        schedule = flow.process.schedule
        goes, whole = coins[:, 0] >= self.boundary, coins[:, 1] < self.whole
        left = torch.where(whole, 0.0, coins[:, 2])
        left = left.reshape(-1, *(1 for _ in shown.t.shape[1:]))
        ends = time_of(schedule, left * share(schedule, shown.t))
        moves = (shown.t > 0.0) & goes.reshape(left.shape)
        return torch.where(moves, ends, shown.at), goes

    def __call__(
        self,
        flow: FlowMap,
        x0: Float[Tensor, "b f *features"],
        context: Context,
        key: Key,
        noise: Float[Tensor, "b f *features"] | None = None,
    ) -> Float[Tensor, " b"]:
        """Loss of each clip over a random interval with random noise; arguments as for `Objective`.

        Raises:
            IncompatibleError: the network shows no hidden features to disperse, or as for `Objective`.
        """
        shown = self.noised(flow, x0, context, key, noise)
        coins = key.at(Purpose.INTERVAL, key.step).uniform((4,))
        s, goes = self.ends(flow, shown, coins[:, :3])
        with recorded(flow.network, self.dispersive > 0.0) as features:
            mean = flow.mean(shown.u, shown.at, s, shown.context)
        target = shown.clean.clone()
        rows = goes.nonzero()[:, 0]
        if len(rows):
            with torch.no_grad():
                some = shown.rows(rows)
                target[rows] = self.target(flow, some, s[rows], mean[rows], coins[rows, 3]).to(target)
        loss = self.cost(flow, shown, mean - target)
        if self.adaptive > 0.0:
            loss = loss / (loss.detach() + 1e-3) ** self.adaptive
        if self.dispersive > 0.0:
            loss = loss + self.dispersive * sum(dispersion(each, len(x0)) for each in features)
        return loss
