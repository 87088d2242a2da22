"""Pure: when a sender is welcome again, from how fast what it waits for is done.

For a full log that is bytes that leave it for the store; for a full receiver, calls.
"""

from __future__ import annotations

import math
from collections import deque

from collector.core.clock import Clock
from collector.core.times import NS_PER_S

# Long enough for a few inserts, which come once a second or more rarely.
WINDOW_NS = 30 * NS_PER_S
SECONDS_MIN = 1
# A store that is back is used within this time.
SECONDS_MAX = 30
_RELEASES_MAX = 1_024


class DrainRate:
    """What left during the last half minute, and how long that took. Its owner locks it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._releases: deque[tuple[int, int, int]] = deque(maxlen=_RELEASES_MAX)
        self._since_ns = clock.monotonic_ns()

    def begin(self) -> None:
        """Something waits to leave where nothing did: until now there was nothing to be done."""
        self._since_ns = self._clock.monotonic_ns()

    def note(self, count: int, took_ns: int | None = None) -> None:
        """Count what has just left.

        Args:
            count: of it.
            took_ns: how long that was worked at; by default since the last that left.
        """
        now_ns = self._clock.monotonic_ns()
        took_ns = now_ns - self._since_ns if took_ns is None else took_ns
        self._releases.append((now_ns, count, took_ns))
        self._since_ns = now_ns

    def seconds_for(self, count: int) -> int:
        """Return the seconds until `count` more will have left, between 1 and 30.

        Where nothing has left for a while, as long again: a store that is away may stay away.
        """
        now_ns = self._clock.monotonic_ns()
        while self._releases and self._releases[0][0] < now_ns - WINDOW_NS:
            self._releases.popleft()
        released = sum(size for _, size, _ in self._releases)
        # What is over the window is an outage that has ended, or work that went on side by side.
        took_ns = min(sum(took_ns for _, _, took_ns in self._releases), WINDOW_NS)
        left_ns = count * took_ns // released if released > 0 else 0
        seconds = math.ceil(max(left_ns, now_ns - self._since_ns) / NS_PER_S)
        return min(max(seconds, SECONDS_MIN), SECONDS_MAX)
