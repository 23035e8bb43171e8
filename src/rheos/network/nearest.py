"""Whom an agent hears: all others of its clip, or those who were nearest in the frames that are known.

d_ij^2 = mean of |x_i - x_j|^2 over the known frames in which both are there: what turns, shifts or reorders
the agents keeps their company, and so does noise on what is to be forecast. Rows are agents of clips.
"""

import torch
from torch import Tensor


def others(clip: Tensor) -> tuple[Tensor, Tensor]:
    """The other rows of the same clip.

    Args:
        clip: the clip of each row `(r)`, rising.

    Returns:
        Rows `(r, k)`, k one less than the rows of the largest clip, and whether there is such a row, bool;
        where there is none, a row that means nothing.
    """
    count = torch.bincount(clip)
    first = torch.cumsum(count, 0) - count
    own = count[clip][:, None]
    away = torch.arange(1, max(1, int(count.max()) if len(clip) else 1), device=clip.device)
    slot = torch.arange(len(clip), device=clip.device) - first[clip]
    return first[clip][:, None] + (slot[:, None] + away) % own, away < own


def nearest(clip: Tensor, places: Tensor, present: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """At most `most` others of each row, the nearest; all where there are no more.

    Args:
        clip: the clip of each row `(r)`, rising.
        places: in the known frames `(r, f, d)`.
        present: in which of them a row is there `(r, f)`.
        most: how many others at most.

    Returns:
        As :func:`others`, in no order.
    """
    other, there = others(clip)
    if other.shape[1] <= most:
        return other, there
    with torch.no_grad():
        both = present[:, None] * present[other]
        square = (places[:, None] - places[other]).square().sum(-1)
        # Who is never met lies farther than any other.
        met = both.sum(-1)
        mean = (square * both).sum(-1) / met.clamp(min=1)
        mean = torch.where(there & (met > 0), mean, torch.inf)
        kept = mean.topk(most, dim=1, largest=False, sorted=False).indices
    return other.gather(1, kept), there.gather(1, kept)


def shares(present: Tensor, other: Tensor, there: Tensor) -> Tensor:
    """The share of each other in the mean over those whom a row hears, `(r, k, f)`.

    Args:
        present: in which frames a row is there `(r, f)`.
        other: rows `(r, k)`.
        there: whether there is such a row `(r, k)`.
    """
    pairs = present[:, None] * present[other] * there[..., None]
    return pairs / pairs.sum(1, keepdim=True).clamp(min=1)
