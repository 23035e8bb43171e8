"""Known values of some variables, or of some frames, held at t = 0: the rest is drawn given them.

A model trained with a time for each group of variables, or for each frame, answers for every such
conditional law (UniDiffuser, arXiv 2303.06555; FVDM, arXiv 2410.03160).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.scope import Scope
from rheos.data.codec.base import State
from rheos.data.reader.some import Some, read_some
from rheos.denoise import BridgeDenoiser
from rheos.forecast.model import FittedModel
from rheos.forecast.store import stamp_text

# No unit slip is smaller: what a model has never been near makes it answer at random.
_FAR = 20.0


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a forecast's frames, by the name of the sequence."""

    values: Mapping[str, Some]

    @classmethod
    def of(cls, source: Any, model: FittedModel) -> "Given":
        """Read it, and check it against the model.

        Raises:
            InputError: it cannot be read, or the model cannot hold such values or has never seen them.
        """
        _require_times(model)
        found = read_some(source, model.layout, model.recipe.data)
        ranges = {r.name: r.values for r in model.tail.recordings}
        for name, some in found.items():
            if name not in ranges and name:
                raise InputError(f"there is no sequence {name!r} among those of the model; leave it out.")
            _require_likely(model, some, ranges.get(name))
        return cls(found)

    def at(self, model: FittedModel, name: str, stamps: pd.Index) -> np.ndarray | None:
        """What is known of a stretch's frames `(S, *features)`, NaN elsewhere; None where it is nothing.

        Raises:
            InputError: not whole variables, or frames, of which the model knows the times.
        """
        if name not in self.values:
            return None
        values = np.where(_exists(model), self.values[name].at(stamps), np.nan)
        if not np.isfinite(values).any():
            return None
        _require_whole(model, values, stamps)
        return values

    @property
    def fingerprint(self) -> str:
        """A short hash of it all."""
        digest = hashlib.sha256()
        for name, some in sorted(self.values.items()):
            digest.update("\n".join([name, *map(stamp_text, some.stamps)]).encode())
            digest.update(np.ascontiguousarray(some.values).tobytes())
        return digest.hexdigest()[:16]


def with_given(
    model: FittedModel, clip: Tensor, context: Context, state: State, known: np.ndarray
) -> Context:
    """The context of windows of whose frames something is known.

    Args:
        model: the fitted model.
        clip: of b windows, their history first.
        context: of these windows.
        state: the codec's, of these windows.
        known: `(S, *features)` raw units, NaN where the value is to be drawn.

    Raises:
        InputError: a value has no code where the codec looks back at values that are missing.
    """
    past = context.history_frames
    raw = model.circle.lifted(np.broadcast_to(known, (len(clip), *known.shape)))
    coded = model.codec.encode(raw, state)
    given = np.isfinite(raw[0])
    if model.codec.mixes:
        # Frames are given whole, so all their codes are known.
        frames = given.reshape(len(given), -1).any(1)
        given = frames.reshape(-1, *(1,) * (coded.ndim - 2)) & model.coded_exists
    if not np.isfinite(coded[:, given]).all():
        raise InputError(
            "known values have no code, because the model's codec looks at the frame before each and that is "
            "missing: give all frames from the first one on, after a history that is whole."
        )
    table = torch.from_numpy(given.reshape(*given.shape[:2], -1).any(2))
    ahead = torch.from_numpy(np.nan_to_num(coded, nan=0.0).astype(np.float32))
    # Where history is not clean by itself, that of a given variable is given with it.
    table = torch.cat((table.all(0).expand(past, -1), table))
    if context.scope is not None:
        table |= torch.tensor(context.scope.given)
    observed = torch.cat((clip[:, :past], ahead), 1)
    return replace(context, observation=observed, scope=Scope.of(table.shape[0], table.shape[1], given=table))


def _exists(model: FittedModel) -> np.ndarray:
    """Which entries of a frame in raw units are ever observed."""
    numbers = range(len(model.layout.channels))
    plane = model.circle.each(tuple(numbers))
    found: np.ndarray = model.exists[[plane.index(number) for number in numbers]]
    return found


