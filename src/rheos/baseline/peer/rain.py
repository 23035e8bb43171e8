"""What the peers of radar share (pysteps): rain rates in dB, motion, cells without a forecast.

    z = 10 log10(R / 1 mm/h) where R >= 0.1 mm/h, else -15;    R = 10^(z / 10) where z >= -10, else 0

The transform and the motion by Lucas and Kanade (IJCAI 1981), local and interpolated over the field, are
those of pysteps' own examples: Pulkkinen et al., "Pysteps: an open-source Python library for probabilistic
precipitation nowcasting (v1.0)", GMD 2019.
"""

import io
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from rheos.baseline.paths import check
from rheos.baseline.peer.base import FittedPeer, Peer
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.calendar import step_seconds
from rheos.data.dataset import Dataset, Layout, Recording

FAINTEST = 0.1  # mm/h; what is fainter counts as dry
FAINTEST_DB = -10.0
DRY_DB = -15.0
HANDLING = "rain below 0.1 mm/h and missing cells count as dry; rain from outside is that of the nearest cell"
_RATES = ("", "mm/h", "mm h-1", "mm h^-1", "mm/hr", "mm hr-1")
_METERS = 50.0  # a spacing beyond it is not in kilometers
_DEGREE = 111.2  # km


def decibels(rate: np.ndarray) -> np.ndarray:
    """Rain rates in dB, the dry and the missing at -15."""
    wet = np.nan_to_num(rate.astype(np.float64), nan=0.0) >= FAINTEST
    return np.where(wet, 10.0 * np.log10(np.where(wet, rate, 1.0)), DRY_DB)


def rates(values: np.ndarray) -> np.ndarray:
    """Rain rates from dB, dry below what counts as rain; NaN stays."""
    return np.where(values < FAINTEST_DB, 0.0, 10.0 ** (values / 10.0))


def nearest(fields: np.ndarray) -> np.ndarray:
    """Fields `(*, y, x)` whose missing cells have the value of the nearest one; a field without any is 0."""
    from scipy.ndimage import distance_transform_edt

    out = fields.copy()
    for field in out.reshape(-1, *fields.shape[-2:]):
        missing = ~np.isfinite(field)
        if missing.all():
            field[:] = 0.0
        elif missing.any():
            place = distance_transform_edt(missing, return_distances=False, return_indices=True)
            field[missing] = field[tuple(place)][missing]
    return out


def kilometers_of(layout: Layout) -> float | None:
    """Kilometers between cells along the first spatial axis, None where there are no coordinates."""
    name = layout.dims[1]
    values = layout.coords.get(name)
    if values is None or len(values) < 2:
        return None
    step = float(np.abs(np.diff(values.astype(np.float64))).mean())
    if name.lower().startswith("lat"):
        return step * _DEGREE
    return step / 1000.0 if step > _METERS else step


@contextmanager
def quiet(seed: int) -> Iterator[None]:
    """Numpy's global stream from a seed and as it was afterwards; what the library prints is not heard."""
    before = np.random.get_state()  # noqa: NPY002
    with redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


@dataclass(slots=True)
class FittedRain(FittedPeer):
    """A peer of radar at work; nothing is learned from the training span.

    Attributes:
        method: its options.
        horizon: frames to forecast.
        names: of the recordings.
        minutes: between frames.
        kilometers: between cells.
        notes: which step and cells it takes the data to have.
    """

    method: "RainPeer"
    horizon: int
    names: tuple[str, ...]
    minutes: float
    kilometers: float
    notes: tuple[str, ...] = ()

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """See :class:`rheos.baseline.method.FittedBaseline`; members come from one stream, not one each."""
        check(self.names, recording, origin)
        known = recording.values[max(0, origin - self.method.frames) : origin]
        if len(known) < self.method.frames:
            raise InputError(
                f"{self.method.name()} needs {self.method.frames} frames before a forecast, but only "
                f"{len(known)} precede frame {origin} of sequence {recording.name!r}; give a later origin."
            )
        out = np.empty((len(key), self.horizon, *recording.values.shape[1:]), recording.values.dtype)
        with quiet(int(key.words[0, 0])):
            for channel in range(known.shape[1]):
                out[:, :, channel] = self._channel(known[:, channel], len(key), int(key.words[0, 0]))
        return out

    def _channel(self, known: np.ndarray, members: int, seed: int) -> np.ndarray:
        """Members `(member, horizon, y, x)` of one variable, in mm/h."""
        seen = decibels(known)
        if not (seen > DRY_DB).any():
            return np.zeros((members, self.horizon, *known.shape[1:]))
        made = self.method.members(
            seen, motion(seen), (members, self.horizon), (self.minutes, self.kilometers), seed % 2**32
        )
        return nearest(rates(made))


