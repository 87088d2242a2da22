"""I/O: what is written to a segment of the log, and read of it without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from collector.wal.frames import HEAD_BYTES_MAX, TRAILER_BYTES, first_end, received_of

# IOV_MAX of Linux and macOS.
_PARTS_MAX = 1024


def first_received_ns(path: Path) -> int:
    """Return when the first request of a segment came, 0 where it does not say."""
    with path.open("rb") as file:
        end = first_end(file.read(HEAD_BYTES_MAX))
        if not end:
            return 0
        file.seek(end - TRAILER_BYTES)
        return received_of(file.read(TRAILER_BYTES))


def write_all(descriptor: int, parts: Sequence[bytes]) -> None:
    """Write parts behind one another, without making one of them.

    Raises:
        OSError: the disk is full or broken; some of it may have been written.
    """
    left = [memoryview(part) for part in parts if part]
    index = 0
    while index < len(left):
        written = os.writev(descriptor, left[index : index + _PARTS_MAX])
        while index < len(left) and written >= len(left[index]):
            written -= len(left[index])
            index += 1
        if written:
            left[index] = left[index][written:]
