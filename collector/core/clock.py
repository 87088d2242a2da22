"""I/O: the only module that reads the time.

Needs nothing but the standard library, because a customer's service imports it through
`collector.instrument.instrument`.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_S
NS_PER_HOUR = 60 * NS_PER_MINUTE
NS_PER_DAY = 24 * NS_PER_HOUR


class Clock(Protocol):
    """Where a component reads the time; a test passes another one."""

    def now_ns(self) -> int:
        """Return Unix epoch nanoseconds."""
        ...

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never step; the zero is arbitrary."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        """Return Unix epoch nanoseconds as the machine has them, steps included."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds since an arbitrary zero; never steps back."""
        return time.monotonic_ns()


class RisingClock:
    """Unix epoch nanoseconds that never fall, for whoever remembers how far they have come.

    Where the clock under it was set back, it goes on at half its pace until that has caught up, so
    that what waits for some seconds still ends. Safe between threads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._newest_ns = 0
        self._read_ns = clock.monotonic_ns()

    def now_ns(self) -> int:
        """Return Unix epoch nanoseconds, no fewer than any time before."""
        with self._lock:
            mono_ns = self._clock.monotonic_ns()
            slow_ns = self._newest_ns + max(mono_ns - self._read_ns, 0) // 2
            self._newest_ns, self._read_ns = max(self._clock.now_ns(), slow_ns), mono_ns
            return self._newest_ns

    def raise_to(self, floor_ns: int) -> None:
        """Return no instant up to this one from now on."""
        with self._lock:
            self._newest_ns = max(self._newest_ns, floor_ns + 1)
            self._read_ns = self._clock.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds since an arbitrary zero; never steps back."""
        return self._clock.monotonic_ns()


class AnchoredClock:
    """Unix epoch nanoseconds that do not step: one anchor of wall time plus monotonic time.

    A duration taken from two readings of one anchor is exact to the bracket of the anchor
    (about 0.1 us), even when the wall clock is stepped in between. `anchor_id` names the anchor,
    so that a reader can tell which readings may be subtracted.
    """

    __slots__ = ("_mono0_ns", "anchor_id", "bracket_ns", "offset_ns")

    # The clock under it, called as it is: a stamp is this reading, and `offset_ns` is added later.
    read_ns = staticmethod(time.monotonic_ns)

    def __init__(self) -> None:
        best = None
        # Of five tries the tightest bracket is kept: a preempted try is microseconds wide.
        for _ in range(5):
            before = time.monotonic_ns()
            wall = time.time_ns()
            after = time.monotonic_ns()
            if best is None or after - before < best[0]:
                best = (after - before, wall, before + (after - before) // 2)
        assert best is not None
        self.bracket_ns, wall_ns, self._mono0_ns = best
        self.offset_ns = wall_ns - self._mono0_ns
        self.anchor_id = f"{wall_ns:x}"

    def now_ns(self) -> int:
        """Return Unix epoch nanoseconds on this anchor."""
        return self.offset_ns + time.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Return the monotonic reading that `now_ns` rests on."""
        return time.monotonic_ns()
