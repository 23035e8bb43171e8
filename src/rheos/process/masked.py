"""x_t holds each token of x_0 with probability alpha(t) = 1 - t^power, else the mask.

Masked diffusion: Sahoo et al. 2024, arXiv 2406.07524. A token is hidden from one time on, w^(1/power) with w
uniform in (0, 1), which knows nothing of the data and of the other tokens; so t says no more of what is
hidden than what is shown does, and generated clips have one law for every power (Zheng et al. 2024,
arXiv 2409.02908).
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NoReturn

import torch
from jaxtyping import Float, Float64, Int64
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.method import Method

MASK = 0
"""The token that says nothing: hidden, or missing. Values are the tokens 1, 2, ..."""


class Masked(Method):
    """Whole numbers hidden one by one: masked diffusion of tokens.

    Clips are whole numbers 1 to K, their clean history is never hidden, and what is missing stays hidden.

    Attributes:
        values: K, how many values a token takes: one number for all channels or one a channel. Empty in a
            recipe, which takes what its codec finds.
        power: tokens are hidden at w^(1/power), w uniform; only grids of times notice.
    """

    kind: Literal["masked"] = "masked"
    values: tuple[Annotated[int, Field(ge=1)], ...] = ()
    power: float = Field(default=1.0, gt=0.0)

    @property
    def most(self) -> int:
        """The largest K."""
        return max(self.values)

    def alpha(self, t: Tensor) -> Tensor:
        """1 - t^power, the probability that a token is shown at `t`."""
        return 1.0 - t**self.power

    def hidden_at(self, w: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """w^(1/power): the time from which on a token of number `w` in (0, 1) is hidden."""
        return w ** (1.0 / self.power)

    def diffuse(
        self, tokens: Int64[Tensor, "b f *features"], t: Tensor, w: Float64[Tensor, "b f *features"]
    ) -> Int64[Tensor, "b f *features"]:
        """The tokens at time `t`, `()` or broadcastable to them, each hidden by its number `w`."""
        return torch.where(self.hidden_at(w) < t, MASK, tokens)

    def possible(self, features: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Which values each entry of a frame may take, bool `(channel, *1, K)`.

        Raises:
            InputError: there are neither as many counts of values as channels nor one.
        """
        if len(self.values) not in (1, *features[:1]):
            raise InputError(
                f"the process knows values of {len(self.values)} channels {self.values}, but clips have "
                f"features {tuple(features)}: give one number, or one a channel."
            )
        counts = torch.tensor(self.values, device=device)
        counts = counts.reshape(-1, *(1,) * (len(features) - 1), 1)
        return torch.arange(self.most, device=device) < counts

    def canonical(
        self, x0: Float[Tensor, "b f *features"], context: Context
    ) -> Int64[Tensor, "b f *features"]:
        """The tokens of a clip that holds them as numbers; the mask where NaN or missing by `context.mask`.

        Raises:
            InputError: an entry is no token.
        """
        present = torch.isfinite(x0)
        if context.mask is not None:
            present = present & (context.mask[:, : x0.shape[1]] > 0)
        clean = torch.where(present, x0, MASK)
        tokens = clean.to(torch.int64)
        allowed = functional.pad(self.possible(x0.shape[2:], x0.device), (1, 0), value=True)
        low = (tokens < 0) | (tokens > self.most) | (tokens != clean)
        inside = allowed.expand(*x0.shape, -1).gather(-1, tokens.clamp(0, self.most)[..., None])[..., 0]
        if bool((low | ~inside).any()):
            raise InputError(
                f"a clip of tokens holds {float(clean[low | ~inside][0]):g}, which is none of its values, "
                f"1 to {' and '.join(map(str, self.values))}: code it by a tokens codec first."
            )
        return tokens

    def shown(self, tokens: Int64[Tensor, "b f *features"]) -> Int64[Tensor, "b f *features K"]:
        """What networks see: 1 at a token's own value, 0 elsewhere; all 0 where it is hidden."""
        return functional.one_hot(tokens, self.most + 1)[..., 1:]

    def start(
        self, context: Context, shape: Sequence[int], device: torch.device | str = "cpu"
    ) -> Int64[Tensor, "rows f *features"]:
        """The clip at t = 1: all hidden but the history.

        Args:
            context: of the rows.
            shape: `(rows, f, *features)`.
            device: of the clip.

        Raises:
            IncompatibleError: the context counts history frames but has none.
        """
        hidden = torch.full(tuple(shape), MASK, device=device)
        if context.history_frames == 0:
            return hidden
        if context.history is None:
            raise IncompatibleError(
                f"clean history needs Context.history for its {context.history_frames} frames, which is "
                "None; give it."
            )
        known = self.canonical(context.history.to(device), context)
        return torch.cat((known, hidden[:, context.history_frames :]), 1)

    @property
    def schedule(self) -> NoReturn:
        """There is none, nor coordinates, nor noise.

        Raises:
            IncompatibleError: always, and says why.
        """
        raise IncompatibleError(
            "process 'masked' hides whole numbers, so it has no sigma(t) and no noise, by which denoisers, "
            "solvers and guidance of clips are written: use rheos.denoise.TokenDenoiser and "
            "rheos.sample.unmasking.sample_tokens."
        )

    coordinates: ClassVar[Any] = schedule
    noise: ClassVar[Any] = schedule
