"""I/O: attributes what came late a slice at a time, beside what comes now.

What is late is found again from when it was received, whoever begins: a process that was killed
between two slices loses nothing, and what it did comes out as it is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from attribution.core.config import AttributionConfig
from attribution.jobs.decisions import APART_NS, DecisionWriter, Written
from attribution.jobs.delayed import DelayedInserts
from attribution.jobs.match_ledger import seconds_of
from attribution.jobs.minutes import MinuteWriter
from attribution.jobs.report import AttributionReport
from attribution.jobs.revenue_cells import CellWriter, Rewrite
from attribution.read.reader import Reader
from attribution.read.window import MINUTES_MAX, Bounds
from collector.core.clock import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import (
    DELAYED_CURSOR,
    LATE_CURSOR,
    LATE_UNTIL_CURSOR,
    read_cursors,
    write_cursors,
)

# What happened so long before it was received is late. What is younger is near what comes now.
LATE_NS: Final = 10 * NS_PER_MINUTE
# What was received in so long is looked through at a time.
_STEP_NS: Final = NS_PER_MINUTE
# A slice is a second of work, or less: traces in all, and places in time, each of which is a read.
# A trace over hours, as where the clock of a service is off, counts by the minutes in which its
# spans began.
_TRACES_MAX: Final = 2_000
_PLACES_MAX: Final = 100
_ALWAYS: Final = 2**63 - 1


@dataclass(slots=True)
class _Found:
    """What came late in a stretch of time, and how far it is attributed."""

    until_ns: int  # of reception
    bounds: list[Bounds]  # of traces that are not attributed yet, by time
    minutes: dict[str, set[int]]  # in which they have spans, but of those that have in too many
    seconds: set[int]  # to be summed anew
    is_again: bool = False  # all of it was read past before it was there
    cells: Rewrite | None = None


class LateLane:
    """What is late: decisions, and the seconds that late outcomes and withdrawals change.

    Args:
        config: when a day's rates lapse, and what attribution needs.
        store: where everything is read and written.
        reader: one of its own.
        minutes: their writer.
        cells: their writer.
    """

    def __init__(
        self,
        config: AttributionConfig,
        store: Connections,
        reader: Reader,
        minutes: MinuteWriter,
        cells: CellWriter,
    ) -> None:
        self._config = config
        self._store = store
        self._reader = reader
        self._minutes = minutes
        self._cells = cells
        # Something may be written of each: by whoever was killed, or with what is linked to it.
        self._decisions = DecisionWriter(config, store, reader, _ALWAYS)
        self._done_ns: int | None = None  # what was received by then is attributed
        self.known_ns = 0  # something late that was received by then may not be
        self._found: _Found | None = None
        self._delayed = DelayedInserts(store, DELAYED_CURSOR)
        self._again = deque[tuple[int, int]]()  # arrivals that are to be read once more

    @property
    def waits_since_ns(self) -> int | None:
        """Return when the first was received that waits, None where nothing does."""
        if self._done_ns is None:
            return None
        late = () if self._done_ns >= self.known_ns else (self._done_ns,)
        return min((*late, *(after_ns for after_ns, _ in self._again)), default=None)

    @property
    def is_idle(self) -> bool:
        """Return whether nothing waits, as far as is known; not before the first slice."""
        return self._done_ns is not None and self.waits_since_ns is None

    def begin(self) -> None:
        """Find out, once, what an earlier process left."""
        if self._done_ns is None:
            cursors = read_cursors(self._store.client())
            self._done_ns = cursors.get(LATE_CURSOR, 0)
            self.known_ns = cursors.get(LATE_UNTIL_CURSOR, 0)

    def note(self, after_ns: int, until_ns: int) -> None:
        """Keep in the store that something late was received in (after, until].

        Before whoever found it goes on to what was received later.
        """
        self.begin()
        assert self._done_ns is not None
        if self._done_ns >= self.known_ns:
            self._done_ns = max(self._done_ns, after_ns)
        if until_ns > self.known_ns:
            self.known_ns = until_ns
            write_cursors(
                self._store.client(), {LATE_CURSOR: self._done_ns, LATE_UNTIL_CURSOR: until_ns}
            )

    def note_delayed(self, cursor_ns: int) -> None:
        """Find out what came to be stored behind the cursor: all of it is looked at once more."""
        self._again.extend(self._delayed.passed(cursor_ns))
        if not self._again:
            self._delayed.done(cursor_ns)

    def forget(self) -> None:
        """Begin again with what waits, after a slice that failed."""
        self._found = None
        self._cells.leave()

    def run_slice(self, settled_ns: int, now_ns: int, report: AttributionReport) -> bool:
        """Do some of what waits; return whether there was any.

        Args:
            settled_ns: what was received by then is stored, and attributed but for what is late.
            now_ns: the instant of this run.
            report: counts what is done.
        """
        self.begin()
        assert self._done_ns is not None
        found = self._found
        until_ns = min(self._done_ns + _STEP_NS, self.known_ns, settled_ns)
        if found is None:
            if until_ns > self._done_ns:
                self._found = self._find(self._done_ns, until_ns)
            elif self._again:
                self._found = self._find_again(settled_ns)
            return self._found is not None
        if found.bounds:
            self._attribute(found, settled_ns, now_ns, report)
        elif found.cells is None and until_ns > found.until_ns and not found.is_again:
            # Decisions first: what else came meanwhile, then the seconds of all of them.
            more = self._find(found.until_ns, until_ns)
            found.until_ns, found.bounds, found.minutes = until_ns, more.bounds, more.minutes
            found.seconds |= more.seconds
        elif found.cells is None:
            found.cells = self._cells.begin(sorted(found.seconds))
        elif not found.cells.is_done:
            self._cells.step(found.cells)
        else:
            report.cells_rewritten += found.cells.written
            self._cells.leave()
            self._found = None
            if found.is_again:
                self._finish_again(found.until_ns)
            else:
                self._done_ns = found.until_ns
                write_cursors(self._store.client(), {LATE_CURSOR: self._done_ns})
        return True

    def _find_again(self, settled_ns: int) -> _Found | None:
        """Return what was received in the first of what is read again, whenever it happened."""
        after_ns, end_ns = self._again[0]
        until_ns = min(after_ns + _STEP_NS, end_ns)
        if until_ns > settled_ns:
            return None
        return self._find(after_ns, until_ns, is_again=True)

    def _finish_again(self, until_ns: int) -> None:
        _, end_ns = self._again.popleft()
        if until_ns < end_ns:
            self._again.appendleft((until_ns, end_ns))
        elif not self._again:
            self._delayed.done(until_ns)

    def _find(self, after_ns: int, until_ns: int, *, is_again: bool = False) -> _Found:
        """Return what was received in (after, until] and happened long before, or all of it."""
        before_ns = _ALWAYS if is_again else until_ns - LATE_NS
        outcomes = self._reader.touched_outcomes(after_ns, until_ns, self._config.rate_days_max)
        withdrawn = self._reader.withdrawn(after_ns, until_ns)["ingress_ns"].to_pylist()
        seconds = seconds_of(self._reader, outcomes, after_ns)
        seconds |= {each - each % NS_PER_S for each in withdrawn}
        bounds = self._reader.late_traces(after_ns, until_ns, before_ns)
        return _Found(
            until_ns,
            bounds,
            self._reader.trace_minutes(bounds),
            {each for each in seconds if each < before_ns},
            is_again,
        )

    def _attribute(
        self, found: _Found, settled_ns: int, now_ns: int, report: AttributionReport
    ) -> None:
        count, minutes = _slice(found.bounds, found.minutes)
        written = Written()
        self._decisions.attribute(
            found.bounds[:count],
            settled_ns,
            now_ns,
            report,
            written,
            minutes=minutes,
            apart=bool(minutes),
        )
        report.minutes_rewritten += self._minutes.write(written.changed, written.added)
        found.seconds |= written.seconds
        del found.bounds[:count]


def is_late(instant_ns: int, received_after_ns: int) -> bool:
    """Return whether what happened then, and was received after that, is late."""
    return instant_ns < received_after_ns - LATE_NS


def _slice(bounds: Sequence[Bounds], minutes: Mapping[str, set[int]]) -> tuple[int, set[int]]:
    """Return how many traces go together, and the minutes that are read of them, none for all."""
    places, last_ns, read = 1, bounds[0][1], set[int]()
    for at, (trace, first_ns, _) in enumerate(bounds):
        if trace not in minutes:
            return max(at, 1), read
        more = minutes[trace] - read
        places += first_ns - last_ns > APART_NS
        is_full = at == _TRACES_MAX or places > _PLACES_MAX
        if is_full or (at > 0 and len(read) + len(more) > MINUTES_MAX):
            return at, read
        read |= more
        last_ns = first_ns
    return len(bounds), read
