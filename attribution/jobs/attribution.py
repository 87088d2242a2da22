"""I/O: keeps path spans and columns, `attributions`, minutes and revenue cells current.

Advances by `received_ns`, so late spans and late outcomes are found whenever they come. Every
result is computed from what is stored and written whole: a run that was killed, or is repeated
over the same window, leaves the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.config import AttributionConfig
from attribution.jobs.decisions import APART_NS, TRACES_MAX, DecisionWriter, Written
from attribution.jobs.fair_lock import FairLock
from attribution.jobs.late.deferred import read_arrivals
from attribution.jobs.late.lane import LateLane, is_late
from attribution.jobs.late.new_outcomes import NewOutcomes
from attribution.jobs.late.run_times import RunTimes
from attribution.jobs.minutes import MinuteWriter
from attribution.jobs.progress import Progress, Run, RunWindow
from attribution.jobs.report import AttributionReport
from attribution.jobs.revenue_cells import CellWriter
from attribution.jobs.seen_rows import SeenRows
from attribution.path.columns import Table
from attribution.read.reader import Reader
from attribution.read.window import ReceivedWindow, in_groups
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, JobCursor, next_received_ns

CURSOR = ATTRIBUTION_CURSOR

_MONOTONIC_NS = SystemClock().monotonic_ns
# Where nothing was received, outcomes and rates of files are found within this.
_IDLE_NS = 10 * NS_PER_S
# Decisions of so long are attributed again in one piece.
_RECOMPUTE_NS = 10 * NS_PER_MINUTE
# ... and their cells by the hour, or sooner where there are many.
_CELLS_S, _CELLS_DECISIONS = 3_600, 40_000


class AttributionJob:
    """Attributes decisions once their spans have settled, and again where late spans change them.

    In two lanes, each with a loop of its own: `run_once` for what comes now, and `run_late` for
    what happened long before it was received, or was deferred, which gives way to the other
    after every slice.

    Args:
        config: when a decision has settled, classes, reference latencies, slope.
        attributes: a customer's own attribute names.
        store: where everything is read and written.
        monotonic_ns: returns an instant, by which a run is known to be long.
        run_times: of runs before.
    """

    def __init__(
        self,
        config: AttributionConfig,
        attributes: AttributesConfig,
        store: Connections,
        monotonic_ns: Callable[[], int] = _MONOTONIC_NS,
        run_times: RunTimes | None = None,
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
        self._deferred = self._late.deferred
        self._outcomes = NewOutcomes(
            config, self._reader, self._cells, self._late.deferred_outcomes
        )
        self._run_times, self._monotonic_ns = run_times or RunTimes(), monotonic_ns
        self._began_ns = 0  # when the last run did, by the monotonic clock
        self._progress = Progress()
        self._settled_ns = 0  # what was received by then is there, and attributed but for the late
        # Between the lanes, an operator who recomputes, and the last pass of a demo.
        self._lock = FairLock()

    def run_once(
        self,
        now_ns: int,
        stored_ns: int | None = None,
        newest_ns: int | None = None,
        *,
        clock_ahead_ns: int = 0,
        may_defer: bool = False,
    ) -> AttributionReport:
        """Attribute what has settled by now.

        Args:
            now_ns: the instant of this run.
            stored_ns: everything received by then is in the store, if the caller knows: the job
                goes no further, so that an insert held up for long is not passed by. Without it
                inserts up to `overlap_s` late are found.
            newest_ns: when something was received last, if the caller knows: where it was seen
                already, the store is asked every few seconds only, for what came from files.
            clock_ahead_ns: by how much the time by which data arrive is ahead of the machine's,
                whose clock was set back: what happens now is received then, and is not late for it.
            may_defer: whether what came last goes first where this run would be long; the other
                lane does the rest.
        """
        settled_ns = now_ns - round(self._config.settle_s * NS_PER_S)
        limit_ns = now_ns if stored_ns is None else min(now_ns, stored_ns)
        until_ns = min(settled_ns, limit_ns)
        last = self._progress.window
        if last is not None and last.is_stored and newest_ns is not None:
            is_idle = newest_ns <= last.until_ns
            if is_idle and now_ns - last.now_ns < _IDLE_NS:
                return AttributionReport(cursor_ns=until_ns)
        self._run_times.note_unstored(now_ns - limit_ns)
        is_stored = stored_ns is not None
        return self._run(
            RunWindow(now_ns, until_ns, limit_ns, is_stored, may_defer, clock_ahead_ns)
        )

    @property
    def deferred_ns(self) -> int:
        """Return how much of arrival was deferred and waits, ns."""
        return self._deferred.waiting_ns

    def run_late(self, now_ns: int, has_time: Callable[[], bool]) -> AttributionReport:
        """Attribute some of the backlog, a slice at a time; others may run between two.

        Args:
            now_ns: the instant of this run.
            has_time: returns after each slice whether the next belongs into this run.

        Returns:
            What was done; its cursor is when the first was received that waits, else `now_ns`.
        """
        report = AttributionReport()

        def has_room() -> bool:
            # The other lane waits for a slice, and what comes meanwhile is its own.
            return self._run_times.has_room(self._monotonic_ns() - self._began_ns)

        while self._late_slice(now_ns, report, has_room) and has_time():
            pass
        backlog_ns = self._late.backlog_since_ns
        report.cursor_ns = now_ns if backlog_ns is None else backlog_ns
        return report

    def drain(self, now_ns: int) -> AttributionReport:
        """Attribute everything received by now, settled or not, late or not."""
        report = self._run(RunWindow(now_ns, now_ns, now_ns))
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
            with self._lock.hold():
                seconds = self._decisions.recompute(begin_ns, end_ns, now_ns, report)
                report.minutes_rewritten += self._minutes.write(seconds, ())
                due |= seconds
                count = report.attributed + report.revised + report.unchanged
                # To find the outcomes of ten minutes takes as long as to find those of an hour.
                if end_ns == to_ns or len(due) >= _CELLS_S or count - summed >= _CELLS_DECISIONS:
                    report.cells_rewritten += self._cells.rewrite(sorted(due))
                    due, summed = set(), count
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
            return False  # without waiting for the lock
        with self._lock.hold():
            try:
                return self._late.run_slice(
                    max(settled_ns, self._settled_ns), now_ns, report, has_room
                )
            except BaseException:
                self._late.forget()
                self._minutes.forget()
                raise

    def _run(self, window: RunWindow) -> AttributionReport:
        with self._lock.hold():
            # What a failed run saw it may not have written; the next one looks at it again.
            before = self._progress
            self._progress = Progress(step_ns=before.step_ns)
            try:
                run = self._begin(window, before)
                self._attribute(run)
            except BaseException:
                self._outcomes.forget()
                self._minutes.forget()
                self._decisions.written_ns = max(self._decisions.written_ns, window.now_ns)
                raise
            self._progress = replace(run.progress, window=window)
            # Without that an insert may still be on its way.
            waited_ns = 0 if window.is_stored else round(self._config.overlap_s * NS_PER_S)
            self._settled_ns = max(self._settled_ns, run.cursor_ns - waited_ns)
            return run.report

    def _begin(self, window: RunWindow, before: Progress) -> Run:
        client = self._store.client()
        self._late.begin()  # first: what waits is shown while this runs
        self._began_ns = self._monotonic_ns()
        cursor_ns = self._cursor.read(client)
        if not window.is_stored:
            self._late.note_delayed(cursor_ns)
        self._decisions.written_ns = max(self._decisions.written_ns or window.now_ns, cursor_ns)
        if cursor_ns == 0:
            cursor_ns = max(next_received_ns(client, 0) - 1, 0)
        return Run(window, before.was_stored and window.is_stored, before, cursor_ns)

    def _attribute(self, run: Run) -> None:
        outcomes_after_ns = self._outcomes.lookup_after_ns(run.cursor_ns)
        deferred_until_ns = self._deferred.until_ns
        late_until_ns = self._late.late_until_ns
        while run.cursor_ns < run.window.until_ns:
            self._step(run)
        has_time = self._deferred.until_ns == deferred_until_ns
        self._sum_outcomes(run, outcomes_after_ns, has_time=has_time)
        has_news = bool(run.seconds) or self._late.late_until_ns != late_until_ns
        self._cursor.write(self._store.client(), run.cursor_ns, has_news=has_news)
        run.report.cursor_ns = run.cursor_ns
        elapsed_ns = self._monotonic_ns() - self._began_ns
        self._run_times.add_run(run.arrival_ns, run.spans, elapsed_ns)

    def _step(self, run: Run) -> None:
        """Attribute what was received in some time behind the cursor, and move the cursor."""
        client, window, progress = self._store.client(), run.window, run.progress
        overlap_ns = round(self._config.overlap_s * NS_PER_S)
        again_ns = max(run.cursor_ns - overlap_ns, 0)
        if window.may_defer:
            self._defer(run)
        begin_ns = run.cursor_ns
        # Where nothing was ever received there is no backlog to take in steps.
        end_ns = min(begin_ns + progress.step_ns, window.until_ns) if begin_ns else window.until_ns
        after_ns = begin_ns if run.is_whole else max(begin_ns - overlap_ns, self._deferred.until_ns)
        touched, received = self._reader.touched_spans(after_ns, end_ns, again_ns)
        withdrawn, withdrawals = progress.withdrawals.new_rows(
            self._reader.withdrawn(again_ns, end_ns)
        )
        gone = self._reader.drop_withdrawn(withdrawn)
        run.seconds, seen_spans = self._attribute_new(touched, received, run, gone)
        spans = pc.sum(touched["spans"]).as_py() or 0
        run.arrival_ns += end_ns - begin_ns
        run.spans += spans
        run.cursor_ns = end_ns
        run.progress = replace(
            progress,
            step_ns=progress.next_step_ns(spans),
            spans=seen_spans,
            withdrawals=withdrawals,
        )
        self._decisions.written_ns = max(self._decisions.written_ns, end_ns)
        if end_ns < window.until_ns:  # of the last step they are rewritten with the outcomes'
            run.report.cells_rewritten += self._cells.rewrite(sorted(run.seconds))
            if not len(touched):  # a weekend of stand-still is one look, not thousands of steps
                next_ns = next_received_ns(client, end_ns) or window.until_ns
                run.cursor_ns = max(end_ns, min(next_ns - 1, window.until_ns))
            self._cursor.write(client, run.cursor_ns)

    def _sum_outcomes(self, run: Run, after_ns: int, *, has_time: bool) -> None:
        """Sum the seconds of the last step anew, and those that outcomes since an instant change.

        Args:
            run: of which these are.
            after_ns: the outcomes came after that.
            has_time: whether the run has time to look any up.
        """
        window, cursor_ns = run.window, run.cursor_ns
        seconds = self._outcomes.changed_seconds(
            after_ns,
            window.outcomes_until_ns,
            cursor_ns if window.may_defer else None,
            lambda each: is_late(each, after_ns - window.clock_ahead_ns),
            has_time=has_time,
        )
        changed = run.progress.unsettled_seconds | self._in_time(
            seconds, after_ns, window.outcomes_until_ns, window
        )
        # An outcome may come before its decision has settled: nothing of that second is summed yet.
        unsettled = {each for each in changed if cursor_ns < each <= window.outcomes_until_ns}
        # Nor of one whose decisions are deferred: they are summed with their outcomes.
        run.seconds |= self._deferred.without_deferred(set(changed - unsettled))
        run.report.cells_rewritten += self._cells.rewrite(sorted(run.seconds))
        run.progress = replace(run.progress, unsettled_seconds=frozenset(unsettled))

    def _defer(self, run: Run) -> None:
        """Leave what came first to the other lane, and move behind it, if all takes too long."""
        elapsed_ns = self._monotonic_ns() - self._began_ns
        cursor_ns, until_ns = run.cursor_ns, run.window.until_ns
        if not cursor_ns or not self._run_times.is_long(
            until_ns - cursor_ns, run.arrival_ns, elapsed_ns
        ):
            return
        client = self._store.client()
        arrivals = read_arrivals(client, cursor_ns, until_ns)
        deferred_ns = self._run_times.deferred_until_ns(arrivals, run.spans, elapsed_ns)
        if deferred_ns <= cursor_ns:
            return
        # Before: whoever begins from here finds it deferred, or not passed by.
        self._cursor.write(client, cursor_ns)
        self._late.defer(cursor_ns, deferred_ns, run.window.now_ns)
        run.cursor_ns = deferred_ns

    def _attribute_new(
        self, touched: Table, received: ReceivedWindow, run: Run, gone: set[int]
    ) -> tuple[set[int], SeenRows]:
        """Attribute the decisions of traces with new spans, those that are late left out.

        Args:
            touched: what was received in the window.
            received: the window.
            run: whose report counts what is done.
            gone: seconds whose decisions are fewer now.

        Returns:
            The seconds to be summed anew, and the spans of which this was the last window.
        """
        after_ns, until_ns, now_ns = received.after_ns, received.until_ns, run.window.now_ns
        new, seen_rows = run.progress.spans.new_rows(touched)
        trace_ids = pc.unique(new["trace_id"]).to_pylist()
        bounds = self._reader.trace_bounds(trace_ids, received) if trace_ids else []
        if len(bounds) < len(trace_ids):
            # An insert reaches the index of the traces a moment after their spans.
            indexed = pa.array([each.trace_id for each in bounds], pa.string())
            is_indexed = pc.is_in(new["trace_id"].cast(pa.string()), indexed)
            seen_rows = seen_rows.without(new.filter(pc.invert(is_indexed)))
        late_ns = after_ns - run.window.clock_ahead_ns
        in_time = [each for each in bounds if not is_late(each.first_ns, late_ns)]
        if len(in_time) < len(bounds):
            self._late.note_late(after_ns, until_ns)
        written = Written(changed=set(gone))
        for begin, end in in_groups([each.first_ns for each in in_time], APART_NS, TRACES_MAX):
            self._decisions.attribute(in_time[begin:end], received, now_ns, run.report, written)
        run.report.minutes_rewritten += self._minutes.write(written.changed, written.added)
        return self._in_time(written.seconds | gone, after_ns, until_ns, run.window), seen_rows

    def _in_time(
        self, seconds: set[int], after_ns: int, until_ns: int, window: RunWindow
    ) -> set[int]:
        """Return the seconds that are not late, and leave the others to their lane."""
        late_ns = after_ns - window.clock_ahead_ns
        in_time = {each for each in seconds if not is_late(each, late_ns)}
        if len(in_time) < len(seconds):
            self._late.note_late(after_ns, until_ns)
        return in_time
