"""I/O: the directory of the log, which one process has at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from collector.core.disk import Disk, unusable
from collector.core.errors import LogInUseError


def claim_directory(directory: Path, disk: Disk) -> int:
    """Make the directory of the log and lock it; return the descriptor that holds the lock.

    A directory that it makes is there after a power cut too, or what is in it would not be.

    Raises:
        InputError: it cannot be made or written.
        LogInUseError: another process has it.
        TransientError: it has no room, or what else passes by itself.
    """
    remedy = "name another with MILLWORTH__COLLECTOR__WAL_DIR=PATH"
    try:
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        for path in missing:
            disk.sync_directory(path.parent)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        what = f"collector.wal_dir: cannot use {directory}"
        raise unusable(what, error, f"make it writable, or {remedy}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LogInUseError(
            f"collector.wal_dir: {directory} is in use by another process; try again when that "
            f"one has ended, or, if it is of another store, {remedy}"
        ) from error
    return descriptor


def segments_left(directory: Path) -> int:
    """Return how many segments of any log in a directory are not in the store yet."""
    return sum(1 for _ in directory.glob("*.segment"))
