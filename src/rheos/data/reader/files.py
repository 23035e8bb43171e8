"""Bytes of a file, unpacked: gzip, xz, bzip2 and zip are recognized by their first bytes."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from rheos.data.reader.problem import SourceError

_UNPACKERS: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
    b"BZh": ("bzip2", bz2.decompress),
}


def existing(path: Path) -> Path:
    """The path itself.

    Raises:
        SourceError: there is nothing at this place.
    """
    if not path.exists():
        parent = path.parent
        where = "" if parent.exists() else f", and the folder {str(parent)!r} does not exist either"
        raise SourceError(f"there is no file {str(path)!r}{where}", advice="check the path")
    return path


def content(path: Path) -> bytes:
    """What the file holds, unpacked.

    Raises:
        SourceError: it cannot be opened, is empty, or its compression is damaged.
    """
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{str(path)!r} cannot be opened: {error.strerror or error}") from None
    if not packed:
        raise SourceError(f"{str(path)!r} is empty: the file has 0 bytes")
    return unpacked(packed, str(path))


def unpacked(packed: bytes, origin: str) -> bytes:
    """Bytes without their compression, if they have one.

    Raises:
        SourceError: the compression is damaged, or an archive holds several files.
    """
    for magic, (name, unpack) in _UNPACKERS.items():
        if packed.startswith(magic):
            try:
                return unpack(packed)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                what = f"{origin!r} is a damaged {name} file ({str(error).rstrip('.')})"
                raise SourceError(what, advice="fetch it again") from None
    if packed.startswith(b"PK\x03\x04"):
        return _only_member(packed, origin)
    return packed


def _only_member(packed: bytes, origin: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise SourceError(f"{origin!r} is a zip archive of {len(names)} files", advice="unpack it")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise SourceError(f"{origin!r} is a damaged zip file ({error})", advice="fetch it again") from None
