"""I/O: keeps path spans and columns, `attributions`, minutes and revenue cells current.

Advances by `received_ns`, so late spans and late outcomes are found whenever they come. Every
result is computed from what is stored and written whole: a run that was killed, or is repeated
over the same window, leaves the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.config import AttributionConfig
from attribution.jobs.decisions import APART_NS, TRACES_MAX, DecisionWriter, Written
from attribution.jobs.late.lane import LateLane, is_late
from attribution.jobs.late.new_outcomes import NewOutcomes
from attribution.jobs.late.pace import Pace
from attribution.jobs.late.put_off import read_arrived
from attribution.jobs.minutes import MinuteWriter
from attribution.jobs.report import AttributionReport
from attribution.jobs.revenue_cells import CellWriter
from attribution.jobs.seen import Seen
from attribution.jobs.turns import Turns
from attribution.path.columns import Table
from attribution.read.reader import Reader
from attribution.read.window import ReceivedWindow, in_groups
from collector.core.clock import NS_PER_MINUTE, NS_PER_S
from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, JobCursor, next_received_ns

CURSOR = ATTRIBUTION_CURSOR

# One step reads this much time of reception at most: a backlog of hours is worked off in pieces, in
# shorter ones where much came.
_STEP_NS = NS_PER_MINUTE
_STEP_NS_MIN = 4 * NS_PER_S
_STEP_SPANS = 500_000
# Where nothing was received, outcomes and rates of files are found within this.
_IDLE_NS = 10 * NS_PER_S
# Decisions of so long are attributed again in one piece.
_RECOMPUTE_NS = 10 * NS_PER_MINUTE
# ... and their cells by the hour, or sooner where there are many.
_CELLS_S, _CELLS_DECISIONS = 3_600, 40_000


class AttributionJob:
    """Attributes decisions once their spans have settled, and again where late spans change them.

    In two lanes, each with a loop of its own: `run_once` for what comes now, and `run_late` for
    what happened long before it was received, or was put off, which gives way to the other after
    every slice.

    Args:
        config: when a decision has settled, classes, reference latencies, slope.
        attributes: a customer's own attribute names.
        store: where everything is read and written.
        monotonic_ns: returns an instant, by which a run is known to be long.
        pace: what is known of runs before.
    """

    def __init__(
        self,
        config: AttributionConfig,
        attributes: AttributesConfig,
        store: Connections,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        pace: Pace | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._cursor = JobCursor(CURSOR)
        self._reader = Reader(store, attributes)
        self._cells = CellWriter(config, store, self._reader)
        self._minutes = MinuteWriter(store, self._reader)
        # At first by an earlier process, of which nothing is known here.
        self._decisions = DecisionWriter(config, store, self._reader, 0)
        self._late = LateLane(config, store, self._reader, self._minutes, self._cells)
        self._outcomes = NewOutcomes(config, self._reader, self._cells, self._late.left_outcomes)
        self._settled_ns = 0  # what was received by then is there, and attributed but for the late
        self._was_stored = False  # all that was received by the cursor, when the last run ended
        self._step_ns = _STEP_NS_MIN
        self._clock_ahead_ns = 0
        self._seen_ns = self._asked_ns = 0  # up to where a run saw all, and when the last began
        self._pace, self._monotonic_ns = pace or Pace(), monotonic_ns
        self._began_ns = 0  # when the last run did
        self._passed_ns = 0  # up to where something was put off last
        self._forget()
        # The lanes, an operator who recomputes, and the last pass of a demo.
        self._turns = Turns()

    def run_once(
        self,
        now_ns: int,
        stored_ns: int | None = None,
        newest_ns: int | None = None,
        *,
        ahead_ns: int = 0,
        may_put_off: bool = False,
    ) -> AttributionReport:
        """Attribute what has settled by now.

        Args:
            now_ns: the instant of this run.
            stored_ns: everything received by then is in the store, if the caller knows: the job
                goes no further, so that an insert held up for long is not passed by. Without it
                inserts up to `overlap_s` late are found.
            newest_ns: when something was received last, if the caller knows: where it was seen
                already, the store is asked every few seconds only, for what came from files.
            ahead_ns: by how much the time by which data arrive is ahead of the machine's, whose
                clock was set back: what happens now is received then, and is not late for it.
            may_put_off: whether what came last goes first where this run would be long; the other
                lane does the rest.
        """
        self._clock_ahead_ns = ahead_ns
        settled_ns = now_ns - round(self._config.settle_s * NS_PER_S)
        limit_ns = now_ns if stored_ns is None else min(now_ns, stored_ns)
        is_idle = self._was_stored and newest_ns is not None and newest_ns <= self._seen_ns
        if is_idle and now_ns - self._asked_ns < _IDLE_NS:
            return AttributionReport(cursor_ns=min(settled_ns, limit_ns))
        self._asked_ns = now_ns
        self._pace.stored(now_ns - limit_ns)
        return self._guarded(
            now_ns,
            min(settled_ns, limit_ns),
            limit_ns,
            is_stored=stored_ns is not None,
            may_put_off=may_put_off,
        )

    @property
    def put_off_ns(self) -> int:
        """Return how much of arrival was put off and waits, ns."""
        return self._late.put_off.waiting_ns

    def run_late(self, now_ns: int, has_time: Callable[[], bool]) -> AttributionReport:
        """Attribute some of what came late, a slice at a time, each in a turn of its own.

        Args:
            now_ns: the instant of this run.
            has_time: asked after each slice, whether the next belongs into this run.

        Returns:
            What was done; its cursor is when the first was received that waits, else `now_ns`.
        """
        report = AttributionReport()

        def has_room() -> bool:
            # The other lane waits for a slice, and what comes meanwhile is its own.
            return self._pace.has_room(self._monotonic_ns() - self._began_ns)

        while self._late_slice(now_ns, report, has_room) and has_time():
            pass
        waits_ns = self._late.waits_since_ns
        report.cursor_ns = now_ns if waits_ns is None else waits_ns
        return report

    def drain(self, now_ns: int) -> AttributionReport:
        """Attribute everything received by now, settled or not, late or not."""
        report = self._guarded(now_ns, now_ns, now_ns)
        self._settled_ns = now_ns
        # Nor does it wait for what may be on its way.
        settled_ns = now_ns + round(self._config.overlap_s * NS_PER_S)
        while self._late_slice(now_ns, report, lambda: True, settled_ns):
            pass
        return report

    def recompute(self, from_ns: int, to_ns: int, now_ns: int) -> AttributionReport:
        """Attribute the decisions that began in [from, to) again, from their compact columns.

        What comes out as stored is left alone; the rest is written under a new revision. Minutes
        and cells of the whole range are rewritten. The cursor stays where it is.
        """
        report, due, summed = AttributionReport(), set[int](), 0
        for begin_ns in range(from_ns, to_ns, _RECOMPUTE_NS):
            end_ns = min(begin_ns + _RECOMPUTE_NS, to_ns)
            with self._turns.turn():
                seconds = self._decisions.recompute(begin_ns, end_ns, now_ns, report)
                report.minutes_rewritten += self._minutes.write(seconds, ())
                due |= seconds
                seen = report.attributed + report.revised + report.unchanged
                # To find the outcomes of ten minutes takes as long as to find those of an hour.
                if end_ns == to_ns or len(due) >= _CELLS_S or seen - summed >= _CELLS_DECISIONS:
                    report.cells_rewritten += self._cells.rewrite(sorted(due))
                    due, summed = set(), seen
        report.cursor_ns = self._cursor.read(self._store.client())
        return report

    def _late_slice(
        self,
        now_ns: int,
        report: AttributionReport,
        has_room: Callable[[], bool],
        settled_ns: int = 0,
    ) -> bool:
        if self._late.is_idle:
            return False  # without waiting for a turn
        with self._turns.turn():
            try:
                return self._late.run_slice(
                    max(settled_ns, self._settled_ns), now_ns, report, has_room
                )
            except BaseException:
                self._late.forget()
                self._minutes.forget()
                raise

    def _guarded(
        self,
        now_ns: int,
        until_ns: int,
        outcomes_until_ns: int,
        *,
        is_stored: bool = False,
        may_put_off: bool = False,
    ) -> AttributionReport:
        with self._turns.turn():
            try:
                # What came up to the cursor was all there when it was read: it is not read again.
                is_whole = self._was_stored and is_stored
                self._was_stored = False
                report = self._run(
                    now_ns,
                    until_ns,
                    outcomes_until_ns,
                    is_stored=is_stored,
                    is_whole=is_whole,
                    may_put_off=may_put_off,
                )
                self._was_stored, self._seen_ns = is_stored, until_ns
                # Without that an insert may still be on its way.
                waited_ns = 0 if is_stored else round(self._config.overlap_s * NS_PER_S)
                self._settled_ns = max(self._settled_ns, report.cursor_ns - waited_ns)
                return report
            except BaseException:
                # What a failed run saw it may not have written; the next one looks at it again.
                self._forget()
                self._decisions.written_ns = max(self._decisions.written_ns, now_ns)
                raise

    def _forget(self) -> None:
        self._seen_spans, self._seen_withdrawals = Seen(), Seen()
        self._outcomes.forget()
        self._ahead = set[int]()  # seconds with outcomes, none of whose decisions has settled
        self._minutes.forget()
        self._was_stored = False

    def _run(
        self,
        now_ns: int,
        until_ns: int,
        outcomes_until_ns: int,
        *,
        is_stored: bool,
        is_whole: bool,
        may_put_off: bool,
    ) -> AttributionReport:
        client = self._store.client()
        self._late.begin()  # first: what waits is said while this runs
        self._began_ns = self._monotonic_ns()
        report = AttributionReport()
        cursor_ns = self._cursor.read(client)
        if not is_stored:
            self._late.note_delayed(cursor_ns)
        self._decisions.written_ns = max(self._decisions.written_ns or now_ns, cursor_ns)
        if cursor_ns == 0:
            cursor_ns = max(next_received_ns(client, 0) - 1, 0)
        overlap_ns = round(self._config.overlap_s * NS_PER_S)
        outcomes_after_ns, passed_ns = self._outcomes.since(cursor_ns), self._passed_ns
        seconds: set[int] = set()
        known_ns = self._late.known_ns
        done_ns = done_spans = 0  # of arrival, by this run
        while cursor_ns < until_ns:
            again_ns = max(cursor_ns - overlap_ns, 0)
            if may_put_off:
                cursor_ns = self._put_off(cursor_ns, until_ns, done_ns, done_spans, now_ns)
            # Where nothing was ever received there is no backlog to take in steps.
            step_to_ns = min(cursor_ns + self._step_ns, until_ns) if cursor_ns else until_ns
            after_ns = cursor_ns if is_whole else max(cursor_ns - overlap_ns, self._passed_ns)
            touched, received = self._reader.touched_spans(after_ns, step_to_ns, again_ns)
            withdrawn = self._reader.withdrawn(again_ns, step_to_ns)
            gone = self._reader.drop_withdrawn(self._seen_withdrawals.news(withdrawn))
            seconds = self._attribute_new(touched, received, now_ns, report, gone)
            done_ns += step_to_ns - cursor_ns
            cursor_ns = step_to_ns
            self._decisions.written_ns = max(self._decisions.written_ns, cursor_ns)
            spans = pc.sum(touched["spans"]).as_py() or 0
            done_spans += spans
            is_many = spans > _STEP_SPANS
            self._step_ns = min(
                max(self._step_ns // 2 if is_many else self._step_ns * 2, _STEP_NS_MIN), _STEP_NS
            )
            if cursor_ns < until_ns:  # of the last step they are rewritten with the outcomes'
                report.cells_rewritten += self._cells.rewrite(sorted(seconds))
                if not len(touched):  # a weekend of stand-still is one look, not thousands of steps
                    next_ns = next_received_ns(client, cursor_ns) or until_ns
                    cursor_ns = max(cursor_ns, min(next_ns - 1, until_ns))
                self._cursor.write(client, cursor_ns)
        found = self._outcomes.seconds(
            outcomes_after_ns,
            outcomes_until_ns,
            cursor_ns if may_put_off else None,
            lambda each: self._is_late(each, outcomes_after_ns),
            has_time=self._passed_ns == passed_ns,
        )
        self._ahead |= self._in_time(found, outcomes_after_ns, outcomes_until_ns)
        # An outcome may come before its decision has settled: nothing of that second is summed yet.
        ahead = {each for each in self._ahead if cursor_ns < each <= outcomes_until_ns}
        # Nor of one whose decisions are put off: they are summed with their outcomes.
        seconds |= self._late.put_off.left_of(self._ahead - ahead)
        report.cells_rewritten += self._cells.rewrite(sorted(seconds))
        self._ahead = ahead
        has_news = bool(seconds) or self._late.known_ns != known_ns
        self._cursor.write(client, cursor_ns, has_news=has_news)
        report.cursor_ns = cursor_ns
        self._pace.ran(done_ns, done_spans, self._monotonic_ns() - self._began_ns)
        return report

    def _put_off(
        self, cursor_ns: int, until_ns: int, done_ns: int, done_spans: int, now_ns: int
    ) -> int:
        """Leave what came first of (cursor, until] to the other lane, if all of it takes too long.

        Returns:
            The cursor behind what is left.
        """
        elapsed_ns = self._monotonic_ns() - self._began_ns
        if not cursor_ns or not self._pace.is_long(until_ns - cursor_ns, done_ns, elapsed_ns):
            return cursor_ns
        client = self._store.client()
        arrived = read_arrived(client, cursor_ns, until_ns)
        passed_ns = self._pace.passed_ns(arrived, done_spans, elapsed_ns)
        if passed_ns <= cursor_ns:
            return cursor_ns
        # Before: whoever begins from here finds it put off, or not passed over.
        self._cursor.write(client, cursor_ns)
        self._passed_ns = passed_ns
        self._late.put_off_until(cursor_ns, passed_ns, now_ns)
        return passed_ns

    def _attribute_new(
        self,
        touched: Table,
        received: ReceivedWindow,
        now_ns: int,
        report: AttributionReport,
        gone: set[int],
    ) -> set[int]:
        """Attribute the decisions of traces with new spans, those that are late left out.

        Args:
            touched: what was received in the window.
            received: the window.
            now_ns: the instant of this run.
            report: counts what is done.
            gone: seconds whose decisions are fewer now.

        Returns:
            The seconds to be summed anew.
        """
        after_ns, until_ns = received.after_ns, received.until_ns
        news = self._seen_spans.news(touched)
        trace_ids = pc.unique(news["trace_id"]).to_pylist()
        bounds = self._reader.trace_bounds(trace_ids, received) if trace_ids else []
        if len(bounds) < len(trace_ids):
            # An insert reaches the index of the traces a moment after their spans.
            placed = pa.array([each.trace_id for each in bounds], pa.string())
            self._seen_spans.forget(
                news.filter(pc.invert(pc.is_in(news["trace_id"].cast(pa.string()), placed)))
            )
        in_time = [each for each in bounds if not self._is_late(each.first_ns, after_ns)]
        if len(in_time) < len(bounds):
            self._late.note(after_ns, until_ns)
        written = Written(changed=set(gone))
        for begin, end in in_groups([each.first_ns for each in in_time], APART_NS, TRACES_MAX):
            self._decisions.attribute(in_time[begin:end], received, now_ns, report, written)
        report.minutes_rewritten += self._minutes.write(written.changed, written.added)
        return self._in_time(written.seconds | gone, after_ns, until_ns)

    def _is_late(self, instant_ns: int, received_after_ns: int) -> bool:
        return is_late(instant_ns, received_after_ns - self._clock_ahead_ns)

    def _in_time(self, seconds: set[int], after_ns: int, until_ns: int) -> set[int]:
        """Return the seconds that are not late, and leave the others to their lane."""
        found = {each for each in seconds if not self._is_late(each, after_ns)}
        if len(found) < len(seconds):
            self._late.note(after_ns, until_ns)
        return found
