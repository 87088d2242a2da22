"""I/O: attributes what came late, or was deferred, a slice at a time, beside what comes now.

It is found again from when it was received, whoever begins: a process that was killed between two
slices loses nothing, and what it did comes out as it is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from attribution.core.config import AttributionConfig
from attribution.jobs.decisions import APART_NS, DecisionWriter, Written
from attribution.jobs.late.deferred import DeferredArrivals
from attribution.jobs.late.deferred_outcomes import DeferredOutcomes
from attribution.jobs.late.delayed import DelayedInserts
from attribution.jobs.match_ledger import OUTCOMES_MAX, seconds_of
from attribution.jobs.minutes import MinuteWriter
from attribution.jobs.report import AttributionReport
from attribution.jobs.revenue_cells import CellWriter, Rewrite
from attribution.read.reader import Reader
from attribution.read.window import MINUTES_MAX, Bounds, ReceivedWindow
from collector.core.times import FOREVER_NS, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import (
    DELAYED_CURSOR,
    LATE_CURSOR,
    LATE_UNTIL_CURSOR,
    next_received_ns,
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
# Minutes that are summed anew in a slice; each but once for all that is done together.
_MINUTES_MAX: Final = 100
# Of what was deferred about so many traces are done together, for which so much of arrival is
# looked through at a time, at least and at most.
_DEFERRED_TRACES_MAX: Final = 20_000
_DEFERRED_STEPS_NS: Final = (NS_PER_S, NS_PER_MINUTE)


class _WorkKind(Enum):
    """Why something is attributed here."""

    LATE = "it happened long before it was received"
    DELAYED = "it was stored after a run had read past it"
    DEFERRED = "what came after it went first"
    DEFERRED_OUTCOMES = "there was no time to look them up"


@dataclass(slots=True)
class _WorkItem:
    """What was received in a stretch of time, and how far it is attributed."""

    kind: _WorkKind
    until_ns: int  # of reception
    bounds: list[Bounds]  # of traces that are not attributed yet, by time
    minutes: dict[str, set[int]]  # in which they have spans, but of those that have in too many
    seconds: set[int]  # to be summed anew
    changed: set[int] = field(default_factory=set)  # minutes to be summed anew
    traces: int = 0  # attributed so far
    cells: Rewrite | None = None


class LateLane:
    """What is late or deferred: decisions, and seconds that late outcomes and withdrawals change.

    Args:
        config: when a day's rates lapse, and what attribution needs.
        store: where everything is read and written.
        reader: of what is stored.
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
        self._decisions = DecisionWriter(config, store, reader, FOREVER_NS)
        self._late_done_ns: int | None = None  # what was received by then is attributed
        self.late_until_ns = 0  # something late that was received by then may not be
        self._item: _WorkItem | None = None
        self._delayed = DelayedInserts(store, DELAYED_CURSOR)
        self._reread = deque[tuple[int, int]]()  # arrivals that are to be read once more
        self.deferred = DeferredArrivals(store)
        self._deferred_step_ns = self._outcomes_step_ns = _DEFERRED_STEPS_NS[0]
        self.deferred_outcomes = DeferredOutcomes(store)
        # So long outcomes out of files may be on their way, and whatever else changes one.
        self._overlap_ns = round(config.overlap_s * NS_PER_S)

    @property
    def backlog_since_ns(self) -> int | None:
        """Return when the first of the backlog was received, None where nothing waits."""
        if self._late_done_ns is None:
            return None
        waiting = [after_ns for after_ns, _ in self._reread]
        if self._late_done_ns < self.late_until_ns:
            waiting.append(self._late_done_ns)
        if first := self.deferred.next_after(0):
            waiting.append(first[0])
        if self.deferred_outcomes.is_waiting:
            waiting.append(self.deferred_outcomes.done_ns)
        return min(waiting, default=None)

    @property
    def is_idle(self) -> bool:
        """Return whether the backlog is empty, as far as is known; not before the first slice."""
        return self._late_done_ns is not None and self.backlog_since_ns is None

    def begin(self) -> None:
        """Find out, once, what an earlier process left."""
        if self._late_done_ns is None:
            cursors = read_cursors(self._store.client())
            self._late_done_ns = cursors.get(LATE_CURSOR, 0)
            self.late_until_ns = cursors.get(LATE_UNTIL_CURSOR, 0)
            self.deferred.begin(cursors)
            self.deferred_outcomes.begin(cursors)

    def note_late(self, after_ns: int, until_ns: int) -> None:
        """Keep in the store that something late was received in (after, until].

        Before whoever found it goes on to what was received later.
        """
        self.begin()
        assert self._late_done_ns is not None
        if self._late_done_ns >= self.late_until_ns:
            self._late_done_ns = max(self._late_done_ns, after_ns)
        if until_ns > self.late_until_ns:
            self.late_until_ns = until_ns
            write_cursors(
                self._store.client(), {LATE_CURSOR: self._late_done_ns, LATE_UNTIL_CURSOR: until_ns}
            )

    def defer(self, after_ns: int, until_ns: int, now_ns: int) -> None:
        """Take over all that was received in (after, until]."""
        self.begin()
        self.deferred.add(after_ns, until_ns, now_ns)

    def note_delayed(self, cursor_ns: int) -> None:
        """Find out what came to be stored behind the cursor: all of it is looked at once more."""
        self._reread.extend(self._delayed.read_new(cursor_ns))
        if not self._reread:
            self._delayed.finish(cursor_ns)

    def forget(self) -> None:
        """Begin again with what waits, after a slice that failed."""
        self._item = None
        self.deferred.summed_ns = 0
        self.deferred_outcomes.forget()
        self._cells.leave()

    def run_slice(
        self, settled_ns: int, now_ns: int, report: AttributionReport, has_room: Callable[[], bool]
    ) -> bool:
        """Do some of what waits; return whether there was any.

        Args:
            settled_ns: what was received by then is stored, and attributed but for what is late.
            now_ns: the instant of this run.
            report: counts what is done.
            has_room: returns whether there is time for what was deferred.
        """
        self.begin()
        item = self._item
        if item is None:
            self._item = self._next(settled_ns, has_room)
            return self._item is not None
        if item.bounds:
            self._attribute(item, settled_ns, now_ns, report)
        elif item.cells is None and (more := self._more(item, settled_ns)) is not None:
            # Decisions first: what else came meanwhile, then the seconds of all of them.
            item.until_ns, item.bounds, item.minutes = more.until_ns, more.bounds, more.minutes
            item.seconds |= more.seconds
        elif item.changed:
            minutes = sorted(item.changed)[:_MINUTES_MAX]
            report.minutes_rewritten += self._minutes.write(minutes, ())
            item.changed.difference_update(minutes)
        elif item.cells is None:
            if item.kind is _WorkKind.DEFERRED:
                self.deferred.summed_ns = item.until_ns
                self.deferred_outcomes.note_summed(item.seconds, settled_ns - self._overlap_ns)
            item.cells = self._cells.begin(sorted(item.seconds))
        elif not item.cells.is_done:
            self._cells.step(item.cells)
        else:
            report.cells_rewritten += item.cells.written
            self._cells.leave()
            self._item = None
            self._finish(item)
        return True

    def _next(self, settled_ns: int, has_room: Callable[[], bool]) -> _WorkItem | None:
        """Return what is done next: what is late, what was delayed, what was deferred.

        Last the outcomes: each of those before may have been summed with them meanwhile, and what
        they change is summed once for all that came in a stretch.
        """
        if (late := self._next_late(self._late_done_ns or 0, settled_ns)) is not None:
            return late
        if self._reread:
            after_ns, end_ns = self._reread[0]
            until_ns = min(after_ns + _STEP_NS, end_ns)
            return (
                self._read_item(_WorkKind.DELAYED, after_ns, until_ns)
                if until_ns <= settled_ns
                else None
            )
        if not has_room():
            return None
        return self._next_deferred(0, settled_ns) or self._next_outcomes(settled_ns)

    def _more(self, item: _WorkItem, settled_ns: int) -> _WorkItem | None:
        """Return what is done together with it, None where that is all."""
        if item.kind is _WorkKind.LATE:
            return self._next_late(item.until_ns, settled_ns)
        if item.kind is _WorkKind.DEFERRED and item.traces < _DEFERRED_TRACES_MAX // 2:
            return self._next_deferred(item.until_ns, settled_ns)
        return None

    def _next_late(self, after_ns: int, settled_ns: int) -> _WorkItem | None:
        assert self._late_done_ns is not None
        until_ns = min(self._late_done_ns + _STEP_NS, self.late_until_ns, settled_ns)
        return self._read_item(_WorkKind.LATE, after_ns, until_ns) if until_ns > after_ns else None

    def _next_deferred(self, after_ns: int, settled_ns: int) -> _WorkItem | None:
        stretch = self.deferred.next_after(after_ns)
        if stretch is None:
            return None
        after_ns, end_ns = stretch
        until_ns = min(after_ns + self._deferred_step_ns, end_ns)
        if until_ns > settled_ns:
            return None
        item = self._read_item(_WorkKind.DEFERRED, after_ns, until_ns)
        if not item.bounds:  # nothing for hours is one look
            next_ns = next_received_ns(self._store.client(), until_ns) or end_ns
            item.until_ns = max(until_ns, min(next_ns - 1, end_ns))
        item.seconds |= self.deferred.deferred_seconds(after_ns, item.until_ns)
        is_many = len(item.bounds) > _DEFERRED_TRACES_MAX
        least_ns, most_ns = _DEFERRED_STEPS_NS
        step_ns = self._deferred_step_ns // 2 if is_many else self._deferred_step_ns * 2
        self._deferred_step_ns = min(max(step_ns, least_ns), most_ns)
        return item

    def _next_outcomes(self, settled_ns: int) -> _WorkItem | None:
        outcomes = self.deferred_outcomes
        until_ns = min(outcomes.done_ns + self._outcomes_step_ns, outcomes.until_ns)
        until_ns = min(until_ns, settled_ns - self._overlap_ns)
        if until_ns <= outcomes.done_ns:
            return None
        count, seconds = self._seconds(outcomes.done_ns, until_ns)
        # Those of deferred decisions are summed when their decisions are.
        due = self.deferred.without_deferred(outcomes.unsummed(seconds, until_ns))
        least_ns, most_ns = _DEFERRED_STEPS_NS
        step_ns = self._outcomes_step_ns
        step_ns = step_ns // 2 if count > OUTCOMES_MAX else step_ns * 2
        self._outcomes_step_ns = min(max(step_ns, least_ns), most_ns)
        return _WorkItem(_WorkKind.DEFERRED_OUTCOMES, until_ns, [], {}, due)

    def _finish(self, item: _WorkItem) -> None:
        """Keep that all of it is attributed."""
        until_ns = item.until_ns
        if item.kind is _WorkKind.LATE:
            self._late_done_ns = until_ns
            write_cursors(self._store.client(), {LATE_CURSOR: until_ns})
        elif item.kind is _WorkKind.DEFERRED:
            self.deferred.finish(until_ns)
        elif item.kind is _WorkKind.DEFERRED_OUTCOMES:
            self.deferred_outcomes.finish(until_ns)
        else:
            _, end_ns = self._reread.popleft()
            if until_ns < end_ns:
                self._reread.appendleft((until_ns, end_ns))
            elif not self._reread:
                self._delayed.finish(until_ns)

    def _read_item(self, kind: _WorkKind, after_ns: int, until_ns: int) -> _WorkItem:
        """Return what was received in (after, until]; if late, what happened long before."""
        before_ns = until_ns - LATE_NS if kind is _WorkKind.LATE else FOREVER_NS
        bounds = self._reader.late_traces(after_ns, until_ns, before_ns)
        # Of what is deferred only decisions are, and the seconds that `DeferredArrivals` returns.
        seconds = set() if kind is _WorkKind.DEFERRED else self._seconds(after_ns, until_ns)[1]
        return _WorkItem(
            kind,
            until_ns,
            bounds,
            self._reader.trace_minutes(bounds),
            {each for each in seconds if each < before_ns},
        )

    def _seconds(self, after_ns: int, until_ns: int) -> tuple[int, set[int]]:
        """Return how many outcomes and withdrawals were received in (after, until].

        And the seconds that they change.
        """
        outcomes = self._reader.touched_outcomes(after_ns, until_ns, self._config.rate_days_max)
        withdrawn = self._reader.withdrawn(after_ns, until_ns)["ingress_ns"].to_pylist()
        seconds = seconds_of(self._reader, outcomes, after_ns)
        seconds |= {each - each % NS_PER_S for each in withdrawn}
        return len(outcomes) + len(withdrawn), seconds

    def _attribute(
        self, item: _WorkItem, settled_ns: int, now_ns: int, report: AttributionReport
    ) -> None:
        count, minutes = _slice(item.bounds, item.minutes)
        written = Written()
        self._decisions.attribute(
            item.bounds[:count],
            ReceivedWindow.empty(settled_ns),
            now_ns,
            report,
            written,
            minutes=minutes,
            apart=bool(minutes),
        )
        item.changed |= {each - each % NS_PER_MINUTE for each in written.changed}
        item.seconds |= written.seconds
        item.traces += count
        del item.bounds[:count]


def is_late(instant_ns: int, received_after_ns: int) -> bool:
    """Return whether what happened then, and was received after that, is late."""
    return instant_ns < received_after_ns - LATE_NS


def _slice(bounds: Sequence[Bounds], minutes: Mapping[str, set[int]]) -> tuple[int, set[int]]:
    """Return how many traces go together, and the minutes that are read of them, none for all."""
    places, last_ns, read = 1, bounds[0].first_ns, set[int]()
    for count, (trace_id, first_ns, _) in enumerate(bounds):
        if trace_id not in minutes:
            return max(count, 1), read
        more = minutes[trace_id] - read
        places += first_ns - last_ns > APART_NS
        is_full = count == _TRACES_MAX or places > _PLACES_MAX
        if is_full or (count > 0 and len(read) + len(more) > MINUTES_MAX):
            return count, read
        read |= more
        last_ns = first_ns
    return len(bounds), read
