"""Large buffers that stay: on Linux, glibc gives big blocks back to the system at every free.

Each evaluation of a network then faults its activations in again, page by page. Raising glibc's
thresholds keeps the pages. The command line does this for its own process; a library must not.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
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
    # glibc caps the mmap threshold at 32 MiB on 64 bits unless it is set; above that it must be asked.
    return bool(mallopt(_TRIM_THRESHOLD, _LIMIT) and mallopt(_MMAP_THRESHOLD, 2**25))
