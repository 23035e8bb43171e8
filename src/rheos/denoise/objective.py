"""Denoising loss: E w_x(t) |K_t (E[u_0 | u_t] - u_0)|^2, K_t the metric of the coordinates (frame mixing).

Denoising score matching as in Ho et al. 2020, arXiv 2006.11239, and Karras et al. 2022, arXiv 2206.00364.
Every weight is stated on the data error; by the identities |eps error|^2 = SNR |data error|^2 and
|v error|^2 = (SNR + 1) |data error|^2 (variance preserving) it is a weight on any other prediction.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method, one_of
from rheos.core.time_field import expand, with_history_at
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.solver_error import SolverError
from rheos.denoise.time_sampler import TIME_SAMPLERS, Uniform
from rheos.denoise.times import TIMES, Shared
from rheos.process.process import Process, history_time

AnyTimeSampler: Any = one_of(TIME_SAMPLERS)
AnyTimes: Any = one_of(TIMES)


class Objective(Method):
    """Mean squared error of the denoiser in the coordinates the network sees.

    Attributes:
        time_sampler: law of each clip's time. Uniform times under a cosine schedule put log(sigma/alpha)
            on a bell around 0 with tails that reach both ends of the schedule, which suits data of unit
            variance.
        times: how the times of a clip's frames and variables go together.
        weight: "unit" on the network's raw output (1 / out^2 on data), "snr" (unit on noise),
            "min_snr" (min(SNR, gamma), arXiv 2303.09556), "p2" (SNR / (1 + SNR)^gamma, arXiv 2204.00227).
        gamma: cap of "min_snr" (published 5), exponent of "p2" (published 1).
        solver_error: a penalty on what few-step solvers cannot follow; none unless it has a weight.
        history_noise: largest q; clean history is shown as alpha_q c + sigma_q z at q = sigma / alpha uniform
            up to it, one a clip, and the network is told q as the level of those frames (conditioning
            augmentation, arXiv 2106.15282). So members may later continue from frames that are a little
            wrong.
        unconditional: probability that a clip is trained without being told its history, which is noisy like
            the rest of it: the law of whole clips, for guidance to lean on (1: TSDiff, arXiv 2307.11494, and
            GPD, arXiv 2406.02212; between: arXiv 2207.12598). Needs `process.history=diffused` and
            `anchor=none`; at 1 also `times=per_frame`, since a forecast then holds the history at t = 0.
    """

    kind: Literal["denoising"] = "denoising"
    time_sampler: AnyTimeSampler = Uniform()
    times: AnyTimes = Shared()
    weight: Literal["unit", "snr", "min_snr", "p2"] = "unit"
    gamma: float = Field(default=5.0, gt=0.0)
    solver_error: SolverError = SolverError()
    history_noise: float = Field(default=0.0, ge=0.0, le=10.0)
    unconditional: float = Field(default=0.0, ge=0.0, le=1.0)

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

    def __call__(
        self,
        denoiser: Denoiser,
        x0: Float[Tensor, "b f *features"],
        context: Context,
        key: Key,
        noise: Float[Tensor, "b f *features"] | None = None,
    ) -> Float[Tensor, " b"]:
        """Loss of each clip at a random time with random noise.

        The error is 0 on clean history, noisy or not, on clean frames and, by `context.mask`, on missing
        entries before K_t mixes it; its squared norm is divided by the number of the other entries.

        Args:
            denoiser: what is trained.
            x0: coded clips; missing entries may hold anything.
            context: of the clips.
            key: of the clips (its step tells training steps apart).
            noise: what belongs to each clip, where they are pairs (see `rheos.sample.pairs`); else it is
                drawn from the key.

        Raises:
            IncompatibleError: the process' coordinates need what the context does not have, or clips are to
                be trained without a history that is clean.
        """
        process = denoiser.process
        if self.unconditional > 0.0:
            context = self._unconditioned(process, context, key)
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
        u = process.diffuse(u0, at, z)
        mean = denoiser(u, at, context).mean
        observed = expand((t > 0.0).to(torch.float64), u0)
        if context.mask is not None:
            observed = observed * context.mask
        factor = expand(self.data_weight(denoiser, t).sqrt(), u0) * observed
        error = process.coordinates.metric(factor * (mean - u0), at, context)
        axes = tuple(range(1, u0.ndim))
        observed = observed.expand_as(u0)
        loss = error.square().sum(axes) / observed.sum(axes).clamp(min=1.0)
        if (strength := self.solver_error.strength(key.step)) == 0.0:
            return loss
        return loss + strength * self.solver_error(denoiser, u, mean, at, observed, context)

    def _unconditioned(self, process: Process, context: Context, key: Key) -> Context:
        """The context with the history of some clips hidden.

        Raises:
            IncompatibleError: the clips show it.
        """
        if process.history == "clean" and context.history_frames > 0:
            raise IncompatibleError(
                f"unconditional={self.unconditional:g} hides the history of clips, but with history='clean' "
                "they show it at t = 0; use history='diffused'."
            )
        return context.hidden(key.at(Purpose.AUGMENT, key.step).uniform(()) < self.unconditional)
