"""I/O: ends calls whose message does not come, for a thread waits for each of them.

gRPC's synchronous server has no such limit: a sender that opens a call and sends half a message
would hold a thread for as long as it likes, and a few dozen would hold them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from collector.core.worker import Worker

_LOOKS_PER_LIMIT = 4
# While others wait for a thread, a message that takes longer than this gives its thread up.
CROWDED_SECONDS_MAX = 2.0


class Call(Protocol):
    """What can be ended; a gRPC ServicerContext."""

    def cancel(self) -> object:
        """End the call."""
        ...


class SlowReads:
    """The calls whose message is being read."""

    def __init__(
        self,
        seconds_max: float,
        is_crowded: Callable[[], bool],
        counters: Counters,
        listener: str,
        clock: Clock,
    ) -> None:
        self._seconds_max = seconds_max
        self._is_crowded = is_crowded
        self._cancelled = counters.connections_refused.labels(listener, "slow_body")
        self._clock = clock
        self._since_ns: dict[Call, int] = {}
        self._stopping = threading.Event()
        self.worker = Worker("otlp-slow-reads", self._run, counters, clock)

    def start(self) -> None:
        """Look again and again."""
        self.worker.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self.worker.end()

    @contextmanager
    def reading(self, call: Call) -> Iterator[None]:
        """Watch one call for as long as its message is read."""
        self._since_ns[call] = self._clock.monotonic_ns()
        try:
            yield
        finally:
            self._since_ns.pop(call, None)

    def sweep(self) -> None:
        """End the calls that have been read for too long."""
        limit_s = self._seconds_max
        if self._is_crowded():
            limit_s = min(limit_s, CROWDED_SECONDS_MAX)
        before_ns = self._clock.monotonic_ns() - round(limit_s * NS_PER_S)
        for call, since_ns in list(self._since_ns.items()):
            if since_ns <= before_ns and self._since_ns.pop(call, None) is not None:
                self._cancelled.inc()
                call.cancel()

    def _run(self) -> None:
        pause_s = min(self._seconds_max, CROWDED_SECONDS_MAX) / _LOOKS_PER_LIMIT
        while not self._stopping.wait(pause_s):
            self.sweep()
