"""I/O: what was received and is not stored yet, so that a job knows how far it may read.

Every request has an instant of its own, later than the one before it, whatever the machine's clock
does: jobs advance by these instants, and one that came back in time would never be read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from collector.core.clock import Clock
from collector.core.times import NS_PER_MINUTE

# A segment is named after its opening; its first request came a little earlier, and where it is
# damaged nobody knows by how much.
_EARLIER_NS = NS_PER_MINUTE


class Arrivals:
    """The requests of one signal on their way to the store; safe between threads.

    Where its clock never falls, as `RisingClock` does not, jobs go on when the machine's is set
    back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._newest_ns = self._live_ns = 0
        self._said_ns = 0  # up to which everything was said to be stored
        self._unlogged: dict[int, str] = {}  # a trace of each, in order of their instants
        self._unstored: dict[Path, int] = {}  # the first instant of each segment
        self._traces: dict[Path, str] = {}  # a trace in each segment

    def begin(self, trace_id: str = "", *, is_live: bool = True) -> int:
        """Return the instant of a request that is there now.

        Args:
            trace_id: one that it carries.
            is_live: whether it comes from a sender, not out of a file.
        """
        with self._lock:
            first_ns = max(self._newest_ns, self._said_ns) + 1
            self._newest_ns = max(self._clock.now_ns(), first_ns)
            if is_live:
                self._live_ns = self._newest_ns
            self._unlogged[self._newest_ns] = trace_id
            return self._newest_ns

    def refused(self, received_ns: int) -> None:
        """Forget a request that goes nowhere."""
        with self._lock:
            self._unlogged.pop(received_ns, None)

    def logged(self, segment: Path, instants: Iterable[int]) -> None:
        """Note that requests are on disk in a segment."""
        with self._lock:
            for received_ns in instants:
                trace_id = self._unlogged.pop(received_ns, "")
                if trace_id:
                    self._traces[segment] = trace_id
                self._unstored[segment] = min(received_ns, self._unstored.get(segment, received_ns))

    def recovered(self, segment: Path, first_ns: int, created_ns: int) -> None:
        """Note a segment of an earlier run.

        Args:
            segment: its file.
            first_ns: when its first request came, Unix ns; 0 where that cannot be read.
            created_ns: when it was opened.
        """
        with self._lock:
            self._unstored[segment] = (
                min(first_ns, created_ns) if first_ns else created_ns - _EARLIER_NS
            )

    def stored(self, segment: Path) -> None:
        """Note that the store has a segment."""
        with self._lock:
            self._unstored.pop(segment, None)
            self._traces.pop(segment, None)

    def example(self, segment: Path) -> dict[str, str] | None:
        """Return the exemplar of a segment: a trace in it, None where it has none."""
        with self._lock:
            trace_id = self._traces.get(segment)
        return {"trace_id": trace_id} if trace_id else None

    @property
    def newest_ns(self) -> int | None:
        """Return when the last request came, None before the first of this process."""
        return self._newest_ns or None

    @property
    def live_ns(self) -> int | None:
        """Return the same of the last request of a sender; a file says nothing of any."""
        return self._live_ns or None

    @property
    def unlogged_ns(self) -> int | None:
        """Return when the oldest request came that is not on disk, None where all are."""
        with self._lock:
            return next(iter(self._unlogged), None)

    @property
    def unstored_ns(self) -> int | None:
        """Return when the oldest request came that is not in the store, None where all are."""
        with self._lock:
            first_unlogged = next(iter(self._unlogged), None)
            instants = [*self._unstored.values()]
        if first_unlogged is not None:
            instants.append(first_unlogged)
        return min(instants, default=None)

    @property
    def unstored_segments(self) -> int:
        """Return how many segments wait for the store, the open one included."""
        with self._lock:
            return len(self._unstored)

    def stored_ns(self) -> int:
        """Return an instant by which everything received is in the store."""
        with self._lock:  # what begins after this has a later instant
            now_ns = self._said_ns = max(self._clock.now_ns(), self._said_ns)
        unstored_ns = self.unstored_ns
        return now_ns if unstored_ns is None else min(now_ns, unstored_ns - 1)
