"""I/O: temporary files in memory, for as long as the log is encrypted.

The client hands the embedded engine what it inserts in a temporary file, where requests would lie
in the clear. With an encrypted log that file must not be on a disk: it is made in a directory of
our own on a tmpfs. A process that was killed leaves its directory, in memory too; whoever comes
next removes it, and knows by its lock that nobody uses it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from collector.core.errors import ConfigError

MEMORY_DIR: Final = Path("/dev/shm")  # noqa: S108 - it is checked to be in memory; its files are ours
_MOUNTS: Final = Path("/proc/self/mounts")
_IN_MEMORY: Final = ("tmpfs", "ramfs")
_PREFIX: Final = "millworth-"
_LOCK: Final = "lock"


class MemoryFiles:
    """Where this process makes its temporary files from now on, until `close`."""

    def __init__(self, parent: Path = MEMORY_DIR, mounts: Path = _MOUNTS) -> None:
        """Move them.

        Raises:
            ConfigError: there is no memory to be written to at `parent`.
        """
        if not is_in_memory(parent, mounts.read_text(encoding="utf-8")):
            raise ConfigError(
                f"encryption.keys: {parent} is not a tmpfs, so what is stored would pass a disk in "
                f"the clear; mount one there (`mount -t tmpfs tmpfs {parent}`)"
            )
        _remove_abandoned(parent)
        try:
            self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(
                f"encryption.keys: {parent} cannot be written: {error.strerror}; make it writable"
            ) from error
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._before = tempfile.tempdir
        tempfile.tempdir = str(self.directory)

    def close(self) -> None:
        """Make temporary files where they were made before."""
        tempfile.tempdir = self._before
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._lock)


def is_in_memory(path: Path, mounts: str) -> bool:
    """Return whether a directory is on a file system in memory.

    Args:
        path: absolute.
        mounts: the text of /proc/self/mounts; of several at one place the last is on top.
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = Path(fields[1].encode().decode("unicode_escape"))
        if path.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), fields[2]
    return kind in _IN_MEMORY


def _remove_abandoned(parent: Path) -> None:
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:
            continue  # somebody else's
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
