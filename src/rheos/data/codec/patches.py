"""Patches: z = W (patch - mean) / s, a square of cells, all channels together, as its principal components.

    patch = mean + s W^T z,   W W^T = 1,   s^2 = mean variance of the codes

W holds the leading eigenvectors of the covariance of all patches of the training span: of all linear codes of
as many numbers the one of least squared error (Eckart, Young 1936), what a linear autoencoder would learn.
With as many components as a patch has entries the code is a rotation and loses nothing.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from rheos.core.errors import IncompatibleError, InputError
from rheos.data.codec.base import Codec, Fitted, State
from rheos.data.dataset import Dataset, Layout

_PART = 2**22  # entries looked at at once


class Patches(Codec):
    """A coarser grid of several numbers a patch, its principal components: for large fields and video.

    Attributes:
        factor: cells of a patch along each spatial axis.
        channels: components that are kept; at most the entries of a patch, which lose nothing.
    """

    kind: Literal["patches"] = "patches"
    factor: int = Field(default=4, ge=2)
    channels: int = Field(default=8, ge=1)

    @property
    def mixes(self) -> bool:
        """True."""
        return True

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """A grid smaller by the factor, its last patches perhaps reaching beyond the data."""
        entries = raw[0] * self.factor ** len(raw[1:])
        return min(self.channels, entries), *(-(-size // self.factor) for size in raw[1:])

    def fit_targets(self, dataset: Dataset) -> "FittedPatches":
        """Find the components from the patches that are whole.

        Raises:
            IncompatibleError: there is no grid, or patches would reach across the end of a periodic axis.
            InputError: a patch is whole in no frame.
        """
        exists = _patches_exist(self, dataset)
        entries = exists.shape[-1]
        count, total, square = 0, np.zeros(entries), np.zeros((entries, entries))
        whole = np.zeros(exists.shape[:-1], bool)
        for values in _parts(dataset):
            found = cut(values, self.factor, values.ndim - 2)
            seen = (np.isfinite(found) | ~exists).all(-1)
            whole |= seen.any(0)
            rows = found[seen & exists.all(-1)]
            count, total, square = count + len(rows), total + rows.sum(0), square + rows.T @ rows
        _require_whole(self, exists, whole, count)
        mean = total / count
        variances, vectors = np.linalg.eigh(square / count - np.outer(mean, mean))
        components = vectors[:, ::-1].T[: self.features(dataset.features)[0]]
        # An eigenvector has no sign of its own; its largest weight is to be positive on any machine.
        largest = np.take_along_axis(components, np.abs(components).argmax(1)[:, None], 1)
        kept = max(float(variances[::-1][: len(components)].mean()), 0.0)
        return FittedPatches(
            config=self,
            mean=mean,
            components=components * np.sign(largest),
            scale=np.array(math.sqrt(kept) if kept > 0.0 else 1.0),
            seen=_observed(dataset),
        )

    def restore_targets(self, arrays: dict[str, np.ndarray]) -> "FittedPatches":
        """The inverse of `target_arrays`."""
        return FittedPatches(
            config=self,
            mean=arrays["mean"],
            components=arrays["components"],
            scale=arrays["scale"],
            seen=arrays["seen"].astype(bool),
        )


def _parts(dataset: Dataset) -> list[np.ndarray]:
    """The frames of all recordings, double precision, some at a time."""
    frames = max(1, _PART // int(np.prod(dataset.features)))
    return [
        np.asarray(r.values[start : start + frames], np.float64)
        for r in dataset.recordings
        for start in range(0, len(r), frames)
    ]


def _observed(dataset: Dataset) -> np.ndarray:
    """`features` bool: entries ever observed."""
    return np.any([np.isfinite(r.values).any(0) for r in dataset.recordings], axis=0)


def _patches_exist(config: "Patches", dataset: Dataset) -> np.ndarray:
    """Entries of patches ever observed `(*coarse, entries)`, False beyond the data.

    Raises:
        IncompatibleError: there is no grid to cut, or patches would reach across the end of a periodic axis.
    """
    layout = dataset.layout
    if layout.kind != "field":
        raise IncompatibleError(
            f"codec={config.kind} codes squares of cells, and a {layout.kind} has no grid; leave it out."
        )
    for name, size, closed in zip(layout.dims[1:], dataset.features[1:], layout.periodic, strict=False):
        if closed and size % config.factor:
            raise IncompatibleError(
                f"{name!r} closes on itself after {size} cells, which patches of {config.factor} do not "
                "divide, so that one would reach across its end; give another factor."
            )
    return cut(_observed(dataset), config.factor, len(dataset.features) - 1)


def _require_whole(config: "Patches", exists: np.ndarray, whole: np.ndarray, count: int) -> None:
    never = exists.any(-1) & ~whole
    if count == 0 and not never.any():
        raise InputError(
            f"no patch of {config.factor} cells a side has data in all of its cells, so there is nothing to "
            "learn a code from; give a smaller factor."
        )
    if not never.any():
        return
    place = " x ".join(str(int(at) * config.factor) for at in np.argwhere(never)[0])
    raise InputError(
        f"the patch of {config.factor} cells a side that begins at cell {place} is whole in no frame, so it "
        "has no code; give a smaller factor, or fill its gaps."
    )


def cut(values: np.ndarray, factor: int, axes: int) -> np.ndarray:
    """Patches `(..., *coarse, entries)` of frames `(..., channel, *space)` of so many spatial axes.

    Patches at the end reach beyond the data: 0, or False, is there.
    """
    lead = values.ndim - 1 - axes
    space = values.shape[lead + 1 :]
    padded = np.pad(values, [(0, 0)] * (lead + 1) + [(0, -size % factor) for size in space])
    coarse = [-(-size // factor) for size in space]
    split = padded.reshape(*values.shape[: lead + 1], *(n for size in coarse for n in (size, factor)))
    grid = range(lead + 1, split.ndim, 2)
    order = (*range(lead), *grid, lead, *(axis + 1 for axis in grid))
    return split.transpose(order).reshape(*values.shape[:lead], *coarse, -1)


def joined(patches: np.ndarray, factor: int, features: tuple[int, ...]) -> np.ndarray:
    """The inverse of :func:`cut`: frames `(..., *features)`."""
    axes = len(features) - 1
    lead = patches.ndim - 1 - axes
    coarse = patches.shape[lead:-1]
    split = patches.reshape(*patches.shape[:-1], features[0], *(factor,) * axes)
    pairs = (n for axis in range(axes) for n in (lead + axis, lead + axes + 1 + axis))
    whole = split.transpose(*range(lead), lead + axes, *pairs)
    whole = whole.reshape(*patches.shape[:lead], features[0], *(size * factor for size in coarse))
    inside: tuple[Any, ...] = (..., *(slice(size) for size in features[1:]))
    return whole[inside]


@dataclass(frozen=True, kw_only=True)
class FittedPatches(Fitted):
    """Principal components of patches.

    A patch with a missing entry has no code, NaN; entries never observed in training (land) count as their
    mean, and patches of nothing else have no code.

    Attributes:
        mean: `(entries,)` of a patch.
        components: `(channels, entries)`, orthonormal rows.
        scale: one number, so that the codes have unit variance on average.
        seen: `features` bool, entries ever observed in training.
    """

    config: Patches
    mean: np.ndarray
    components: np.ndarray
    scale: np.ndarray
    seen: np.ndarray

    @property
    def mixes(self) -> bool:
        """True."""
        return True

    def features(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """A coarser grid of codes."""
        return self.config.features(raw)

    def layout(self, raw: Layout) -> Layout:
        """Codes as channels, each patch at its first cell."""
        step = self.config.factor
        channels = tuple(f"code{number}" for number in range(len(self.components)))
        coords = {
            name: values[::step] if name in raw.dims[1:] else values for name, values in raw.coords.items()
        }
        return replace(raw, channels=channels, units=(), circular=(), coords=coords)

    def exists(self, seen: np.ndarray) -> np.ndarray:
        """All codes of the patches of which anything is ever observed."""
        patches = cut(seen, self.config.factor, seen.ndim - 1).any(-1)
        return np.broadcast_to(patches, (len(self.components), *patches.shape))

    def encode(self, values: np.ndarray, state: State) -> np.ndarray:
        """Components `(b, f, channels, *coarse)`."""
        raw = np.asarray(values, np.float64)
        axes = self.seen.ndim - 1
        exists = cut(self.seen, self.config.factor, axes)
        patches = cut(raw, self.config.factor, axes)
        codes = np.where(exists, patches - self.mean, 0.0) @ (self.components.T / self.scale)
        codes = np.where(exists.any(-1, keepdims=True), codes, np.nan)
        return np.moveaxis(codes, -1, 2)

    def decode(self, values: np.ndarray, state: State) -> np.ndarray:
        """The patches that have these codes and no other component: the inverse, of what the codes kept."""
        codes = np.moveaxis(np.asarray(values, np.float64), 2, -1)
        patches = self.mean + codes @ (self.components * self.scale)
        return joined(patches, self.config.factor, self.seen.shape)

    def log_det(self, values: np.ndarray, state: State) -> None:
        """None: codes are fewer than values, so these have no density."""
        return None

    def target_arrays(self) -> dict[str, np.ndarray]:
        """Mean, components, scale, and where there are data."""
        return {
            "mean": self.mean,
            "components": self.components,
            "scale": self.scale,
            "seen": self.seen.astype(np.uint8),
        }
