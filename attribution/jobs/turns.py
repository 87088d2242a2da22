"""I/O: turns between threads: whoever waits comes before whoever had the last one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that a thread cannot take again and again while another waits for it.

    Of `threading.Lock` a thread that lets it go and takes it at once is nearly always the first.
    """

    def __init__(self) -> None:
        self._next = threading.Lock()  # held by the one that waits
        self._taken = threading.Lock()

    @property
    def is_free_for_next(self) -> bool:
        """Return whether nobody waits."""
        return not self._next.locked()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it."""
        with self._next:
            self._taken.acquire()
        try:
            yield
        finally:
            self._taken.release()
