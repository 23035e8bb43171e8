"""IDX files, as MNIST comes: two zero bytes, a type, the number of axes, their sizes, then the values."""

import math
from pathlib import Path

import numpy as np

from rheos.data.reader.files import content, existing
from rheos.data.reader.problem import SourceError

_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def idx_array(path: Path) -> np.ndarray:
    """The array of an IDX file, compressed or not, in the machine's byte order.

    Raises:
        SourceError: it is none, or is cut short.
    """
    raw = content(existing(path))
    axes = raw[3] if len(raw) > 3 else 0
    head = 4 + 4 * axes
    if raw[:2] != b"\0\0" or len(raw) < head or axes == 0 or raw[2] not in _TYPES:
        raise SourceError(f"{str(path)!r} is not an IDX file", advice="fetch MNIST's images again")
    kind = np.dtype(_TYPES[raw[2]])
    shape = tuple(np.frombuffer(raw, ">u4", axes, 4).tolist())
    if len(raw) != head + kind.itemsize * math.prod(shape):
        raise SourceError(
            f"{str(path)!r} is an IDX file of shape {shape} with {len(raw) - head} bytes of values where "
            f"{kind.itemsize * math.prod(shape)} belong",
            advice="fetch it again",
        )
    return np.frombuffer(raw, kind, offset=head).reshape(shape).astype(kind.newbyteorder("="))
