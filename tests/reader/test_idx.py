"""IDX files: every type comes back as it was written, damage is told."""

import gzip
import struct

import numpy as np
import pytest

from rheos.core.errors import InputError
from rheos.data.reader.idx import idx_array

TYPES = {8: "u1", 9: "i1", 11: "i2", 12: "i4", 13: "f4", 14: "f8"}


def packed(array: np.ndarray, code: int) -> bytes:
    """As the format's page says: most significant byte first."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + b"".join(struct.pack(f">{'BbhifdB'[list(TYPES).index(code)]}", v) for v in array.ravel())


@pytest.mark.parametrize("code", TYPES)
def test_what_was_written_comes_back(code, tmp_path):
    array = np.arange(24).reshape(2, 3, 4).astype(TYPES[code])
    path = tmp_path / "digits.gz"
    path.write_bytes(gzip.compress(packed(array, code)))
    found = idx_array(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(TYPES[code])


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\0\0\x08\x01\0\0\0\x03ab", "shape (3,) with 2 bytes of values where 3 belong"),
        (b"\0\0\x07\x01\0\0\0\x03abc", "is not an IDX file"),
        (b"\0\0\x08\x03\0\0\0\x03", "is not an IDX file"),
        (b"hello", "is not an IDX file"),
    ],
)
def test_what_is_none_is_told(raw, says, tmp_path):
    path = tmp_path / "digits"
    path.write_bytes(raw)
    with pytest.raises(InputError) as raised:
        idx_array(path)
    assert says in str(raised.value)
