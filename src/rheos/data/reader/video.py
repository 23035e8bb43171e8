"""Videos, by PyAV (the extra `video`): frames become fields `(frames, channel, y, x)` of values 0 to 255.

A frame is made smaller as it comes, by the mean over the area that each cell covers, so that no more than
the frames wanted, at the size wanted, is ever held. The first frame stands at 1970-01-01, as files seldom
say when they were taken; stamps follow at the frame rate.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rheos.core.sizes import read_bytes
from rheos.data.dataset import Layout
from rheos.data.options import DataOptions
from rheos.data.reader.files import existing
from rheos.data.reader.problem import SourceError
from rheos.data.reader.raw import Raw, RawSequence

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif")

# Nothing but these is tried, and none of them may open another file or address.
_DEMUXERS = {"format_whitelist": "mov,matroska,avi,gif", "protocol_whitelist": "none"}
_CHANNELS = {"gray": ("gray", ("intensity",)), "rgb": ("rgb24", ("red", "green", "blue"))}
_OFF_BEAT = 0.25  # of a step: beyond it frames keep no time


def from_video(path: Path, options: DataOptions) -> Raw:
    """Read a video.

    Raises:
        SourceError: PyAV is not there, or the file is none, is damaged, keeps no time, or is too large.
    """
    return from_videos([path], options, str(path))


def from_videos(paths: Sequence[Path], options: DataOptions, origin: str) -> Raw:
    """Read several clips of one size and frame rate as recordings named after their files.

    Raises:
        SourceError: one of them cannot be read, or they differ.
    """
    _require_av(origin)
    taken, clips = 0, []
    for path in paths:
        clips.append(_clip(existing(path), options, taken))
        taken += clips[-1].frames.nbytes
    first = clips[0]
    for path, clip in zip(paths, clips, strict=True):
        if (clip.frames.shape[1:], clip.step) != (first.frames.shape[1:], first.step):
            raise SourceError(
                f"{str(path)!r} has {clip.told} and {str(paths[0])!r} has {first.told}",
                advice="bring clips that belong together to one size and frame rate",
            )
    names = [path.stem for path in paths] if len(paths) > 1 else [""]
    sequences = [clip.sequence(name) for name, clip in zip(names, clips, strict=True)]
    layout = Layout(
        kind="field",
        dims=("channel", "y", "x"),
        channels=_CHANNELS[options.color][1],
        frequency=f"{first.step}us",
        periodic=(False, False),
        attributes={"frame_rate": f"{1e6 / first.step:.5g}"},
        sequence="clip",
    )
    notes = ["stamps begin at 1970-01-01 and follow at the frame rate"]
    return Raw(origin=origin, layout=layout, sequences=sequences, notes=notes)


@dataclass(frozen=True, slots=True)
class _Clip:
    """Frames `(frames, channel, y, x)` float32 at whole numbers of steps of so many microseconds."""

    frames: np.ndarray
    places: np.ndarray
    step: int

    @property
    def told(self) -> str:
        """Size and rate, for messages."""
        _, _, height, width = self.frames.shape
        return f"frames of {height} x {width} at {1e6 / self.step:.5g} a second"

    def sequence(self, name: str) -> RawSequence:
        """With stamps."""
        stamps = pd.DatetimeIndex((self.places * self.step).astype("datetime64[us]"))
        found = RawSequence.of(self.frames, stamps)
        found.name = name
        return found


def _require_av(origin: str) -> None:
    if find_spec("av") is None:
        raise SourceError(
            f"{origin!r} is a video, which needs PyAV", advice="install it with pip install 'rheos[video]'"
        )


def _clip(path: Path, options: DataOptions, taken: int) -> _Clip:
    """Decode one file of which `taken` bytes of frames came before."""
    frames: list[np.ndarray] = []
    seconds: list[float | None] = []
    kept: list[int] = []
    with _opened(path) as (container, stream):
        rates = [rate for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
        expected = _expected(stream, rates)
        small = _Smaller(stream.height, stream.width, options, str(path))
        room = _Room(options.memory, taken, small, str(path))
        room.require(-(-expected // options.every))
        rate = float(rates[0]) if rates else 0.0
        for number, frame in enumerate(_decoded(container, stream, path)):
            seconds.append(None if frame.pts is None else float(frame.pts * frame.time_base))
            # Whether a frame is wanted is settled by its time: frames that were left out count too.
            since = seconds[-1] is not None and seconds[0] is not None and rate > 0
            place = round((seconds[-1] - seconds[0]) * rate) if since else number  # type: ignore[operator]
            if place % options.every == 0:
                room.require(len(frames) + 1)
                frames.append(small(frame, number))
                kept.append(number)
    _require_whole(path, stream.frames, len(seconds), expected)
    places, exact = _places(path, seconds, rates)
    whole = places[kept]
    if (whole % options.every).any():
        raise _varying(path, np.array(seconds, float))
    return _Clip(np.stack(frames), whole // options.every, round(1e6 * options.every / exact))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The file and its first stream of pictures.

    A file object, never a name: what is opened is this file, whatever its content asks for.
    """
    import av

    if path.stat().st_size == 0:
        raise SourceError(f"{str(path)!r} is empty: the file has 0 bytes")
    try:
        with path.open("rb") as file, av.open(file, "r", options=_DEMUXERS) as container:
            if not container.streams.video:
                raise SourceError(
                    f"{str(path)!r} holds no video stream, only {_kinds(container)}", advice="give a video"
                )
            stream = container.streams.video[0]
            if stream.codec_context is None or not stream.height or not stream.width:
                raise SourceError(f"{str(path)!r} has frames of no size or no decoder", advice="convert it")
            yield container, stream
    except (av.error.FFmpegError, io.UnsupportedOperation, UnicodeDecodeError) as error:
        raise SourceError(
            f"{str(path)!r} is not a readable video ({_reason(error)})", advice="fetch or write it again"
        ) from None
    except OSError as error:
        raise SourceError(f"{str(path)!r} cannot be opened: {error.strerror or error}") from None


