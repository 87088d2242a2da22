"""I/O: runs one command: errors of ours are one line, and what it writes is its user's alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from collector.core.errors import MillworthError

_STDOUT, _STDERR = 1, 2


def run(command: Callable[[], object]) -> None:
    """Run a command; an error of ours is one line and exit 2, never a traceback.

    What it writes is for its user alone, whatever the umask that it was started with: the store,
    the log, keys and packets hold what others of this machine may not read.
    """
    os.umask(0o077)
    _hold_standard_streams()
    try:
        command()
    except MillworthError as error:
        sys.stderr.write(f"millworth: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)


def _hold_standard_streams() -> None:
    """Open what we were started without, or a file of the store would get its number.

    What the engine then writes to standard error would be written into that file.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    for number, name in ((_STDOUT, "stdout"), (_STDERR, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
