"""I/O: threads, one a receiver: a receiver that is slow or dead holds up no other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context


class Lanes:
    """Runs one piece of work a name at a time; another of that name waits for a later call."""

    def __init__(self, purpose: str, count: int) -> None:
        self._threads = ThreadPoolExecutor(max(1, count), thread_name_prefix=purpose)
        self._running: dict[str, Future[int]] = {}

    def is_free(self, name: str) -> bool:
        """Return whether nothing runs under a name, and nothing that ran waits to be gathered."""
        return name not in self._running

    def begin(self, name: str, work: Callable[[], int]) -> None:
        """Begin the work of a name that is free."""
        assert self.is_free(name)
        self._running[name] = self._threads.submit(copy_context().run, work)

    def gather(self, wait_s: float | None) -> int:
        """Return the sum of what has ended; raise what the first of them raised.

        Args:
            wait_s: how long to wait for what still runs; None until it ends.
        """
        wait(list(self._running.values()), timeout=wait_s)
        ended = {name: future for name, future in self._running.items() if future.done()}
        self._running = {
            name: future for name, future in self._running.items() if name not in ended
        }
        return sum(future.result() for future in ended.values())

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        self._threads.shutdown(wait=True)
