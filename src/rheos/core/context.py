"""The context: the typed, only way from data to network."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from rheos.core.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known when a clip `(b, f, *features)`, f = P + S frames, is to be filled in.

    All tensors are batched along their first axis; what a data set does not have is None. Values are in
    coded units (the codec's), 0 where missing.

    Attributes:
        history_frames: P, how many of the clip's first frames are history.
        history: observed history `(b, P, *features)`.
        mask: `(b, f, *features)`, 1 where an entry exists (history: was observed; future: is to be
            forecast, at training is shown), 0 where it is missing.
        counted: of the mask's shape, 1 where errors count at training; None: where the mask is 1.
        calendar: calendar or phase features of every frame `(b, f, k)`.
        known_future: covariates known over the whole clip `(b, f, k)`.
        past: covariates known over the history only `(b, P, k)`.
        static: constants of the sequence `(b, k)`.
        lagged: the targets' own values at seasonal lags of every frame `(b, f, k, *features)`.
        anchor: center of the canonical coordinates `(b, f, *features)`.
        anchor_scale: their scale, broadcastable to `(b, f, *features)`.
        observation: observed entries `(b, f, *features)`, which a scope or guidance makes use of.
        observation_mask: 1 where `observation` holds one.
        coordinates: spatial features of the grid `(k, *space)`, the same for all rows.
        periodic: for each spatial axis, whether it closes on itself.
        groups: for each channel the number of its group of variables, from 0; () where each is its own.
        scope: which entries are drawn, given as in `observation`, or left out; None: all are drawn.
    """

    history_frames: int = 0
    history: Tensor | None = None
    mask: Tensor | None = None
    counted: Tensor | None = None
    calendar: Tensor | None = None
    known_future: Tensor | None = None
    past: Tensor | None = None
    static: Tensor | None = None
    lagged: Tensor | None = None
    anchor: Tensor | None = None
    anchor_scale: Tensor | None = None
    observation: Tensor | None = None
    observation_mask: Tensor | None = None
    coordinates: Tensor | None = None
    periodic: tuple[bool, ...] = ()
    groups: tuple[int, ...] = ()
    scope: Scope | None = None

    def _map(self, change: Callable[[Tensor], Tensor], *, rows: bool) -> "Context":
        changed: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor) and not (rows and field.name == "coordinates"):
                changed[field.name] = change(value)
        return replace(self, **changed)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> "Context":
        """The same context on a device and, where given, in a floating dtype."""
        return self._map(lambda value: value.to(device=device, dtype=dtype), rows=False)

    def rows(self, index: slice | Tensor) -> "Context":
        """Some rows of the batch."""
        return self._map(lambda value: value[index], rows=True)

    def repeat(self, members: int) -> "Context":
        """Each row `members` times in a row: row i of the batch becomes rows i*members ... ."""
        return self._map(lambda value: value.repeat_interleave(members, 0), rows=True)

    def counts(self, clip: Tensor) -> Tensor:
        """1 where an error of a clip counts at training, else 0, of the clip's shape and dtype."""
        told = self.mask if self.counted is None else self.counted
        return torch.ones_like(clip) if told is None else (told > 0).to(clip)

    def hidden(self, rows: Tensor | None = None) -> "Context":
        """The context without what tells of the history: its values, lagged values and past covariates.

        What is missing stays known, and so do the calendar and all that is no value of a target. An anchor
        stays too: where it was made from the history, it tells of it.

        Args:
            rows: bool `(b)`, for which rows; all where it is left out.
        """
        changed: dict[str, Any] = {}
        for name in ("history", "lagged", "past"):
            value = getattr(self, name)
            if value is not None and rows is not None:
                kept = (~rows).to(value.device).reshape(-1, *(1,) * (value.ndim - 1))
                changed[name] = torch.where(kept, value, 0.0)
            else:
                changed[name] = None
        return replace(self, **changed)

    def frames(self, first: int, last: int) -> "Context":
        """Frames `first` to `last` - 1 of the clip alone; those that were history still are."""
        known = min(max(self.history_frames - first, 0), last - first)
        changed: dict[str, Any] = {"history_frames": known}
        for name in _OF_FRAMES:
            value = getattr(self, name)
            # What is the same for all frames may have one.
            if value is not None and value.shape[1] > 1:
                changed[name] = value[:, first:last]
        for name in ("history", "past"):
            value = getattr(self, name)
            changed[name] = value[:, first : first + known] if value is not None and known else None
        return replace(self, **changed)

    @staticmethod
    def cat(contexts: list["Context"]) -> "Context":
        """Stack the rows of contexts that hold the same fields."""
        first = contexts[0]
        stacked: dict[str, Any] = {
            field.name: torch.cat([getattr(c, field.name) for c in contexts])
            for field in fields(first)
            if isinstance(getattr(first, field.name), Tensor) and field.name != "coordinates"
        }
        return replace(first, **stacked)


_OF_FRAMES = (
    "mask",
    "counted",
    "calendar",
    "known_future",
    "lagged",
    "anchor",
    "anchor_scale",
    "observation",
    "observation_mask",
)
