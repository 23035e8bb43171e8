"""The time field: model time `t` for every entry of a clip.

`t` has shape `()` or the clip's leading axes, `(b)`, `(b, f)`, `(b, f, c)` ... up to the full shape,
left-aligned, size-1 axes allowed. It lives in float64 on the CPU, because schedules do; only this
module broadcasts it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rheos.core.errors import IncompatibleError


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Time fields of one shape that are known before they are asked about; itself alone is equal to it.

    Attributes:
        fields: as the very objects that will be asked about.
    """

    fields: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """What clips of one run have in common: a value, so that what follows from it can be kept.

    Attributes:
        shape: `(b, f, *features)`.
        dtype: of the entries.
        device: where they are.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, clip: Tensor) -> "Kind":
        """A clip's kind."""
        return cls(tuple(clip.shape), clip.dtype, clip.device)

    def example(self) -> Tensor:
        """A clip of this kind in the memory of one number; what it holds means nothing."""
        return torch.empty((), dtype=self.dtype, device=self.device).expand(self.shape)


def expand(field: Tensor, like: Tensor) -> Tensor:
    """Append axes to a left-aligned field so that it broadcasts against a clip.

    Args:
        field: shape `()` or leading axes of `like`, size-1 axes allowed; any dtype and device.
        like: the clip, `(batch, frames, *features)`.

    Returns:
        A view of `field` with `like.ndim` axes, in `like`'s dtype and on its device.

    Raises:
        IncompatibleError: the axes do not match.
    """
    return expand_each(field[None], like)[0]


def expand_each(fields: Tensor, like: Tensor) -> tuple[Tensor, ...]:
    """What :func:`expand` makes of each of several fields: one conversion for all of them.

    Args:
        fields: `(n, *field)`, the fields one after the other.
        like: the clip.

    Returns:
        n views, each broadcastable to the clip.

    Raises:
        IncompatibleError: the axes do not match.
    """
    shape, axes = tuple(fields.shape[1:]), fields.ndim - 1
    if axes > like.ndim or any(n not in (1, m) for n, m in zip(shape, like.shape, strict=False)):
        raise IncompatibleError(
            f"a time field of shape {shape} does not lead the clip's shape {tuple(like.shape)}."
        )
    cast = fields.to(dtype=like.dtype, device=like.device)
    return cast.reshape(cast.shape + (1,) * (like.ndim - axes)).unbind(0)


def rows_of(field: Tensor, part: slice) -> Tensor:
    """A view of a left-aligned field for some of the clips; what all clips share stays as it is."""
    return field if field.ndim == 0 or len(field) == 1 else field[part]


def per_frame(field: Tensor, batch: int, frames: int) -> Tensor:
    """Give a scalar, per-clip or per-frame field the full shape `(batch, frames)`.

    Fields with feature axes keep their frame's largest time: the network then sees the noisiest entry.

    Args:
        field: `()`, `(b)`, `(b, f)` or finer, left-aligned.
        batch: number of clips.
        frames: number of frames.

    Returns:
        Tensor `(batch, frames)`, same dtype and device.
    """
    return per_frame_each(field[None])[0].expand(batch, frames)


def per_frame_each(fields: Tensor) -> Tensor:
    """The one time a frame of each of several fields `(n, *field)`: `(n, 1 or batch, 1 or frames)`."""
    if fields.ndim > 3:
        fields = fields.flatten(3).amax(3)
    return fields.reshape(fields.shape + (1,) * (3 - fields.ndim))


def per_channel_each(fields: Tensor) -> Tensor:
    """The one time a channel of several fields `(n, *field)`: `(n, 1 or b, 1 or frames, 1 or channels)`."""
    if fields.ndim > 4:
        fields = fields.flatten(4).amax(4)
    return fields.reshape(fields.shape + (1,) * (4 - fields.ndim))


def per_clip(field: Tensor) -> Tensor:
    """The one level of a clip that coordinates mixing frames take: the largest time in each clip.

    Clean frames have t = 0, so the largest over all frames is the largest over those not clean.

    Args:
        field: `()`, `(b)`, `(b, f)` or finer.

    Returns:
        `()` or `(b)`.
    """
    return field if field.ndim < 2 else field.flatten(1).amax(1)


def with_clean_history(t: Tensor, history: int, frames: int) -> Tensor:
    """Per-frame field that is 0 on the first `history` frames and `t` on the others.

    Args:
        t: `()`, `(b)` or already `(b, frames)`.
        history: number of clean frames.
        frames: number of frames of the clip.

    Returns:
        `(1, frames)` for a scalar `t`, else `(b, frames)`.
    """
    return with_history_at(torch.zeros((), dtype=t.dtype), t, history, frames)


def with_history_at(own: Tensor, t: Tensor, history: int, frames: int) -> Tensor:
    """Per-frame field that is `own` on the first `history` frames and `t` on the others.

    Args:
        own: time of history frames, `()` or `(b)`: 0 where they are clean.
        t: `()`, `(b)`, already `(b, frames)`, or finer with as many or one for all frames.
        history: number of history frames.
        frames: number of frames of the clip.

    Returns:
        `(1, frames)` for a scalar `t` and `own`, else `(b, frames)` or as much finer as `t`.
    """
    rows = max(own.numel(), len(t) if t.ndim else 1)
    field = (t if t.ndim > 1 else t.reshape(-1, 1)).expand(rows, frames, *t.shape[2:]).clone()
    field[:, :history] = own.reshape(-1, 1, *(1 for _ in t.shape[2:]))
    return field


def clip_level(log_snr: Tensor) -> Tensor:
    """The level a network is told: log(alpha^2 / sigma^2) limited to [-20, 20]; clean data is +20."""
    return torch.nan_to_num(log_snr, nan=20.0, posinf=20.0, neginf=-20.0).clamp(-20.0, 20.0)
