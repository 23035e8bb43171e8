"""The scope of a draw: which entries are drawn, which are given, which are left out.

One time field says all three (Bao et al. 2023, UniDiffuser, arXiv 2303.06555): given entries stay at t = 0,
which conditions on them; entries left out stay at t_max, pure noise that says nothing, which integrates
them out; the others go from t_max to 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rheos.core.errors import InputError

Chosen = Sequence[int] | Tensor
"""Numbers of channels, chosen in every frame; or a bool table `(frames, channels)`."""
Table = tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """A value, the same for all clips of a batch; entries neither given nor left out are drawn.

    Attributes:
        given: which `[frame][channel]` are known and stay as they are.
        left: which are integrated out.
    """

    given: Table
    left: Table

    @classmethod
    def of(cls, frames: int, channels: int, given: Chosen = (), left: Chosen = ()) -> "Scope":
        """A scope of clips `(b, frames, channels, ...)`.

        Raises:
            InputError: a choice is of another size, or an entry is both given and left out.
        """
        tables = [_table(frames, channels, chosen) for chosen in (given, left)]
        if bool((tables[0] & tables[1]).any()):
            raise InputError("an entry is both given and left out: choose one of them.")
        first, second = (tuple(tuple(row) for row in table.tolist()) for table in tables)
        return cls(first, second)

    def held(self, fields: Tensor, latest: float) -> Tensor:
        """Time fields with what is not drawn at its own time.

        Args:
            fields: `(n)`, `(n, b)` or `(n, b, f)`, one field after the other.
            latest: t_max.

        Returns:
            `(n, 1 or b, frames, channels)`.
        """
        grown = fields.reshape(fields.shape + (1,) * (4 - fields.ndim))
        left = torch.where(torch.tensor(self.left), latest, grown)
        return torch.where(torch.tensor(self.given), 0.0, left)

    def mask(self, table: Table, like: Tensor) -> Tensor:
        """One of the tables, bool, broadcastable to a clip.

        Raises:
            InputError: the clip has other frames or channels.
        """
        found = torch.tensor(table, device=like.device)
        if found.shape != like.shape[1:3]:
            raise InputError(
                f"the scope is about {tuple(found.shape)} frames and channels, but the clips have "
                f"{tuple(like.shape[1:3])}."
            )
        return found.reshape(1, *found.shape, *(1 for _ in like.shape[3:]))

    @property
    def gives(self) -> bool:
        """Whether any entry is given."""
        return any(map(any, self.given))

    @property
    def splits_frames(self) -> bool:
        """Whether a channel is given in some frames only."""
        return any(any(column) and not all(column) for column in zip(*self.given, strict=True))


def _table(frames: int, channels: int, chosen: Chosen) -> Tensor:
    if isinstance(chosen, Tensor):
        if chosen.dtype != torch.bool or chosen.shape != (frames, channels):
            raise InputError(
                f"a scope of {frames} frames and {channels} channels takes bool tables of that shape, not "
                f"{tuple(chosen.shape)} {chosen.dtype}."
            )
        return chosen
    wrong = [channel for channel in chosen if not 0 <= channel < channels]
    if wrong:
        raise InputError(f"there is no channel {wrong[0]} among {channels}, which are counted from 0.")
    table = torch.zeros(frames, channels, dtype=torch.bool)
    table[:, list(chosen)] = True
    return table
