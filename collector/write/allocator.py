"""I/O: how the C library's allocator gives memory back.

glibc takes a block from the machine, and hands it back when it is freed, only above a limit that
it raises to the largest block that was ever freed, up to 32 MiB. After one request of 20 MiB every
body and every text made of it lies among small blocks in the arena of its thread, and none of that
returns: after 16 requests of 12 MiB in JSON, 249 MiB stayed for good, and 14 now.

A limit that is too low costs more than it saves. Arrays of the spans of some seconds have a
megabyte, and each page of a block that came from the machine is cleared first: at 8,000 decisions
a second that took a quarter of all CPU of attribution.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
# More than a request of 512 spans, or one column of 200,000. What is larger is rare enough for a
# system call of its own.
_LARGE_BYTES: Final = 2 * 1024 * 1024
# What is free at the end of an arena is kept for the next array up to so much.
_KEPT_BYTES: Final = 32 * 1024 * 1024


def return_large_blocks() -> bool:
    """Let every large block go back when it is freed, for the rest of the process.

    Returns whether the C library can; musl always does.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return (
        mallopt is not None
        and mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES) == 1
        and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES) == 1
    )
