"""p(x_A | history) of some variables alone: the others are held at t_max, which integrates them out.

A model trained with a time for each group of variables answers for every such marginal law (UniDiffuser,
arXiv 2303.06555, section 3.2), also given others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.scope import Scope
from rheos.data.dataset import Layout
from rheos.data.options import closest
from rheos.denoise import BridgeDenoiser
from rheos.forecast.model import FittedModel


@dataclass(frozen=True, slots=True)
class Alone:
    """The variables that a forecast is about.

    Attributes:
        numbers: of the variables that are drawn, rising.
        channels: bool, which channels of a clip these are; a direction has two.
    """

    numbers: tuple[int, ...]
    channels: tuple[bool, ...]

    @classmethod
    def of(cls, names: str | Sequence[str], model: FittedModel) -> "Alone":
        """The variables of these names, checked against the model.

        Raises:
            InputError: the model knows no such variable, or has no time of its own for it.
        """
        wanted, known = (names,) if isinstance(names, str) else tuple(names), model.layout.channels
        if not wanted:
            raise InputError("only=[] names no variable; name those to forecast, or leave it out.")
        plan = isinstance(model.denoiser, BridgeDenoiser) and not model.codec.mixes
        if model.recipe.times != "per_group" and not plan:
            raise InputError(
                "variables are left out by a time of their own, but the model was not trained with one for "
                "each: fit it with times=per_group, or forecast all variables and take a column."
            )
        for name in wanted:
            if name not in known:
                raise InputError(f"only: no variable is called {name!r}; {closest(name, known)}")
        groups = model.recipe.grouped(known)
        for name in wanted:
            group = groups[known.index(name)]
            lost = [other for other, its in zip(known, groups, strict=True) if its == group]
            if missing := [other for other in lost if other not in wanted]:
                raise InputError(
                    f"only names {name!r} but not {missing[0]!r}, and the model was trained with both in one "
                    "group: name both or none."
                )
        numbers = tuple(number for number, name in enumerate(known) if name in wanted)
        everyone = model.circle.each(tuple(range(len(known))))
        return cls(numbers, tuple(number in numbers for number in everyone))

    def within(self, context: Context, frames: int) -> Context:
        """The context of windows of `frames` frames whose other variables are left out, unless given."""
        left = ~torch.tensor(self.channels).expand(frames, -1)
        given = torch.zeros_like(left) if context.scope is None else torch.tensor(context.scope.given)
        scope = Scope.of(frames, len(self.channels), given=given, left=left & ~given)
        return replace(context, scope=scope)

    def layout(self, whole: Layout) -> Layout:
        """That of the variables drawn."""
        return replace(
            whole,
            channels=tuple(whole.channels[number] for number in self.numbers),
            units=tuple(whole.units[number] for number in self.numbers),
            circular=tuple(whole.circular[number] for number in self.numbers),
        )

    def kept(self, values: np.ndarray) -> np.ndarray:
        """Of values `(rows, frames, channel, *space)` those of the variables drawn."""
        return values[:, :, list(self.numbers)]

    def require_drawn(self, known: np.ndarray | None, channels: tuple[str, ...]) -> None:
        """See that nothing of what is to be drawn is given.

        Args:
            known: what is given of a stretch's frames `(S, channel, *space)`, NaN elsewhere.
            channels: names of the variables.

        Raises:
            InputError: it is.
        """
        for number in self.numbers if known is not None else ():
            if known is not None and np.isfinite(known[:, number]).any():
                raise InputError(
                    f"{channels[number]!r} is given, so it is not to be drawn; leave it out of `only`, or "
                    "give no values of it."
                )
