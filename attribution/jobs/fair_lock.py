"""I/O: a lock between threads: whoever waits for it comes before whoever had it last."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """A lock that a thread cannot take again and again while another waits for it.

    Of `threading.Lock` a thread that lets it go and takes it at once is nearly always the first.
    """

    def __init__(self) -> None:
        self._next = threading.Lock()  # held by the one that waits
        self._taken = threading.Lock()

    @property
    def has_waiter(self) -> bool:
        """Return whether somebody waits."""
        return self._next.locked()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock, and have it."""
        with self._next:
            self._taken.acquire()
        try:
            yield
        finally:
            self._taken.release()