def _require_times(model: FittedModel) -> None:
    if model.recipe.times == "shared" and not isinstance(model.denoiser, BridgeDenoiser):
        raise InputError(
            "known values are held at a time of their own, but the model was trained with one for all: fit "
            "it with times=per_group to give variables, times=per_frame to give frames, or "
            "process=light_bridge to give either."
        )


def _require_likely(model: FittedModel, some: Some, seen: np.ndarray | None) -> None:
    """Raise where a value is beyond the model's limits or far from all data, or is bound by a sum."""
    axes = (0, *range(2, some.values.ndim))
    for number, name in enumerate(model.layout.channels):
        values = some.values[:, number]
        if np.isinf(values).any():
            raise InputError(f"{name!r} is given as {values[np.isinf(values)][0]:g}; give finite values.")
        if not np.isfinite(values).any():
            continue
        if model.sums.matrix[:, number].any():
            raise InputError(
                f"{name!r} is given but is part of a sum that members are moved to obey; leave it out, or "
                "fit without `sums`."
            )
        lower, upper = model.bounds.lower[number], model.bounds.upper[number]
        if np.nanmin(values) < lower or np.nanmax(values) > upper:
            worst = np.nanmin(values) if np.nanmin(values) < lower else np.nanmax(values)
            raise InputError(
                f"{name!r} is given as {worst:g}, outside its limits of {lower:g} to {upper:g}; give values "
                "inside, or fit with other `bounds`."
            )
        if seen is None or model.layout.circular[number]:
            continue
        low, high = np.nanmin(seen, axes)[number], np.nanmax(seen, axes)[number]
        off = np.fmax(low - values, values - high) / model.scale[number]
        if np.nanmax(off) > _FAR:
            row = int(np.nanargmax(off.reshape(len(off), -1).max(1)))
            raise InputError(
                f"{name!r} is given as {values.flat[np.nanargmax(off)]:g} at {stamp_text(some.stamps[row])}, "
                f"{np.nanmax(off):.0f} standard deviations beyond the last data; give it in their unit."
            )


def _require_whole(model: FittedModel, values: np.ndarray, stamps: pd.Index) -> None:
    """Raise unless whole variables (or frames), in whole groups, are given, and some are left to draw."""
    channels, span = model.layout.channels, f"{stamp_text(stamps[0])} to {stamp_text(stamps[-1])}"
    cells = np.isfinite(values).reshape(*values.shape[:2], -1)
    table = cells.any(2)
    partly = table & ~(cells | ~_exists(model).reshape(len(channels), -1)).all(2)
    if partly.any():
        name = channels[int(np.argwhere(partly)[0][1])]
        raise InputError(f"{name!r} is given in some places of the field only; give it everywhere.")
    if table.all():
        raise InputError(
            f"everything is given from {span}, so there is nothing to forecast; leave a part out."
        )
    whole_frames = model.recipe.times == "per_frame" or model.codec.mixes
    if isinstance(model.denoiser, BridgeDenoiser) and not whole_frames:
        return  # a mixture is known by any of its entries
    if whole_frames:
        if (table.any(1) != table.all(1)).any():
            frame = int(np.flatnonzero(table.any(1) != table.all(1))[0])
            why, other = "the model was trained with a time for each frame", "fit it with times=per_group"
            if model.recipe.times != "per_frame":
                why, other = "the model's codec mixes variables", "fit it without that codec"
            raise InputError(
                f"at {stamp_text(stamps[frame])} some variables are given and others not, but {why}: give "
                f"all or none, or {other}."
            )
        return
    split = table.any(0) != table.all(0)
    if split.any():
        number = int(np.flatnonzero(split)[0])
        frame = int(np.flatnonzero(~table[:, number])[0])
        raise InputError(
            f"{channels[number]!r} is given but not at {stamp_text(stamps[frame])}; it takes a value at "
            f"every stamp from {span}, or none."
        )
    groups = model.recipe.grouped(channels)
    for number, group in enumerate(groups):
        together = [i for i, other in enumerate(groups) if other == group]
        if table[0, number] and not table[0, together].all():
            other = channels[next(i for i in together if not table[0, i])]
            raise InputError(
                f"{channels[number]!r} is given but {other!r} is not, and the model was trained with both in "
                "one group: give both or none."
            )
