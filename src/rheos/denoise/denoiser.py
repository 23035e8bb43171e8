"""The denoiser: a network, told what its input and output mean, answers for u_0 given u_t."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.protocols import Posterior
from rheos.core.time_field import clip_level, expand, per_frame
from rheos.denoise.prediction import (
    Coefficients,
    Prediction,
    check_prediction,
    coefficients,
    input_scale,
)
from rheos.process.process import Process


class Denoiser(nn.Module):
    """E[u_0 | u_t] from any module called as `module(x, level, context)`.

    The network sees `C_t(c_in u)`, unit-variance data in the process' coordinates, and the level
    log(alpha^2 / sigma^2) of each frame; its output is read in canonical coordinates by the conversion
    table of :mod:`rheos.denoise.prediction`. Clean entries (t = 0) come back as they are.
    """

    def __init__(
        self,
        network: nn.Module,
        process: Process,
        prediction: Prediction = "preconditioned",
        sigma_data: float = 1.0,
    ) -> None:
        """Wrap a network.

        Args:
            network: maps a clip `(b, f, *features)`, its level `(b, f)` and context to the clip's shape.
            process: what the clip's noise and coordinates are.
            prediction: what the network's output means.
            sigma_data: standard deviation of canonical data.

        Raises:
            IncompatibleError: the prediction divides by a signal that vanishes where generation starts, or
                is the score of noise that is not white.
            InputError: sigma_data is not positive.
        """
        super().__init__()
        check_prediction(prediction, process)
        if not sigma_data > 0.0:
            raise InputError(f"sigma_data is {sigma_data}, but a standard deviation is above 0.")
        self.network = network
        self.process = process
        self.prediction: Prediction = prediction
        self.sigma_data = sigma_data

    def coefficients(self, t: Tensor) -> Coefficients:
        """The conversion table's row at a time field."""
        return coefficients(self.prediction, self.process.schedule, t, self.sigma_data)

    def raw(
        self, u: Float[Tensor, "b f *features"], t: Tensor, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """The network's own output."""
        schedule = self.process.schedule
        scaled = expand(input_scale(schedule, t, self.sigma_data), u) * u
        level = clip_level(schedule.log_snr(per_frame(t, u.shape[0], u.shape[1])))
        seen = self.process.coordinates.to_seen(scaled, t, context)
        output: Tensor = self.network(seen, level.to(dtype=u.dtype, device=u.device), context)
        return output

    def forward(
        self, u: Float[Tensor, "b f *features"], t: Tensor, context: Context | None = None
    ) -> Posterior:
        """The posterior mean of u_0.

        Args:
            u: canonical clip u_t.
            t: time field, float64 on the CPU.
            context: what else is known.

        Raises:
            IncompatibleError: `t` does not lead the clip's shape.
        """
        row = self.coefficients(t)
        output = self.raw(u, t, context if context is not None else Context())
        return Posterior(mean=torch.addcmul(expand(row.skip, u) * u, expand(row.out, u), output))
