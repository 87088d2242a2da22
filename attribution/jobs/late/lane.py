"""I/O: attributes what came late, or was put off, a slice at a time, beside what comes now.

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
from attribution.jobs.late.delayed import DelayedInserts
from attribution.jobs.late.left_outcomes import LeftOutcomes
from attribution.jobs.late.put_off import PutOff
from attribution.jobs.match_ledger import OUTCOMES_MAX, seconds_of
from attribution.jobs.minutes import MinuteWriter
from attribution.jobs.report import AttributionReport
from attribution.jobs.revenue_cells import CellWriter, Rewrite
from attribution.read.reader import Reader
from attribution.read.window import MINUTES_MAX, Bounds, ReceivedWindow
from collector.core.clock import NS_PER_MINUTE, NS_PER_S
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
# Of what was put off about so many traces are done together, for which so much of arrival is looked
# through at a time, at least and at most.
_PUT_OFF_TRACES_MAX: Final = 20_000
_PUT_OFF_STEPS_NS: Final = (NS_PER_S, NS_PER_MINUTE)
_ALWAYS: Final = 2**63 - 1


class _Of(Enum):
    """Why something is attributed here."""

    LATE = "it happened long before it came"
    AGAIN = "it was read past before it was there"
    PUT_OFF = "what came after it went first"
    OUTCOMES = "there was no time to look them up"


@dataclass(slots=True)
class _Found:
    """What came in a stretch of time, and how far it is attributed."""

    of: _Of
    until_ns: int  # of reception
    bounds: list[Bounds]  # of traces that are not attributed yet, by time
    minutes: dict[str, set[int]]  # in which they have spans, but of those that have in too many
    seconds: set[int]  # to be summed anew
    changed: set[int] = field(default_factory=set)  # minutes to be summed anew
    traces: int = 0  # attributed so far
    cells: Rewrite | None = None


class LateLane:
    """What is late or put off: decisions, and seconds that late outcomes and withdrawals change.

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
        self._decisions = DecisionWriter(config, store, reader, _ALWAYS)
        self._done_ns: int | None = None  # what was received by then is attributed
        self.known_ns = 0  # something late that was received by then may not be
        self._found: _Found | None = None
        self._delayed = DelayedInserts(store, DELAYED_CURSOR)
        self._again = deque[tuple[int, int]]()  # arrivals that are to be read once more
        self.put_off = PutOff(store)
        self._put_off_step_ns = self._outcomes_step_ns = _PUT_OFF_STEPS_NS[0]
        self.left_outcomes = LeftOutcomes(store)
        # So long outcomes out of files may be on their way, and whatever else changes one.
        self._overlap_ns = round(config.overlap_s * NS_PER_S)

    @property
    def waits_since_ns(self) -> int | None:
        """Return when the first was received that waits, None where nothing does."""
        if self._done_ns is None:
            return None
        waiting = [after_ns for after_ns, _ in self._again]
        if self._done_ns < self.known_ns:
            waiting.append(self._done_ns)
        if first := self.put_off.next_after(0):
            waiting.append(first[0])
        if self.left_outcomes.is_waiting:
            waiting.append(self.left_outcomes.done_ns)
        return min(waiting, default=None)

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
            self.put_off.begin(cursors)
            self.left_outcomes.begin(cursors)

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

    def put_off_until(self, after_ns: int, until_ns: int, now_ns: int) -> None:
        """Take over all that was received in (after, until]."""
        self.begin()
        self.put_off.add(after_ns, until_ns, now_ns)

    def note_delayed(self, cursor_ns: int) -> None:
        """Find out what came to be stored behind the cursor: all of it is looked at once more."""
        self._again.extend(self._delayed.passed(cursor_ns))
        if not self._again:
            self._delayed.done(cursor_ns)

    def forget(self) -> None:
        """Begin again with what waits, after a slice that failed."""
        self._found = None
        self.put_off.summed_ns = 0
        self.left_outcomes.forget()
        self._cells.leave()

    def run_slice(
        self, settled_ns: int, now_ns: int, report: AttributionReport, has_room: Callable[[], bool]
    ) -> bool:
        """Do some of what waits; return whether there was any.

        Args:
            settled_ns: what was received by then is stored, and attributed but for what is late.
            now_ns: the instant of this run.
            report: counts what is done.
            has_room: returns whether there is time for what was put off.
        """
        self.begin()
        found = self._found
        if found is None:
            self._found = self._next(settled_ns, has_room)
            return self._found is not None
        if found.bounds:
            self._attribute(found, settled_ns, now_ns, report)
        elif found.cells is None and (more := self._more(found, settled_ns)) is not None:
            # Decisions first: what else came meanwhile, then the seconds of all of them.
            found.until_ns, found.bounds, found.minutes = more.until_ns, more.bounds, more.minutes
            found.seconds |= more.seconds
        elif found.changed:
            minutes = sorted(found.changed)[:_MINUTES_MAX]
            report.minutes_rewritten += self._minutes.write(minutes, ())
            found.changed.difference_update(minutes)
        elif found.cells is None:
            if found.of is _Of.PUT_OFF:
                self.put_off.summed_ns = found.until_ns
                self.left_outcomes.note_summed(found.seconds, settled_ns - self._overlap_ns)
            found.cells = self._cells.begin(sorted(found.seconds))
        elif not found.cells.is_done:
            self._cells.step(found.cells)
        else:
            report.cells_rewritten += found.cells.written
            self._cells.leave()
            self._found = None
            self._finish(found)
        return True

    def _next(self, settled_ns: int, has_room: Callable[[], bool]) -> _Found | None:
        """Return what is done next: what is late, what was read past, what was put off.

        Last the outcomes: each of those before may have been summed with them meanwhile, and what
        they change is summed once for all that came in a stretch.
        """
        if (late := self._late_after(self._done_ns or 0, settled_ns)) is not None:
            return late
        if self._again:
            after_ns, end_ns = self._again[0]
            until_ns = min(after_ns + _STEP_NS, end_ns)
            return self._find(_Of.AGAIN, after_ns, until_ns) if until_ns <= settled_ns else None
        if not has_room():
            return None
        return self._put_off_after(0, settled_ns) or self._outcomes_next(settled_ns)

    def _more(self, found: _Found, settled_ns: int) -> _Found | None:
        """Return what is done together with it, None where that is all."""
        if found.of is _Of.LATE:
            return self._late_after(found.until_ns, settled_ns)
        if found.of is _Of.PUT_OFF and found.traces < _PUT_OFF_TRACES_MAX // 2:
            return self._put_off_after(found.until_ns, settled_ns)
        return None

    def _late_after(self, after_ns: int, settled_ns: int) -> _Found | None:
        assert self._done_ns is not None
        until_ns = min(self._done_ns + _STEP_NS, self.known_ns, settled_ns)
        return self._find(_Of.LATE, after_ns, until_ns) if until_ns > after_ns else None

    def _put_off_after(self, after_ns: int, settled_ns: int) -> _Found | None:
        stretch = self.put_off.next_after(after_ns)
        if stretch is None:
            return None
        after_ns, end_ns = stretch
        until_ns = min(after_ns + self._put_off_step_ns, end_ns)
        if until_ns > settled_ns:
            return None
        found = self._find(_Of.PUT_OFF, after_ns, until_ns)
        if not found.bounds:  # nothing for hours is one look
            next_ns = next_received_ns(self._store.client(), until_ns) or end_ns
            found.until_ns = max(until_ns, min(next_ns - 1, end_ns))
        found.seconds |= self.put_off.seconds(after_ns, found.until_ns)
        is_many = len(found.bounds) > _PUT_OFF_TRACES_MAX
        least_ns, most_ns = _PUT_OFF_STEPS_NS
        step_ns = self._put_off_step_ns // 2 if is_many else self._put_off_step_ns * 2
        self._put_off_step_ns = min(max(step_ns, least_ns), most_ns)
        return found

    def _outcomes_next(self, settled_ns: int) -> _Found | None:
        left = self.left_outcomes
        until_ns = min(left.done_ns + self._outcomes_step_ns, left.known_ns)
        until_ns = min(until_ns, settled_ns - self._overlap_ns)
        if until_ns <= left.done_ns:
            return None
        count, seconds = self._seconds(left.done_ns, until_ns)
        # Those that are put off are summed when their decisions are.
        due = self.put_off.left_of(left.unsummed(seconds, until_ns))
        least_ns, most_ns = _PUT_OFF_STEPS_NS
        step_ns = self._outcomes_step_ns
        step_ns = step_ns // 2 if count > OUTCOMES_MAX else step_ns * 2
        self._outcomes_step_ns = min(max(step_ns, least_ns), most_ns)
        return _Found(_Of.OUTCOMES, until_ns, [], {}, due)

    def _finish(self, found: _Found) -> None:
        """Keep that all of it is attributed."""
        until_ns = found.until_ns
        if found.of is _Of.LATE:
            self._done_ns = until_ns
            write_cursors(self._store.client(), {LATE_CURSOR: until_ns})
        elif found.of is _Of.PUT_OFF:
            self.put_off.done(until_ns)
        elif found.of is _Of.OUTCOMES:
            self.left_outcomes.done(until_ns)
        else:
            _, end_ns = self._again.popleft()
            if until_ns < end_ns:
                self._again.appendleft((until_ns, end_ns))
            elif not self._again:
                self._delayed.done(until_ns)

    def _find(self, of: _Of, after_ns: int, until_ns: int) -> _Found:
        """Return what was received in (after, until]; of what is late what happened long before."""
        before_ns = until_ns - LATE_NS if of is _Of.LATE else _ALWAYS
        bounds = self._reader.late_traces(after_ns, until_ns, before_ns)
        # Of what is put off only decisions are, and the seconds that `PutOff` says.
        seconds = set() if of is _Of.PUT_OFF else self._seconds(after_ns, until_ns)[1]
        return _Found(
            of,
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
        found = seconds_of(self._reader, outcomes, after_ns)
        found |= {each - each % NS_PER_S for each in withdrawn}
        return len(outcomes) + len(withdrawn), found

    def _attribute(
        self, found: _Found, settled_ns: int, now_ns: int, report: AttributionReport
    ) -> None:
        count, minutes = _slice(found.bounds, found.minutes)
        written = Written()
        self._decisions.attribute(
            found.bounds[:count],
            ReceivedWindow.empty(settled_ns),
            now_ns,
            report,
            written,
            minutes=minutes,
            apart=bool(minutes),
        )
        found.changed |= {each - each % NS_PER_MINUTE for each in written.changed}
        found.seconds |= written.seconds
        found.traces += count
        del found.bounds[:count]


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
