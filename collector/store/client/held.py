"""I/O: whether another process has the directory of an embedded store, and what that means.

The engine finds out as well, and writes a stack to standard error before it says so.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from collector.core.clock import SystemClock
from collector.core.errors import InputError, MillworthError, StoreUnavailableError
from collector.core.times import NS_PER_S

# The engine has it locked while it runs.
LOCK_FILE: Final = "status"
# A start takes some seconds, and on a busy machine, or with a large log, a minute.
_STARTS_S: Final = 120.0


def held_s(store: Path) -> float | None:
    """Return for how many seconds another process has had a store open, None where none has it."""
    try:
        with (store / LOCK_FILE).open("rb") as file:
            status = os.fstat(file.fileno())
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if not _is_open_here(status, file.fileno()):
                    return max(SystemClock().now_ns() - status.st_mtime_ns, 0) / NS_PER_S
    except OSError:
        return None
    return None


def _is_open_here(status: os.stat_result, but: int) -> bool:
    """Return whether this process has a file open, but for one descriptor.

    The process that the file names says nothing: in containers each is number one.
    """
    for descriptor in (int(each.name) for each in Path("/proc/self/fd").iterdir()):
        with suppress(OSError):  # closed meanwhile
            if descriptor != but and os.path.samestat(os.fstat(descriptor), status):
                return True
    return False


def held_elsewhere(path: Path | None, base_url: str, part: str = "") -> MillworthError:
    """Return what a command says where another process holds a store, and no service answers.

    Args:
        path: of the store.
        base_url: where nothing answers.
        part: of the service that would: "" for all of it.
    """
    since_s = None if path is None else held_s(path)
    message = f"store {path} is held by another process"
    if since_s is not None and since_s < _STARTS_S:
        return StoreUnavailableError(
            f"{message}, since {since_s:.0f} s, whose {part or 'service'} does not answer at "
            f"{base_url} yet: it is starting (`millworth ready` says when it has), or is another "
            "command; try again then. If it serves elsewhere, name its address with --url"
        )
    return InputError(
        f"{message} whose {part or 'service'} does not answer at {base_url}; name its address with "
        "--url, and if that is its address see its log: it may hang"
    )
