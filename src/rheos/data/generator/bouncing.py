"""Pictures that move straight and are thrown back by the walls, in closed form.

    a(t) = fold(a_0 + speed t direction),   fold(a) = 1 - |1 - a mod 2|,   corner = floor(a (size - side))

a in [0, 1]^2 is the place on the free way; where pictures overlap the brighter one is seen. After the data of
Srivastava, Mansimov and Salakhutdinov 2015, arXiv 1502.04681, section 4: starts uniform, directions uniform,
speed 0.1 of the free way a frame. There a picture rests at the wall for what is left of the step; here it is
thrown back at once, so that every frame follows from the start.
"""

from abc import abstractmethod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.reader.idx import idx_array

Real = NDArray[np.float64]


class Bouncing(Method):
    """Base of the moving pictures; their intensity, 0 to 1, is recorded.

    Attributes:
        frames: of each sequence.
        sequences: independent starts, one recording each.
        size: of the square that the pictures move in, in cells.
        objects: pictures in each sequence.
        speed: part of the free way that each moves in a frame.
    """

    frames: int = Field(20, ge=1)
    sequences: int = Field(100, ge=1)
    size: int = Field(64, ge=2)
    objects: int = Field(2, ge=1)
    speed: float = Field(0.1, ge=0)

    @abstractmethod
    def pictures(self) -> Real:
        """What moves, `(n, side, side)`, 0 to 1; each object is one of them."""

    def places(self, key: Key) -> Real:
        """Of all objects on their free way, `(sequences, frames, objects, 2)` y and x in [0, 1].

        Args:
            key: one row a sequence.
        """
        drawn = key.uniform((self.objects, 3)).numpy()
        start, angle = drawn[..., :2], 2 * np.pi * drawn[..., 2]
        step = self.speed * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        return fold(start[:, None] + np.arange(self.frames)[:, None, None] * step[:, None])

    def generate(self, seed: int = 0) -> Dataset:
        """A field data set, values float32 `(frames, 1, size, size)` a recording.

        Raises:
            InputError: the pictures do not fit.
        """
        pictures = self.pictures()
        side = pictures.shape[-1]
        if side > self.size:
            raise InputError(f"pictures of {side} x {side} cells do not fit into size={self.size}.")
        key = Key.of(seed, self.sequences, self.name()).at(Purpose.DATA)
        corners = np.floor(self.places(key) * (self.size - side)).astype(int)
        chosen = key.at(Purpose.DATA, 1).integers(len(pictures), self.objects).numpy()
        values = np.zeros((self.sequences, self.frames, 1, self.size, self.size), np.float32)
        for sequence, frame, number in np.ndindex(corners.shape[:-1]):
            y, x = corners[sequence, frame, number]
            here = values[sequence, frame, 0, y : y + side, x : x + side]
            np.maximum(here, pictures[chosen[sequence, number]], out=here)
        names = [f"{self.name()}-{i}" for i in range(self.sequences)] if self.sequences > 1 else [""]
        recordings = tuple(Recording.of(v, name=n) for v, n in zip(values, names, strict=True))
        return Dataset(layout=self._layout(), recordings=recordings)

    def _layout(self) -> Layout:
        return Layout(
            kind="field",
            dims=("channel", "y", "x"),
            channels=("intensity",),
            periodic=(False, False),
            attributes={"title": self.summary().rstrip("."), "source": f"rheos.data.generator.{self.name()}"},
        )


def fold(place: Real) -> Real:
    """Where a point on [0, 1] is that started at 0 and would be at `place` without walls."""
    return np.asarray(1.0 - np.abs(1.0 - place % 2.0))


class BouncingShapes(Bouncing):
    """Discs, squares and diamonds that bounce: moving pictures without a file.

    |x|^p + |y|^p <= r^p, p = 1, 2 and infinity, at a(t) = fold(a_0 + speed t direction)

    Attributes:
        side: of a shape, in cells.
    """

    kind: Literal["bouncing_shapes"] = "bouncing_shapes"
    side: int = Field(15, ge=2)

    def pictures(self) -> Real:
        """|x|^p + |y|^p <= 1 for p = 1, 2 and infinity, at the middles of the cells."""
        middle = (2 * np.arange(self.side) + 1 - self.side) / self.side
        apart = np.abs(np.stack(np.meshgrid(middle, middle, indexing="ij")))
        norms = (apart.sum(0), np.sqrt((apart**2).sum(0)), apart.max(0))
        return (np.stack(norms) <= 1.0).astype(np.float64)


class MovingDigits(Bouncing):
    """Moving MNIST: two handwritten digits that bounce, made at run time from a file of digits.

    x_t = max of the digits, each at floor(a(t) (size - side)), a(t) = fold(a_0 + speed t direction)

    Attributes:
        file: of the digits, `(n, side, side)` in IDX format.
        first: number of the first digit that is used; train and test take different ones.
        last: of the one after the last.
    """

    kind: Literal["moving_digits"] = "moving_digits"
    file: Path
    first: int = Field(0, ge=0)
    last: int = Field(8000, ge=1)

    def pictures(self) -> Real:
        """The digits.

        Raises:
            InputError: the file holds no pictures, or not so many.
        """
        digits = idx_array(self.file)
        if digits.ndim != 3 or digits.dtype != np.uint8 or digits.shape[1] != digits.shape[2]:
            raise InputError(f"{str(self.file)!r} has shape {digits.shape}, but digits are square pictures.")
        if not self.first < self.last <= len(digits):
            raise InputError(
                f"{str(self.file)!r} has {len(digits)} digits, not all of {self.first} to {self.last}."
            )
        return np.asarray(digits[self.first : self.last] / 255.0)
