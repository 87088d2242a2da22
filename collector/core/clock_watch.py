"""I/O: whether the machine's clock may be believed by what removes data for good.

A clock that is wrong for some seconds, at a boot before the time is fetched or by a hand that set
it, would have all that is kept lapse. It is held against how long it has been since it was right,
over restarts too, and believed again once it is back or has run evenly for a day.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from collector.core.clock import NS_PER_DAY, NS_PER_HOUR

_STEP_NS: Final = NS_PER_HOUR  # clocks of machines are set by less, and rows are kept by the day
# A service may have been off for so long; by as much rows may lapse too soon.
_OFF_NS: Final = 3 * NS_PER_DAY
_EVEN_NS: Final = NS_PER_DAY


def boot_ns() -> int:
    """Return nanoseconds since the machine was booted, those of its sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class ClockWatch:
    """What is known of the time, kept in a file of its own.

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
        off_ns = _OFF_NS if is_first else _STEP_NS
        if -_STEP_NS <= ahead_ns <= off_ns or self._even_ns >= _EVEN_NS:
            self._known_ns, self._even_ns, ahead_ns = now_ns, 0, 0
        self._ahead_ns = ahead_ns
        self._keep()
        return ahead_ns

    def _keep(self) -> None:
        draft = self._path.with_suffix(".draft")
        with contextlib.suppress(OSError):  # a full disk needs what lapses
            draft.write_text(json.dumps([self._known_ns, self._even_ns]))
            draft.replace(self._path)


def _read(path: Path) -> tuple[int, int]:
    try:
        known_ns, even_ns = json.loads(path.read_text())
        return int(known_ns), int(even_ns)
    except (OSError, ValueError, TypeError):
        return 0, 0