def motion(seen: np.ndarray) -> np.ndarray:
    """Cells a frame that the rain `(frames, y, x)` moves, `(2, y, x)`, x first."""
    from pysteps.motion import get_method

    return np.asarray(get_method("LK")(seen), np.float64)


class RainPeer(Peer):
    """Base of the peers that take each variable for a field of rain rates.

    Attributes:
        frames: last frames from which motion and law are estimated.
        minutes: between frames; None: from the stamps.
        kilometers: between cells; None: from the coordinates, 1 where there are none.
    """

    packages: ClassVar[tuple[str, ...]] = ("pysteps",)
    modules: ClassVar[tuple[str, ...]] = ("cv2",)
    extra: ClassVar[str] = "radar"
    frames: int = Field(default=3, ge=3)
    minutes: float | None = Field(default=None, gt=0)
    kilometers: float | None = Field(default=None, gt=0)

    @classmethod
    def suits(cls, layout: Layout) -> bool:
        """Only what says that it is a field of rain rates."""
        return len(layout.dims) == 3 and all(unit.strip() in _RATES[1:] for unit in layout.units)

    @abstractmethod
    def members(
        self,
        seen: np.ndarray,
        velocity: np.ndarray,
        size: tuple[int, int],
        steps: tuple[float, float],
        seed: int,
    ) -> np.ndarray:
        """Members in dB, NaN where the rain comes from outside.

        Args:
            seen: `(frames, y, x)` in dB.
            velocity: `(2, y, x)`, cells a frame.
            size: members and frames ahead.
            steps: minutes between frames and kilometers between cells.
            seed: of random numbers.

        Returns:
            `(member, horizon, y, x)`.
        """

    def fit(self, dataset: Dataset, horizon: int) -> FittedRain:
        """See :class:`rheos.baseline.method.Baseline`.

        Raises:
            InputError: the data are no fields of rain rates, or their time step is unknown.
        """
        self.require()
        layout = dataset.layout
        if len(layout.dims) != 3:
            raise InputError(
                f"{self.name()} forecasts fields with two axes in space, but this source has "
                f"{len(layout.dims) - 1}; leave it out."
            )
        for channel, unit in zip(layout.channels, layout.units, strict=True):
            if unit.strip() not in _RATES:
                raise InputError(
                    f"{self.name()} takes rain rates in mm/h, but {channel!r} is in {unit!r}; convert it or "
                    "leave the method out."
                )
        step = None if layout.frequency is None else step_seconds(layout.frequency) / 60.0
        minutes = self.minutes or step
        if minutes is None:
            raise InputError(
                f"{self.name()} needs the minutes between frames, which the stamps do not tell; give "
                "data.time or data.frequency."
            )
        told = self.kilometers or kilometers_of(layout)
        kilometers = 1.0 if told is None else told
        assumed = "" if told else ", for want of coordinates"
        note = f"took values for mm/h, frames of {minutes:g} min and cells of {kilometers:.3g} km{assumed}"
        names = tuple(recording.name for recording in dataset.recordings)
        return FittedRain(self, horizon, names, minutes, kilometers, (note,))
