"""Large buffers that stay: on Linux, glibc gives big blocks back to the system at every free.

Each evaluation of a network then faults its activations in again, page by page, which costs as much as
the network does on large fields. Without mappings of their own, big blocks stay in the heap and keep their
pages. The command line does this for its own process; a library must not.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_LIMIT = 2**31 - 1


def keep_large_buffers() -> bool:
    """Tell glibc to keep freed memory for the next allocation; where there is no glibc, do nothing.

    Returns:
        Whether the setting was made.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # The threshold of a mapping cannot exceed 32 MiB, less than one activation of a global grid; the
    # number of mappings can be 0.
    return bool(mallopt(_TRIM_THRESHOLD, _LIMIT) and mallopt(_MMAP_MAX, 0))