def _kinds(container: Any) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).split("\n")[0].rstrip(".")[:120]


def _expected(stream: Any, rates: Sequence[Fraction]) -> int:
    """How many frames the file says it has, or its length gives; 0 where neither is known."""
    if stream.frames or not (stream.duration and stream.time_base and rates):
        return int(stream.frames)
    return int(stream.duration * stream.time_base * rates[0])


def _decoded(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    import av

    number = -1
    try:
        for number, frame in enumerate(container.decode(stream)):
            if frame.is_corrupt:
                raise SourceError(f"{str(path)!r} is damaged at frame {number}", advice="fetch it again")
            yield frame
    except av.error.FFmpegError as error:
        raise SourceError(
            f"{str(path)!r} is damaged after {number + 1} frames ({_reason(error)})", advice="fetch it again"
        ) from None


def _require_whole(path: Path, said: int, found: int, expected: int) -> None:
    if found == 0:
        raise SourceError(f"{str(path)!r} holds no frame", advice="give a video with at least two")
    if said and found < min(said, expected) - 1:
        raise SourceError(
            f"{str(path)!r} says that it has {said} frames, but only {found} can be decoded",
            advice="fetch it again",
        )


def _places(
    path: Path, seconds: Sequence[float | None], rates: Sequence[Fraction]
) -> tuple[np.ndarray, float]:
    """Numbers of the frames on a regular axis, some perhaps left out, and its rate.

    Raises:
        SourceError: no rate of the file's own, and not the usual step, fits its frames.
    """
    if any(second is None for second in seconds) or len(seconds) < 2:
        return np.arange(len(seconds)), float(rates[0]) if rates else 1.0
    times = np.array(seconds, np.float64)
    times -= times[0]
    usual = float(np.median(np.diff(times)))
    for rate in (*map(float, rates), *([1.0 / usual] if usual > 0 else [])):
        places = np.round(times * rate).astype(np.int64)
        steps = np.diff(places)
        if np.abs(times * rate - places).max() <= _OFF_BEAT and steps.min() > 0 and np.median(steps) == 1:
            return places, rate
    raise _varying(path, times)


def _varying(path: Path, times: np.ndarray) -> SourceError:
    steps = 1e3 * np.diff(times)
    return SourceError(
        f"{str(path)!r} has a variable frame rate: its frames come {steps.min():.0f} to {steps.max():.0f} "
        "ms apart",
        advice="convert it to a constant one",
    )


class _Smaller:
    """Decoded frames at the size wanted, each cell the mean over the area it covers."""

    def __init__(self, height: int, width: int, options: DataOptions, origin: str) -> None:
        self.format, self.channels = _CHANNELS[options.color]
        self.full = (height, width)
        self.size = _size(height, width, options, origin)
        self._origin = origin
        self._rows, self._columns = (area_means(*pair) for pair in zip(self.full, self.size, strict=True))

    def __call__(self, frame: Any, number: int) -> np.ndarray:
        """`(channel, y, x)` float32."""
        if (frame.height, frame.width) != self.full:
            raise SourceError(
                f"{self._origin!r} changes its size at frame {number}", advice="convert it to one size"
            )
        pixels = frame.to_ndarray(format=self.format).reshape(*self.full, -1)
        planes = np.moveaxis(pixels, -1, 0).astype(np.float32)
        return planes if self.size == self.full else self._rows @ planes @ self._columns.T


def area_means(before: int, after: int) -> np.ndarray:
    """Weights `(after, before)` float32 of the mean over the area that each of `after` cells covers."""
    edges = np.arange(after + 1) * (before / after)
    cells = np.arange(before)
    covered = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return (np.clip(covered, 0.0, None) * (after / before)).astype(np.float32)


def _size(height: int, width: int, options: DataOptions, origin: str) -> tuple[int, int]:
    wanted = options.size
    if wanted is None:
        return height, width
    if isinstance(wanted, float):
        return max(1, round(wanted * height)), max(1, round(wanted * width))
    if wanted[0] > height or wanted[1] > width:
        raise SourceError(
            f"data.size=[{wanted[0]},{wanted[1]}] is larger than the frames of {origin!r}, which are "
            f"{height} x {width}",
            advice="give a smaller one, height first",
        )
    return wanted


@dataclass(frozen=True, slots=True)
class _Room:
    """What decoded frames may take."""

    allowed: str
    taken: int
    small: _Smaller
    origin: str

    def require(self, frames: int) -> None:
        """Raise SourceError where so many frames would not fit."""
        need = self.taken + 4 * frames * len(self.small.channels) * int(np.prod(self.small.size))
        if need <= read_bytes(self.allowed, "data.memory"):
            return
        height, width = self.small.size
        raise SourceError(
            f"{self.origin!r} takes at least {need / 2**20:.0f} MiB as {frames} frames of {height} x {width}"
            f", more than data.memory={self.allowed}",
            advice="make it smaller with data.size=0.25, take fewer frames with data.every=2, or allow more",
        )
