"""I/O: what makes writes durable, one object, so that a crash test can note what was synced.

And what it means that the machine refuses a path of ours, or files at all.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from collector.core.errors import (
    ConfigError,
    InputError,
    MillworthError,
    PermanentError,
    TransientError,
)

# A service at rest has 80 files open, and the embedded engine waits for ever where it gets none.
# Most shells let a process have 1,024, fewer than strangers may connect, and more if it asks.
_FILES_MIN: Final = 512
_FILES_WANTED: Final = 65_536
# What may pass without a change of settings, and what a person does about it meanwhile.
_PASSING: Final = {
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "free space on its disk, or raise the quota",
    errno.EIO: "repair its disk",
    errno.ENFILE: "look at what has so many files of this machine open",
    errno.ENOMEM: "free memory of this machine",
}


class Disk:
    """The machine's disk; what it has synced outlives a power cut."""

    def sync(self, descriptor: int) -> None:
        """Make the content of an open file durable."""
        os.fdatasync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        """Make durable which files a directory has."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unusable(
    what: str, error: OSError, remedy: str, kind: type[PermanentError] = InputError
) -> MillworthError:
    """Return the error of ours where the machine refuses a file or a directory.

    Args:
        what: the path, after the setting that names it.
        error: of the machine.
        remedy: for what stays until a person changes it.
        kind: of the error in that case.
    """
    why = error.strerror or str(error)
    if error.errno in _PASSING:
        return TransientError(f"{what}: {why}; {_PASSING[error.errno]}")
    return kind(f"{what}: {why}; {remedy}")


def closed_to_us(path: Path) -> Path | None:
    """Return the first of a file or a directory, and all in it, that this user may not use.

    To use is to read and to write, and a directory to enter; a key is only read.
    """
    if not may_use(path):
        return path
    for place, directories, files in os.walk(path):
        if "lost+found" in directories:  # of the file system, where the directory is one
            directories.remove("lost+found")
        for name in (*directories, *files):
            entry = Path(place, name)
            if not entry.is_symlink() and not may_use(entry):
                return entry
    return None


def barred(path: Path) -> Path | None:
    """Return the first of a path's directories that this user may not enter, where one is."""
    for place in reversed(path.absolute().parents):
        with suppress(FileNotFoundError):
            if not os.access(place, os.X_OK, effective_ids=True) and place.is_dir():
                return place
    return None


def remedy_of(closed: Path, of_user: str) -> str:
    """Return what to do about a path that this user may not use.

    Args:
        closed: the path.
        of_user: the remedy where it is another user's.
    """
    with suppress(OSError):
        if os.statvfs(closed).f_flag & os.ST_RDONLY:
            return "its file system can only be read: look why, and mount it to be written"
    return of_user


def may_use(path: Path) -> bool:
    """Return whether the machine lets this user use a path, and its mode does.

    Root that became the user of a store keeps its rights, and would find all of it open.
    """
    needs = os.R_OK | os.W_OK
    if path.suffix == ".key":
        needs = os.R_OK
    try:
        status, user = path.stat(), os.geteuid()
        needs |= os.X_OK if stat.S_ISDIR(status.st_mode) else 0
    except FileNotFoundError:  # removed meanwhile
        return True
    except OSError:
        return False
    if status.st_uid == user:
        bits = status.st_mode >> 6
    else:
        is_of_group = status.st_gid in (os.getegid(), *os.getgroups())
        bits = status.st_mode >> 3 if is_of_group else status.st_mode
    return os.access(path, needs, effective_ids=True) and (user == 0 or bits & needs == needs)


def require_files() -> None:
    """Have this process open as many files as it is allowed to, if it asks.

    Raises:
        ConfigError: these are too few.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if most < _FILES_MIN:
        raise ConfigError(
            f"this process may have {most} files open and needs {_FILES_MIN}; raise that with "
            "`ulimit -n 4096`, or LimitNOFILE in its unit"
        )
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
