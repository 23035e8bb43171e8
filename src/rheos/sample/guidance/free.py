"""D_w = (1 + w) D(x_t, y, t, 0) - w D(x_t, z, t, t_max): guidance from a denoiser with a time for each group.

Classifier-free guidance (Ho, Salimans 2022, arXiv 2207.12598) without training for it: what is given, or the
other groups, put at t_max say nothing, so the same network is its own unconditional one (Bao et al. 2023,
UniDiffuser, arXiv 2303.06555, section 3.3). Noise prediction is linear in D, so its formula is D's. Guided
clips follow another law than the data: nearer to what y makes likelier, and narrower.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.core.protocols import Denoise, Posterior
from rheos.core.time_field import expand
from rheos.process import Process
from rheos.sample.sample import process_of

_OWN_STEP = 1  # of the key's AUGMENT stream, whose first step blurs histories


class FreeGuidance(nn.Module):
    """Leans each group that is drawn on those that are given, or, where none is, on the others.

    A call costs one more of the denoiser where the context's scope gives something, else one more for
    every group of variables. The noise that stands for what says nothing is drawn once a clip, so that
    solvers of several steps see one and the same denoiser.
    """

    def __init__(
        self, denoise: Denoise, key: Key, weight: float = 1.0, process: Process | None = None
    ) -> None:
        """Wrap a denoiser trained with `objective.times=per_group`, or an exact one.

        Args:
            denoise: what is asked.
            key: of the clips, the same as for `sample`.
            weight: w, 0 for no guidance.
            process: may be left out where `denoise` has it as `.process`.

        Raises:
            InputError: the weight is negative, or there is no process.
        """
        super().__init__()
        if not weight >= 0.0:
            raise InputError(f"weight={weight}, but guidance has a weight of at least 0.")
        self.denoise = denoise
        self.process = process_of(denoise, process)
        self.weight = weight
        self._key = key

    def forward(self, u: Tensor, t: Tensor, context: Context) -> Posterior:
        """The guided mean; entries at t = 0 come back as they are."""
        mean = self.denoise(u, t, context).mean
        if self.weight == 0.0:
            return Posterior(mean)
        noise, field = self._noise(u, context), t.reshape(t.shape + (1,) * (3 - t.ndim))
        guided = mean
        for silent, answers in self._contrasts(u, context):
            there = torch.where(silent.cpu(), self.process.schedule.t_max, field)
            alone = self.denoise(torch.where(expand(silent, u).bool(), noise, u), there, context).mean
            leaning = torch.lerp(alone, mean, 1.0 + self.weight)
            guided = torch.where(expand(answers, u).bool(), leaning, guided)
        return Posterior(torch.where(expand((t == 0).to(torch.float64), u).bool(), mean, guided))

    def _contrasts(self, u: Tensor, context: Context) -> list[tuple[Tensor, Tensor]]:
        """What is silenced, and whose answers that changes: bool `(1, frames, channels)` each."""
        frames, channels = u.shape[1:3]
        ahead = torch.ones(1, frames, channels, dtype=torch.bool, device=u.device)
        if self.process.history == "clean":
            ahead[:, : context.history_frames] = False
        if context.scope is not None and context.scope.gives:
            given = torch.tensor(context.scope.given, device=u.device) & ahead
            return [(given, ahead & ~given)]
        groups = torch.tensor(context.groups or range(channels), device=u.device)
        return [(ahead & (groups != group), ahead & (groups == group)) for group in groups.unique()]

    def _noise(self, u: Tensor, context: Context) -> Tensor:
        """A clip at t_max of which no data are known."""
        schedule = self.process.schedule
        largest = float(schedule.sigma(torch.tensor(schedule.t_max, dtype=torch.float64)))
        key = self._key.to(u.device).at(Purpose.AUGMENT, _OWN_STEP)
        return largest * self.process.noise.draw(key, u.shape[1:], context, u.dtype, u.device)


class Free(Method):
    """Clips that lean on what is given, or each group of variables on the others; no training for it.

    For a denoiser trained with `times=per_group`, or an exact one: `Free(weight=2).guide(denoiser, key)` goes
    into :func:`rheos.sample.sample` in its place.

    Attributes:
        weight: w, 0 for no guidance.
    """

    kind: Literal["free"] = "free"
    weight: float = Field(default=1.0, ge=0.0)

    def guide(self, denoise: Denoise, key: Key, process: Process | None = None) -> FreeGuidance:
        """The guided denoiser; see :class:`FreeGuidance`."""
        return FreeGuidance(denoise, key, self.weight, process)
