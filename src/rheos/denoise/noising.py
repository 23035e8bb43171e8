"""What objectives of denoisers share: clips at random times under random noise, and the weight of an error.

Every weight is stated on the data error; by the identities |eps error|^2 = SNR |data error|^2 and
|v error|^2 = (SNR + 1) |data error|^2 (variance preserving) it is a weight on any other prediction.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method, one_of
from rheos.core.time_field import expand, with_history_at
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.time_sampler import TIME_SAMPLERS, Uniform
from rheos.denoise.times import TIMES, Shared
from rheos.process.process import history_time

AnyTimeSampler: Any = one_of(TIME_SAMPLERS)
AnyTimes: Any = one_of(TIMES)


@dataclass(frozen=True, slots=True)
class Noised:
    """Canonical clips `(b, f, *features)` and what a denoiser is shown of them.

    Attributes:
        clean: u_0.
        noise: z.
        u: u_t.
        t: time field, 0 on clean history, noisy or not.
        at: time field of `u`, which tells how noisy that history is.
        observed: 1 where an error counts, of the clips' shape.
        context: of the clips, its history as it is shown.
    """

    clean: Tensor
    noise: Tensor
    u: Tensor
    t: Tensor
    at: Tensor
    observed: Tensor
    context: Context

    def rows(self, index: Tensor) -> "Noised":
        """Some of the clips, by their numbers on the CPU."""
        there = index.to(self.u.device)
        return Noised(
            clean=self.clean[there],
            noise=self.noise[there],
            u=self.u[there],
            t=self.t[index],
            at=self.at[index],
            observed=self.observed[there],
            context=self.context.rows(there),
        )


class Noising(Method):
    """Base of the objectives that show a denoiser clips under noise.

    Attributes:
        time_sampler: law of each clip's time. Uniform times under a cosine schedule put log(sigma/alpha)
            on a bell around 0 with tails that reach both ends of the schedule, which suits data of unit
            variance.
        times: how the times of a clip's frames and variables go together.
        weight: "unit" on the network's raw output (1 / out^2 on data), "snr" (unit on noise),
            "min_snr" (min(SNR, gamma), arXiv 2303.09556), "p2" (SNR / (1 + SNR)^gamma, arXiv 2204.00227).
        gamma: cap of "min_snr" (published 5), exponent of "p2" (published 1).
        history_noise: largest q; clean history is shown as alpha_q c + sigma_q z at q = sigma / alpha uniform
            up to it, one a clip, and the network is told q as the level of those frames (conditioning
            augmentation, arXiv 2106.15282). So members may later continue from frames that are a little
            wrong.
    """

    time_sampler: AnyTimeSampler = Uniform()
    times: AnyTimes = Shared()
    weight: Literal["unit", "snr", "min_snr", "p2"] = "unit"
    gamma: float = Field(default=5.0, gt=0.0)
    history_noise: float = Field(default=0.0, ge=0.0, le=10.0)

    def data_weight(self, denoiser: Denoiser, t: Tensor) -> Tensor:
        """w_x(t), the weight on the squared data error; 0 where t = 0.

        Args:
            denoiser: its schedule, and for "unit" what its output means.
            t: time field, float64 on the CPU, any shape.
        """
        snr = torch.exp(denoiser.process.schedule.log_snr(t))
        match self.weight:
            case "unit":
                weight = denoiser.coefficients(t).out ** -2
            case "snr":
                weight = snr
            case "min_snr":
                weight = snr.clamp(max=self.gamma)
            case "p2":
                weight = snr / (1.0 + snr) ** self.gamma
        return torch.where(t > 0.0, weight, 0.0)

    def noised(
        self,
        denoiser: Denoiser,
        x0: Float[Tensor, "b f *features"],
        context: Context,
        key: Key,
        noise: Float[Tensor, "b f *features"] | None = None,
    ) -> Noised:
        """Clips at random times with random noise.

        Errors count nowhere on clean history, noisy or not, on clean frames and, by `context.counts`, on
        missing entries.

        Args:
            denoiser: what is trained.
            x0: coded clips; missing entries may hold anything.
            context: of the clips.
            key: of the clips (its step tells training steps apart).
            noise: what belongs to each clip, where they are pairs (see `rheos.sample.pairs`); else it is
                drawn from the key.

        Raises:
            IncompatibleError: the process' coordinates need what the context does not have.
        """
        process = denoiser.process
        u0 = process.canonical(x0, context)
        drawn = self.times(self.time_sampler, process.schedule, (*u0.shape,), key, context.groups)
        # What sampling shows of the history must not touch training: it has its own law of q.
        t = process.model_copy(update={"history_noise": 0.0}).field(drawn, u0.shape[1], context)
        z = noise
        if z is None:
            of_step = key.at(Purpose.NOISE, key.step)
            z = process.noise.draw(of_step, u0.shape[1:], context, u0.dtype, u0.device)
        at = t
        if self.history_noise > 0.0 and process.history == "clean" and context.history_frames > 0:
            q = self.history_noise * key.at(Purpose.AUGMENT, key.step).uniform(())
            at = with_history_at(history_time(process.schedule, q), t, context.history_frames, u0.shape[1])
            context = process.with_history(context, process.diffuse(u0, at, z))
        observed = expand((t > 0.0).to(torch.float64), u0) * context.counts(u0)
        return Noised(u0, z, process.diffuse(u0, at, z), t, at, observed, context)

    def cost(
        self, denoiser: Denoiser, shown: Noised, error: Float[Tensor, "b f *features"]
    ) -> Float[Tensor, " b"]:
        """w_x(t) |K_t e|^2 of each clip, over the number of entries that count.

        Args:
            denoiser: what is trained.
            shown: what it was shown.
            error: e, of its answers for u_0; 0 where it does not count, before K_t mixes it.
        """
        factor = expand(self.data_weight(denoiser, shown.t).sqrt(), error) * shown.observed
        costs = denoiser.process.coordinates.metric(factor * error, shown.at, shown.context)
        axes = tuple(range(1, error.ndim))
        return costs.square().sum(axes) / shown.observed.sum(axes).clamp(min=1.0)
