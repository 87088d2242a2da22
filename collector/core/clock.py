"""I/O: the only module that reads the time.

Needs nothing but the standard library, because a customer's service imports it through
`collector.instrument.instrument`.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from collector.core.times import (
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_S,
)

_STEP_NS: Final = NS_PER_HOUR  # clocks of machines are set by less, and rows are kept by the day
_SET_NS: Final = 10 * NS_PER_S  # by less a clock is slewed, or a reading of it late
# A service may have been off for so long; by as much rows may lapse too soon.
OFF_NS: Final = 3 * NS_PER_DAY
_EVEN_NS: Final = NS_PER_DAY


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


def boot_ns() -> int:
    """Return nanoseconds since the machine was booted, those of its sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class ClockSteps:
    """Since when the machine's clock was not set ahead, for whoever takes what is old for gone.

    Args:
        elapsed_ns: nanoseconds that no hand sets.
    """

    def __init__(self, elapsed_ns: Callable[[], int] = boot_ns) -> None:
        self._elapsed_ns = elapsed_ns
        self._since_ns = self._offset_ns = 0

    def since_ns(self, now_ns: int) -> int:
        """Return when the clock was set ahead last, or of the first look; as the clock has it now.

        Args:
            now_ns: as the clock has it, Unix ns.
        """
        offset_ns = now_ns - self._elapsed_ns()
        if not self._since_ns or offset_ns - self._offset_ns > _SET_NS:
            self._since_ns = now_ns
        self._offset_ns = offset_ns
        return self._since_ns


class ClockWatch:
    """Whether the machine's clock may be believed by what removes data for good.

    A clock that is wrong for some seconds, at a boot before the time is fetched or by a hand that
    set it, would have all that is kept lapse. It is held against how long it has been since it was
    right, over restarts too, and believed again once it is back or has run evenly for a day.

    Args:
        path: of the file; what cannot be read there is as nothing known.
        elapsed_ns: nanoseconds that no hand sets.
    """

    def __init__(self, path: Path, elapsed_ns: Callable[[], int] = boot_ns) -> None:
        self._path = path
        self._elapsed_ns = elapsed_ns
        self._last_elapsed_ns: int | None = None  # None before the first look
        self._known_ns, self._even_ns = _read(path)
        self._ahead_ns = 0

    def look(self, now_ns: int) -> int:
        """Return by how much the clock is ahead of what is known, 0 where it may be believed.

        Args:
            now_ns: as the clock has it, Unix ns.
        """
        elapsed_ns = self._elapsed_ns()
        is_first = self._last_elapsed_ns is None
        passed_ns = 0 if self._last_elapsed_ns is None else elapsed_ns - self._last_elapsed_ns
        self._last_elapsed_ns = elapsed_ns
        self._known_ns = (self._known_ns or now_ns) + passed_ns
        ahead_ns = now_ns - self._known_ns
        is_even = is_first or abs(ahead_ns - self._ahead_ns) <= _STEP_NS
        self._even_ns = self._even_ns + passed_ns if is_even else 0
        off_ns = OFF_NS if is_first else _STEP_NS
        if -_STEP_NS <= ahead_ns <= off_ns or self._even_ns >= _EVEN_NS:
            self._known_ns, self._even_ns, ahead_ns = now_ns, 0, 0
        self._ahead_ns = ahead_ns
        self._keep()
        return ahead_ns

    def _keep(self) -> None:
        draft = self._path.with_suffix(".draft")
        with contextlib.suppress(OSError):  # a full disk needs what lapses
            with draft.open("w") as file:
                file.write(json.dumps([self._known_ns, self._even_ns]))
                file.flush()
                os.fsync(file.fileno())  # a power cut is when a clock is wrong after it
            draft.replace(self._path)


def known_ns(path: Path) -> int:
    """Return the time as a watch knew it last, Unix ns; 0 where nothing is known."""
    return _read(path)[0]


def _read(path: Path) -> tuple[int, int]:
    try:
        known_ns, even_ns = json.loads(path.read_text())
        return int(known_ns), int(even_ns)
    except (OSError, ValueError, TypeError):
        return 0, 0
