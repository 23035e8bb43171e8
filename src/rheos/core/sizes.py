"""Sizes of memory as people write them."""

import re

from rheos.core.errors import InputError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def read_bytes(text: str | float, name: str = "memory") -> int:
    """A size: "2GB", "512M", or a number of bytes.

    Args:
        text: as it was written.
        name: of the option, for messages.

    Raises:
        InputError: it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMGT]?)i?B?\s*", str(text), re.IGNORECASE)
    if not match:
        raise InputError(f"{name}={text!r} is not a size such as 2GB or 512MB.")
    return int(float(match[1]) * _UNITS[match[2].upper()])
