"""u_m = z_m + C_mo C_oo^-1 (u_o - z_o), z ~ N(0, C): what is missing of a training clip's future is drawn.

A forecast is asked for whole futures, so a network must be trained on whole ones: shown futures with holes it
learns to answer for those alone, and frames that are mixed would carry the holes on. m are the missing
leads of an entry, o the observed ones, u errors of the anchor in units of its scale, and C their
covariance over leads: the conditional law of a Gaussian, drawn by Matheron's rule (Journel and Huijbregts,
"Mining Geostatistics", 1978, chapter VII). Every step draws anew, and errors count where a value was
observed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.process.coordinates import Anchored
from rheos.process.noise.moments import correlation_of

_ANCHORED, _DATA = Anchored(), torch.zeros(())
_JITTER = 1e-3
_MOST_NUMBERS = 2**22


@dataclass(frozen=True, slots=True)
class Imputation:
    """Draws what is missing of futures.

    Attributes:
        covariance: C of each channel, float64 `(channel, S, S)`.
        exists: which entries of a frame there are, bool `(*features)`.
    """

    covariance: Tensor
    exists: Tensor

    @classmethod
    def of(cls, clip: Tensor, context: Context, exists: Tensor) -> "Imputation":
        """Measure C on training clips; entries of a channel count alike.

        Args:
            clip: coded clips `(n, f, channel, *space)`.
            context: of the clips, anchored, its mask 1 where an entry was observed.
            exists: bool `(channel, *space)`.
        """
        future = slice(context.history_frames, None)
        mask = torch.ones_like(clip) if context.mask is None else context.mask
        errors = _ANCHORED.to_canonical(clip, _DATA, context)[:, future].where(mask[:, future] > 0, torch.nan)
        each = errors.movedim(2, 0).movedim(2, -1).flatten(1, -2)
        return cls(torch.stack([_covariance(rows) for rows in each]), exists)

    def __call__(self, clip: Tensor, context: Context, key: Key) -> tuple[Tensor, Context]:
        """Clips whose futures are whole, and a context that says so; its errors count where they did.

        Args:
            clip: coded clips `(b, f, channel, *space)`.
            context: of the clips, anchored, its mask 1 where an entry was observed.
            key: of the clips.
        """
        if context.mask is None:
            return clip, context
        past = context.history_frames
        asked = torch.zeros_like(context.mask, dtype=torch.bool)
        asked[:, past:] = self.exists.to(clip.device)
        gaps = asked & (context.mask == 0)
        if not gaps.any():
            return clip, context
        errors = _ANCHORED.to_canonical(clip, _DATA, context).double()
        normal = key.at(Purpose.IMPUTATION, key.step).normal(clip.shape[1:], device=clip.device).double()
        rows = gaps[:, past:].any(1).nonzero(as_tuple=True)
        parts = [part[:, past:].movedim(1, -1)[rows] for part in (errors, normal, ~gaps)]
        drawn = torch.cat([self._drawn(channel, *some) for channel, *some in _pieces(rows[1], *parts)])
        whole = errors[:, past:].movedim(1, -1).contiguous()
        whole[rows] = drawn
        errors[:, past:] = whole.movedim(-1, 1)
        filled = torch.where(gaps, _ANCHORED.to_seen(errors.to(clip), _DATA, context), clip)
        mask = torch.where(gaps, 1.0, context.mask)
        return filled, replace(context, mask=mask, counted=context.mask)

    def _drawn(self, channel: Tensor, errors: Tensor, normal: Tensor, seen: Tensor) -> Tensor:
        """Rows of errors `(n, S)` with what was not seen drawn."""
        covariance = self.covariance.to(errors.device)[channel]
        start = (torch.linalg.cholesky(covariance) @ normal[..., None])[..., 0]
        there = seen.double()
        known = covariance * there[:, :, None] * there[:, None] + torch.diag_embed(1.0 - there)
        away = (errors - start) * there
        moved = start + (covariance @ (there * torch.linalg.solve(known, away))[..., None])[..., 0]
        return torch.where(seen, errors, moved)


def _pieces(channel: Tensor, *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows in runs whose matrices stay in bounds."""
    run = max(1, _MOST_NUMBERS // parts[0].shape[-1] ** 2)
    return zip(channel.split(run), *(part.split(run) for part in parts), strict=True)


def _covariance(rows: Tensor) -> Tensor:
    """Of columns about 0, float64 `(S, S)`, positive definite; rows hold NaN where missing."""
    square = torch.nanmean(rows.double().square(), 0).nan_to_num().clamp(min=1e-12)
    correlation = correlation_of(rows) + _JITTER * torch.eye(rows.shape[1], dtype=torch.float64)
    root = square.sqrt().cpu()
    return correlation / (1.0 + _JITTER) * root[:, None] * root
