"""What SQL from outside must never touch: a file, a socket, a program; and how to see if it did."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from pathlib import Path
from typing import ClassVar

# <sys/inotify.h>: whoever opens, makes, changes, moves or removes a file leaves an event.
_IN_MODIFY, _IN_ATTRIB, _IN_MOVE, _IN_OPEN, _IN_CREATE, _IN_DELETE = 2, 4, 192, 32, 256, 512
_WATCHED = _IN_MODIFY | _IN_ATTRIB | _IN_MOVE | _IN_OPEN | _IN_CREATE | _IN_DELETE


class Canary:
    """A file with a secret, a listener that nobody calls, and a program that nobody starts."""

    SECRET: ClassVar = "canary-4f1d7c"

    def __init__(self, directory: Path) -> None:
        self.file = directory / "secret.txt"
        self.file.write_text(f"{self.SECRET}\n")
        self.program = directory / "program"
        self.program.write_text(f"#!/bin/sh\necho {self.SECRET}\n")
        self.program.chmod(0o700)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK)
        watch = libc.inotify_add_watch(self._events, bytes(directory), _WATCHED)
        assert min(self._events, watch) >= 0, os.strerror(ctypes.get_errno())

    @property
    def address(self) -> str:
        """Return host and port of the listener."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def touched(self) -> str:
        """Return what was touched since the last look, "" for nothing."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._events, 65536)
            return "a file or the program was opened, changed or made"
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()[0].close()
            return "the listener was called"
        return ""

    def close(self) -> None:
        """Stop watching and listening."""
        os.close(self._events)
        self._listener.close()
