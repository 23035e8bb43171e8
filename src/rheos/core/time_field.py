"""The time field: model time `t` for every entry of a clip.

`t` has shape `()` or the clip's leading axes, `(b)`, `(b, f)`, `(b, f, c)` ... up to the full shape,
left-aligned, size-1 axes allowed. It lives in float64 on the CPU, because schedules do; only this
module broadcasts it.
"""

import torch
from torch import Tensor

from rheos.core.errors import IncompatibleError


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
    if field.ndim > like.ndim or any(n not in (1, m) for n, m in zip(field.shape, like.shape, strict=False)):
        raise IncompatibleError(
            f"a time field of shape {tuple(field.shape)} does not lead the clip's shape {tuple(like.shape)}."
        )
    return field.to(dtype=like.dtype, device=like.device).reshape(
        field.shape + (1,) * (like.ndim - field.ndim)
    )


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
    if field.ndim > 2:
        field = field.flatten(2).amax(2)
    field = field.reshape(field.shape + (1,) * (2 - field.ndim))
    return field.expand(batch, frames)


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
    field = (t if t.ndim == 2 else t.reshape(-1, 1)).expand(-1, frames).clone()
    field[:, :history] = 0.0
    return field


def clip_level(log_snr: Tensor) -> Tensor:
    """The level a network is told: log(alpha^2 / sigma^2) limited to [-20, 20]; clean data is +20."""
    return torch.nan_to_num(log_snr, nan=20.0, posinf=20.0, neginf=-20.0).clamp(-20.0, 20.0)
