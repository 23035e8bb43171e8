"""The denoiser: a network, told what its input and output mean, answers for u_0 given u_t."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.protocols import Network, Posterior
from rheos.core.time_field import Kind, Times
from rheos.denoise.prediction import (
    Coefficients,
    Prediction,
    check_prediction,
    coefficients,
)
from rheos.denoise.row import Row, rows, rows_at
from rheos.process.process import Process


class Denoiser(nn.Module):
    """E[u_0 | u_t] from any module called as `module(x, level, context)`.

    The network sees `C_t(c_in u)`, unit-variance data in the process' coordinates, and the level
    log(alpha^2 / sigma^2) of each frame, or of each of its channels where it declares `channel_levels`; its
    output is read in canonical coordinates by the conversion table of :mod:`rheos.denoise.prediction`. Clean
    entries (t = 0) come back as they are.
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

    def row(self, t: Tensor, like: Float[Tensor, "b f *features"]) -> Row:
        """The coefficients of clips at a time field."""
        return rows(self.prediction, self.process, self.sigma_data, t[None], like, self.by_channel)[0]

    @property
    def by_channel(self) -> bool:
        """Whether the network declares, by `channel_levels`, to be told the level of every channel."""
        return bool(getattr(self.network, "channel_levels", False))

    def shown(
        self, u: Float[Tensor, "b f *features"], row: Row, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """The clip as the network sees it."""
        return row.seen(u if row.scale is None else row.scale * u, context)

    def answer(
        self,
        u: Float[Tensor, "b f *features"],
        row: Row,
        context: Context,
        network: Network | None = None,
    ) -> Float[Tensor, "b f *features"]:
        """The mean of u_0 by the network's answer: at most three operations and what C_t takes.

        Args:
            u: canonical clip u_t.
            row: the coefficients at t.
            context: what else is known.
            network: answers in the place of the denoiser's own, if given.
        """
        output: Tensor = (network or self.network)(self.shown(u, row, context), row.level, context)
        return output if row.mean is None else torch.addcmul(row.mean[0] * u, row.mean[1], output)

    def at(self, times: Times, like: Float[Tensor, "b f *features"]) -> "AtTimes":
        """This denoiser with what follows from the times of a grid computed beforehand.

        Args:
            times: what it will be asked about.
            like: a clip, whose shape, dtype and device those to come have.
        """
        kind = Kind.of(like)
        rows = rows_at(self.prediction, self.process, self.sigma_data, times, kind, self.by_channel)
        return AtTimes(self, times.fields, rows)

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
        return Posterior(self.answer(u, self.row(t, u), Context() if context is None else context))


class AtTimes:
    """A denoiser that computes no coefficient, moves nothing and waits for nothing at times it knows."""

    def __init__(self, denoiser: Denoiser, fields: Sequence[Tensor], rows: Mapping[int, Row]) -> None:
        """See :meth:`Denoiser.at`."""
        self._denoiser = denoiser
        # Held, so that no other field gets the place of one of these: rows are found by identity.
        self._fields = tuple(fields)
        self._rows = rows

    def rows(self, part: slice, fields: Sequence[Tensor]) -> "AtTimes":
        """The same for some of the clips: views, no coefficient is computed again.

        Args:
            part: which clips.
            fields: these clips' rows of the times it knows, in their order, as it will be asked about them.
        """
        pairs = zip(self._fields, fields, strict=True)
        return AtTimes(
            self._denoiser, fields, {id(field): self._rows[id(own)].rows(part) for own, field in pairs}
        )

    def __call__(self, u: Tensor, t: Tensor, context: Context) -> Posterior:
        """The posterior mean of u_0; at other times by the denoiser itself."""
        row = self._rows.get(id(t))
        if row is None:
            posterior: Posterior = self._denoiser(u, t, context)
            return posterior
        return Posterior(self._denoiser.answer(u, row, context))
