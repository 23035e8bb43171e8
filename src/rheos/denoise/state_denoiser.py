"""E[x_0 | state] for processes that have a linear face only, state = A x_0 + B z with the clip as part 0.

The score is K A E[x_0 | state] - K state, K = (B B')^-1. Where noise acts on the last part alone, that row of
it is all that sampling needs, and the row is -E[z_v | state] / B_vv: what networks are trained for in hybrid
score matching (Dockhorn, Vahdat, Kreis 2021, arXiv 2112.07068). Either answer gives the other.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.protocols import Posterior
from rheos.core.time_field import clip_level, expand, per_frame
from rheos.process.linear_face import LinearFace

StatePrediction = Literal["preconditioned", "noise"]


class StateDenoiser(nn.Module):
    """E[x_0 | state] from any module called as `module(x, level, context)` on states.

    The network sees the state with every part scaled to unit variance and the level of its first part. Of its
    output, of the state's shape, the last part is read: as z_v where `prediction` is "noise", and where it is
    "preconditioned" as what the best linear guess leaves of x_0, in units of its deviation.
    """

    def __init__(
        self,
        network: nn.Module,
        process: LinearFace,
        prediction: StatePrediction = "preconditioned",
        sigma_data: float = 1.0,
    ) -> None:
        """Wrap a network.

        Args:
            network: maps a state, its level `(b, f)` and context to the state's shape.
            process: how a clip becomes a state.
            prediction: what the network's output means.
            sigma_data: standard deviation of clips.

        Raises:
            IncompatibleError: the process has more than its linear face.
            InputError: sigma_data is not positive.
        """
        super().__init__()
        if not isinstance(process, LinearFace):
            raise IncompatibleError(
                f"process {type(process).__name__} has alpha(t) and sigma(t), so its states are clips "
                "alone: use rheos.Denoiser."
            )
        if not sigma_data > 0.0:
            raise InputError(f"sigma_data is {sigma_data}, but a standard deviation is above 0.")
        self.network = network
        self.process = process
        self.prediction: StatePrediction = prediction
        self.sigma_data = sigma_data

    def forward(
        self, state: Float[Tensor, "b f k *space"], t: Tensor, context: Context | None = None
    ) -> Posterior:
        """The posterior mean of the clip, `(b, f, channel, *space)`; clean frames come back as they are.

        Args:
            state: of the process.
            t: time field `()`, `(b)` or `(b, f)`, float64 on the CPU.
            context: what else is known.
        """
        known = self.process.operators(t)
        parts = self.process.split(state)
        variance = (self.sigma_data * known.a) ** 2 + known.b.square().sum(-1)
        scaled = torch.cat(
            [expand(v.rsqrt(), x) * x for v, x in zip(variance.unbind(-1), parts, strict=True)], 2
        )
        level = clip_level(self.process.level(per_frame(t, *state.shape[:2])))
        output = self.network(scaled, level.to(state), context if context is not None else Context())
        raw = self.process.split(output)[-1]
        gain, out = self.reading(t)
        mean = expand(out, raw) * raw
        for weight, part in zip(gain.unbind(-1), parts, strict=True):
            mean = mean + expand(weight, part) * part
        return Posterior(mean=mean)

    def reading(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of the parts `(*field, parts)` and of the raw output `(*field)` in the mean; float64.

        Of Gaussian clips the preconditioned guess is exact alone, and `out` the deviation of its error.
        """
        known = self.process.operators(t)
        first = torch.eye(self.process.parts, dtype=torch.float64)[0]
        if self.prediction == "preconditioned":
            signal = self.sigma_data * known.a
            law = signal[..., :, None] * signal[..., None, :] + known.b @ known.b.mT
            gain = self.sigma_data * torch.linalg.solve(law, signal)
            left = (1.0 - (gain * known.a).sum(-1)).clamp(min=0.0)
            out = self.sigma_data * left.sqrt()
        else:
            # -z_v / B_vv = (K A)_v mean - (K state)_v, solved for the mean.
            signal, precision = self.process.pull(t)
            share = torch.where(t == 0, 1.0, signal[..., -1])
            gain = precision[..., -1, :] / share[..., None]
            out = -1.0 / (share * known.b[..., -1, -1])
        clean = t == 0
        return torch.where(clean[..., None], first, gain), torch.where(clean, 0.0, out)
