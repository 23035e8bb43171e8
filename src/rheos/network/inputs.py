"""From a noisy clip and its context to what a network reads: one stack per entry, one per frame.

Missing parts of the context are zeros of the declared width, so a network answers whatever is absent;
entries whose mask is 0 are blanked, so their values cannot matter.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.network.shapes import Shapes

# log_snr spans +-20; as a plain input it is brought to the size of the others.
_LEVEL_SCALE = 10.0


def levels_of(level: Tensor, x: Tensor, shapes: Shapes) -> Tensor:
    """The levels `(b, f)` or `(b, f, channels)` of a clip's frames as `(b, f, n)`, n = `shapes.levels`."""
    level = level.to(dtype=x.dtype, device=x.device)
    told = level if level.ndim == 3 else level[..., None]
    return told.expand(*x.shape[:2], shapes.levels)


def until_of(until: Tensor | None, level: Tensor, x: Tensor, shapes: Shapes) -> Tensor | None:
    """The levels where a step ends, as `levels_of` gives `level`: that itself where none is told.

    None for a network that knows one level only.
    """
    if not shapes.two_levels:
        return None
    return level if until is None else levels_of(until, x, shapes)


def given(value: Tensor | None, shape: Sequence[int], name: str, like: Tensor) -> Tensor:
    """The value, or zeros where the context has none.

    Raises:
        IncompatibleError: the value's shape is not the declared one.
    """
    if value is None:
        return like.new_zeros(tuple(shape))
    if tuple(value.shape) != tuple(shape):
        raise IncompatibleError(
            f"the context holds {name} of shape {tuple(value.shape)} where this network was built for "
            f"{tuple(shape)}; build the network with the Shapes of this data."
        )
    return value


def over_clip(history: Tensor, frames: int) -> Tensor:
    """Append zero frames to `(b, P, ...)` until there are `frames`."""
    return functional.pad(history, (0, 0) * (history.ndim - 2) + (0, frames - history.shape[1]))


def entry_inputs(x: Tensor, context: Context, shapes: Shapes) -> Tensor:
    """Everything known of every entry of a clip.

    Args:
        x: seen clip `(b, f, *features)`.
        context: the clip's context.
        shapes: the sizes the network was built for.

    Returns:
        `(b, f, k, *features)`, k = `shapes.entry_inputs`: the clip and the history where they exist, the
        mask, lagged values and whether each is present. Where there is an anchor all of them are read as
        deviations from it, clip and history in units of its scale, which is given too: what is left to
        explain must not look small beside the level, and a level not met in training must not mislead.

    Raises:
        IncompatibleError: the context is not of the declared sizes.
    """
    batch, frames, features = x.shape[0], x.shape[1], tuple(x.shape[2:])
    if features[0] != shapes.channels or frames < shapes.history:
        raise IncompatibleError(
            f"a clip of {frames} frames and {features[0]} channels reached a network built for "
            f"{shapes.history} frames of history and {shapes.channels} channels; build it with the Shapes of "
            "this data."
        )
    history = given(context.history, (batch, shapes.history, *features), "history", x)
    mask = x.new_ones(x.shape) if context.mask is None else given(context.mask, x.shape, "mask", x)
    lagged = given(context.lagged, (batch, frames, shapes.lags, *features), "lagged values", x)
    present = (lagged != 0).to(x.dtype)
    # A missing lagged value is 0 in coded units; saying so spares the network a spike at 0.
    if not shapes.anchor:
        parts = [torch.stack((x * mask, over_clip(history, frames) * mask, mask), dim=2), lagged, present]
        return torch.cat(parts, dim=2)
    anchor = given(context.anchor, x.shape, "anchor", x)
    scale = x.new_ones(()) if context.anchor_scale is None else context.anchor_scale
    scale = scale.expand(x.shape)
    past = slice(0, shapes.history)
    history = (history - anchor[:, past]) / scale[:, past]
    parts = [
        torch.stack(((x - anchor) / scale * mask, over_clip(history, frames) * mask, mask, scale), dim=2),
        (lagged - anchor[:, :, None]) * present,
        present,
    ]
    return torch.cat(parts, dim=2)


def token_inputs(x: Tensor, context: Context, shapes: Shapes) -> Tensor:
    """Everything known of every token of a clip.

    Args:
        x: seen clip `(b, f, *features, K)`, 1 at the value of a token that is shown, else 0.
        context: the clip's context, its lagged values tokens as numbers.
        shapes: the sizes the network was built for.

    Returns:
        `(b, f, k, *features)`, k = `shapes.entry_inputs`: the mask, which tells what is missing from what is
        hidden, the clip, and the lagged tokens as the clip's are; the history's stand in the clip.

    Raises:
        IncompatibleError: the clip or the context are not of the declared sizes.
    """
    batch, frames, features = x.shape[0], x.shape[1], tuple(x.shape[2:-1])
    if x.ndim < 4 or features[0] != shapes.channels or x.shape[-1] != shapes.values:
        raise IncompatibleError(
            f"a clip of shape {tuple(x.shape)} reached a network built for {shapes.channels} channels of "
            f"tokens with {shapes.values} values; build it with the Shapes of this data."
        )
    like = x[..., 0]
    mask = like.new_ones(like.shape) if context.mask is None else given(context.mask, like.shape, "mask", x)
    lagged = given(context.lagged, (batch, frames, shapes.lags, *features), "lagged values", x)
    # A missing lagged token is 0, as a hidden one is: no value's.
    values = torch.arange(1, shapes.values + 1, device=x.device)
    known = torch.cat((x[:, :, None], (lagged[..., None] == values).to(x.dtype)), 2)
    return torch.cat((mask[:, :, None], known.movedim(-1, 3).flatten(2, 3)), 2)


def frame_inputs(x: Tensor, level: Tensor, context: Context, shapes: Shapes) -> Tensor:
    """Everything known of every frame as a whole.

    Args:
        x: seen clip `(b, f, *features)`.
        level: `(b, f)`, of each frame its lowest.
        context: the clip's context.
        shapes: the sizes the network was built for.

    Returns:
        `(b, f, k)`, k = `shapes.frame_inputs`: level, whether it is history, calendar, covariates, which past
        ones are present, constants.

    Raises:
        IncompatibleError: the context is not of the declared sizes.
    """
    batch, frames = x.shape[:2]
    is_history = (torch.arange(frames, device=x.device) < shapes.history).to(x.dtype)
    past = given(context.past, (batch, shapes.history, shapes.past), "past covariates", x)
    static = given(context.static, (batch, shapes.static), "constants", x)
    return torch.cat(
        (
            level[..., None] / _LEVEL_SCALE,
            is_history[None, :, None].expand(batch, -1, -1),
            given(context.calendar, (batch, frames, shapes.calendar), "calendar features", x),
            given(context.known_future, (batch, frames, shapes.known_future), "known covariates", x),
            over_clip(past, frames),
            # As with lagged values: 0 is what a missing one is put to.
            over_clip((past != 0).to(x.dtype), frames),
            static[:, None].expand(-1, frames, -1),
        ),
        dim=2,
    )
