"""Pure: when a sender is welcome again, from how fast what it waits for is done.

For a full log that is bytes that leave it for the store; for a full receiver, calls.
"""

from __future__ import annotations

import math
from collections import deque

from collector.clock import NS_PER_S, Clock

# Long enough for a few inserts, which come once a second or more rarely.
WINDOW_NS = 30 * NS_PER_S
SECONDS_MIN = 1
# Also what is said while nothing leaves the log: a store that is back is used within this time.
SECONDS_MAX = 30
_RELEASES_MAX = 1_024


class DrainRate:
    """What left during the last half minute. Its owner locks it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._releases: deque[tuple[int, int]] = deque(maxlen=_RELEASES_MAX)
        self._begun_ns = clock.monotonic_ns()

    def note(self, count: int) -> None:
        """Count what has just left."""
        if len(self._releases) == _RELEASES_MAX:
            # What is forgotten shall not count as a time in which nothing left.
            self._begun_ns = self._releases[0][0]
        self._releases.append((self._clock.monotonic_ns(), count))

    def seconds_for(self, count: int) -> int:
        """Return the seconds until `count` more will have left, between 1 and 30."""
        now_ns = self._clock.monotonic_ns()
        while self._releases and self._releases[0][0] < now_ns - WINDOW_NS:
            self._begun_ns = self._releases.popleft()[0]
        released = sum(size for _, size in self._releases)
        if released <= 0:
            return SECONDS_MAX
        over_ns = min(max(now_ns - self._begun_ns, 1), WINDOW_NS)
        seconds = math.ceil(count * over_ns / (released * NS_PER_S))
        return min(max(seconds, SECONDS_MIN), SECONDS_MAX)
