"""I(x_0, x_h, i) = x_0 + (i / h) (x_h - x_0) + net_I,   F(s, i) = s + net_F: DYffusion's two networks.

Both are Rheos' backbones on clips of the history and what is asked about, told the time i as a level. Their
last layers start at 0, so that I starts as the straight line and F as persistence.
"""

import torch
from torch import Tensor, nn

from rheos.baseline.learned.dropout import Dropout
from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.network import FieldNetwork, SeriesNetwork, Shapes

_LEVEL = 10.0  # networks are told the time as a level between minus and plus this


class Between(nn.Module):
    """Interpolator and forecaster for one kind of clip; the horizon of 1 has no interpolator."""

    def __init__(
        self,
        backbone: SeriesNetwork | FieldNetwork,
        clip: Tensor,
        context: Context,
        dropout: float,
        seed: int,
    ) -> None:
        """Build both.

        Args:
            backbone: what they are.
            clip: one like those to come, `(b, P + h, *features)`.
            context: its context; history, mask and calendar are read.
            dropout: of the interpolator.
            seed: of the weights.
        """
        super().__init__()
        self.past = context.history_frames
        self.horizon = clip.shape[1] - self.past
        shapes = Shapes.of(clip, _known(context))
        self.forecaster = backbone.build(shapes.model_copy(update={"horizon": 1}), seed)
        self.interpolator = backbone.build(shapes.model_copy(update={"horizon": 2}), seed + 1)
        self.dropout = Dropout(self.interpolator, dropout)

    def interpolate(self, x0: Tensor, xh: Tensor, i: Tensor, context: Context, key: Key, call: int) -> Tensor:
        """I of states `(b, *features)` at times `(b,)`, its dropout by the key and the number of the call."""
        share = (i / self.horizon).reshape(-1, *(1,) * (x0.ndim - 1)).to(x0.dtype)
        with self.dropout.by(key, call):
            bend = self._first(self.interpolator, [torch.zeros_like(x0), xh], i, context)
        return x0 + share * (xh - x0) + bend

    def forecast(self, state: Tensor, i: Tensor, context: Context) -> Tensor:
        """F of states `(b, *features)` at times `(b,)`."""
        return state + self._first(self.forecaster, [state], i, context)

    def _first(self, network: nn.Module, asked: list[Tensor], i: Tensor, context: Context) -> Tensor:
        """A network's answer for the first frame behind the history."""
        if context.history is None or context.mask is None:
            raise IncompatibleError("this baseline starts from a history; give the context one and its mask.")
        known = [context.history, context.mask[:, : self.past]]
        behind = [torch.stack(asked, 1), torch.ones_like(torch.stack(asked, 1))]
        clip, mask = (torch.cat(parts, 1) for parts in zip(known, behind, strict=True))
        last = self.past - 1
        frames = torch.stack((last + i.ceil().long(), torch.full_like(i, last + self.horizon).long()), 1)
        calendar = None
        if context.calendar is not None:
            ahead = context.calendar[torch.arange(len(i))[:, None], frames[:, : len(asked)]]
            calendar = torch.cat((context.calendar[:, : self.past], ahead), 1)
        level = (_LEVEL * (2.0 * i / self.horizon - 1.0)).to(clip.dtype)[:, None].expand(-1, clip.shape[1])
        told = Context(history_frames=self.past, history=context.history, mask=mask, calendar=calendar)
        answer: Tensor = network(clip, level, told)
        return answer[:, self.past]


def _known(context: Context) -> Context:
    """What the networks read of a context."""
    return Context(
        history_frames=context.history_frames,
        history=context.history,
        mask=context.mask,
        calendar=context.calendar,
    )
