"""I/O: what classes earned in a range of seconds, of which whole hours are kept in memory.

The window of a day is asked for at each run, and moves by seconds: of a busy store that is a
million cells to be read, of which a few thousand are others than before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Table
from attribution.read.reader import Reader
from collector.core.times import NS_PER_HOUR

_HOURS_MAX: Final = 1_000


class EarnedHours:
    """What classes earned, by whole hours as they were read and by seconds at both ends.

    Its owner is the writer of the cells and tells which it sums anew. Another process may write
    too (`millworth recompute` beside a service of another role): so one of the hours asked for,
    the one read longest ago, is read again each time, and all of a day within two dozen runs.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: dict[int, Table] = {}  # by number of the hour, the one read longest ago first

    def between(self, from_ns: int, to_ns: int) -> Table:
        """Return what classes earned in [from, to): rows of `Reader.earned_in`, to be added up."""
        from_ns, to_ns = max(from_ns, 0), max(to_ns, 0)
        first, end = -(-from_ns // NS_PER_HOUR), to_ns // NS_PER_HOUR
        if first >= end:
            return self._reader.earned_in((from_ns, to_ns, to_ns, to_ns), [])
        hours = range(first, end)
        stale = [hour for hour in self._kept if hour in hours][:1]
        missing = [hour for hour in hours if hour not in self._kept] + stale
        ends = from_ns, first * NS_PER_HOUR, end * NS_PER_HOUR, to_ns
        sums = self._reader.earned_in(ends, missing)
        for hour in missing:
            self._kept.pop(hour, None)
            self._kept[hour] = sums.filter(pc.equal(sums["hour"], hour))
        is_whole = pc.is_in(sums["hour"], value_set=pa.array(missing, sums["hour"].type))
        parts = [sums.filter(pc.invert(is_whole)), *(self._kept[hour] for hour in hours)]
        for hour in list(self._kept)[: max(len(self._kept) - _HOURS_MAX, 0)]:
            del self._kept[hour]
        return pa.concat_tables(parts)

    def forget(self, seconds_ns: Iterable[int]) -> None:
        """Read the hours of these seconds again: their cells are about to be others."""
        for hour in {each // NS_PER_HOUR for each in seconds_ns}:
            self._kept.pop(hour, None)
