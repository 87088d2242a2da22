"""I/O: keeps path spans and columns, `attributions`, minutes and revenue cells current.

Advances by `received_ns`, so late spans and late outcomes are found whenever they come. Every
result is computed from what is stored and written whole: a run that was killed, or is repeated
over the same window, leaves the same rows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.compact.rows import best_kernel, compact_rows, recomputed_rows
from attribution.core.config import AttributionConfig
from attribution.jobs.minutes import MinuteWriter
from attribution.jobs.report import AttributionReport
from attribution.jobs.revenue_cells import CellWriter
from attribution.jobs.seen import Seen
from attribution.path.columns import Column, Table, ints
from attribution.path.loaded import Loaded, one_each, without
from attribution.path.revisions import DecisionKey, Revisions, revision_rows, revisions_of
from attribution.path.rows import attribute, attribution_rows, path_rows
from attribution.path.spans import Bools
from attribution.path.split import Attributed
from attribution.read.reader import Reader
from attribution.read.window import in_groups
from collector.core.clock import NS_PER_MINUTE, NS_PER_S
from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, JobCursor, next_received_ns

CURSOR = ATTRIBUTION_CURSOR

# One step reads this much time of reception at most: a backlog of hours is worked off in pieces, in
# shorter ones where much came.
_STEP_NS = NS_PER_MINUTE
_STEP_NS_MIN = 4 * NS_PER_S
_STEP_ROWS = 200_000
# Where nothing was received, outcomes and rates of files are found within this.
_IDLE_NS = 10 * NS_PER_S
# Decisions of so long are attributed again in one piece.
_RECOMPUTE_NS = 10 * NS_PER_MINUTE
# Traces this far apart are read apart, so that neither reads the hours between them.
_APART_NS = 10 * NS_PER_MINUTE
_TRACES_MAX = 20_000
# A trace that names a decision by id or link may have come in long before its root did, which was
# sent late. None comes in before the decision begins, but by as much as clocks are apart.
_CLOCKS_APART_NS = NS_PER_MINUTE
_ROOT_LATE_NS = 10 * NS_PER_MINUTE
_Bounds = tuple[str, int, int]  # of a trace: its id, its first and last instant, Unix ns


class AttributionJob:
    """Attributes decisions once their spans have settled, and again where late spans change them.

    Args:
        config: when a decision has settled, classes, reference latencies, slope.
        attributes: a customer's own attribute names.
        store: where everything is read and written.
    """

    def __init__(
        self, config: AttributionConfig, attributes: AttributesConfig, store: Connections
    ) -> None:
        self._config = config
        self._store = store
        self._cursor = JobCursor(CURSOR)
        self._reader = Reader(store, attributes)
        self._cells = CellWriter(config, store, self._reader)
        self._minutes = MinuteWriter(store, self._reader)
        # Of decisions received by then something may be written; at first by an earlier process.
        self._written_ns = 0
        self._nothing: Table | None = None  # no rows of `attributions`
        self._was_stored = False  # all that was received by the cursor, when the last run ended
        self._step_ns = _STEP_NS_MIN
        self._seen_ns = self._asked_ns = 0  # up to where a run saw all, and when the last began
        self._forget()
        # The last pass of a demo runs beside the loop that is being stopped.
        self._lock = threading.Lock()

    def run_once(
        self, now_ns: int, stored_ns: int | None = None, newest_ns: int | None = None
    ) -> AttributionReport:
        """Attribute what has settled by now.

        Args:
            now_ns: the instant of this run.
            stored_ns: everything received by then is in the store, if the caller knows: the job
                goes no further, so that an insert held up for long is not passed by. Without it
                inserts up to `overlap_s` late are found.
            newest_ns: when something was received last, if the caller knows: where it was seen
                already, the store is asked every few seconds only, for what came from files.
        """
        settled_ns = now_ns - round(self._config.settle_s * NS_PER_S)
        limit_ns = now_ns if stored_ns is None else min(now_ns, stored_ns)
        is_idle = self._was_stored and newest_ns is not None and newest_ns <= self._seen_ns
        if is_idle and now_ns - self._asked_ns < _IDLE_NS:
            return AttributionReport(cursor_ns=min(settled_ns, limit_ns))
        self._asked_ns = now_ns
        return self._guarded(
            now_ns, min(settled_ns, limit_ns), limit_ns, is_stored=stored_ns is not None
        )

    def drain(self, now_ns: int) -> AttributionReport:
        """Attribute everything received by now, settled or not."""
        return self._guarded(now_ns, now_ns, now_ns)

    def recompute(self, from_ns: int, to_ns: int, now_ns: int) -> AttributionReport:
        """Attribute the decisions that began in [from, to) again, from their compact columns.

        What comes out as stored is left alone; the rest is written under a new revision. Minutes
        and cells of the whole range are rewritten. The cursor stays where it is.
        """
        segments = best_kernel()
        report = AttributionReport()
        with self._lock:
            for begin_ns in range(from_ns, to_ns, _RECOMPUTE_NS):
                end_ns = min(begin_ns + _RECOMPUTE_NS, to_ns)
                stored = self._reader.attributions_between(begin_ns, end_ns)
                seconds: set[int] = set()
                for chunk in self._reader.path_columns(begin_ns, end_ns):
                    rows = recomputed_rows(chunk, segments)
                    found = revisions_of(rows, stored)
                    # What was lost comes back under no lower revision than its spans have.
                    revision = np.maximum(found.revision, ints(chunk["revision"]))
                    found = replace(found, revision=revision)
                    report.count(found)
                    report.spans += pc.sum(rows["span_count"]).as_py()
                    if found.is_new.any():
                        self._insert_differences(revision_rows(rows, found, {}, {}), now_ns)
                        self._insert(rows, found, now_ns)
                    began = ints(rows["ingress_ns"])
                    seconds.update((began - began % NS_PER_S).tolist())
                report.minutes_rewritten += self._minutes.write(seconds, ())
                report.cells_rewritten += self._cells.rewrite(sorted(seconds))
            report.cursor_ns = self._cursor.read(self._store.client())
        return report

    def _guarded(
        self, now_ns: int, until_ns: int, outcomes_until_ns: int, *, is_stored: bool = False
    ) -> AttributionReport:
        with self._lock:
            try:
                # What came up to the cursor was all there when it was read: it is not read again.
                is_whole = self._was_stored and is_stored
                self._was_stored = False
                report = self._run(now_ns, until_ns, outcomes_until_ns, is_whole=is_whole)
                self._was_stored, self._seen_ns = is_stored, until_ns
                return report
            except BaseException:
                # What a failed run saw it may not have written; the next one looks at it again.
                self._forget()
                self._written_ns = max(self._written_ns, now_ns)
                raise

    def _forget(self) -> None:
        self._seen_spans, self._seen_outcomes, self._seen_withdrawals = Seen(), Seen(), Seen()
        self._minutes.forget()
        self._was_stored = False

    def _run(
        self, now_ns: int, until_ns: int, outcomes_until_ns: int, *, is_whole: bool
    ) -> AttributionReport:
        client = self._store.client()
        report = AttributionReport()
        cursor_ns = self._cursor.read(client)
        self._written_ns = max(self._written_ns or now_ns, cursor_ns)
        if cursor_ns == 0:
            cursor_ns = max(next_received_ns(client, 0) - 1, 0)
        overlap_ns = round(self._config.overlap_s * NS_PER_S)
        # Outcomes need not settle: they are read up to now, again and again until the cursor is
        # past them, and those seen before are left out.
        outcomes_after_ns = max(cursor_ns - overlap_ns, 0)
        seconds: set[int] = set()
        while cursor_ns < until_ns:
            # Where nothing was ever received there is no backlog to take in steps.
            step_to_ns = min(cursor_ns + self._step_ns, until_ns) if cursor_ns else until_ns
            again_ns = max(cursor_ns - overlap_ns, 0)
            after_ns = cursor_ns if is_whole else again_ns
            touched = self._reader.touched_spans(after_ns, step_to_ns, again_ns)
            withdrawn = self._reader.withdrawn(again_ns, step_to_ns)
            gone = self._reader.drop_withdrawn(self._seen_withdrawals.news(withdrawn))
            seconds = self._attribute_new(touched, step_to_ns, now_ns, report, gone)
            cursor_ns = step_to_ns
            self._written_ns = max(self._written_ns, cursor_ns)
            is_many = len(touched) > _STEP_ROWS
            self._step_ns = min(
                max(self._step_ns // 2 if is_many else self._step_ns * 2, _STEP_NS_MIN), _STEP_NS
            )
            if cursor_ns < until_ns:  # of the last step they are rewritten with the outcomes'
                report.cells_rewritten += self._cells.rewrite(sorted(seconds))
                if not len(touched):  # a weekend of stand-still is one look, not thousands of steps
                    next_ns = next_received_ns(client, cursor_ns) or until_ns
                    cursor_ns = max(cursor_ns, min(next_ns - 1, until_ns))
                self._cursor.write(client, cursor_ns)
        seconds |= self._seconds_of_new_outcomes(outcomes_after_ns, outcomes_until_ns)
        report.cells_rewritten += self._cells.rewrite(sorted(seconds))
        self._cursor.write(client, cursor_ns, has_news=bool(seconds))
        report.cursor_ns = cursor_ns
        return report

    def _attribute_new(
        self,
        touched: Table,
        until_ns: int,
        now_ns: int,
        report: AttributionReport,
        seconds: set[int],
    ) -> set[int]:
        """Attribute the decisions of traces with new spans; return the seconds they began in.

        With `seconds`, whose decisions are fewer now: their sums are made anew as well.
        """
        news = self._seen_spans.news(touched)
        trace_ids = pc.unique(news["trace_id"]).to_pylist()
        bounds = self._reader.trace_bounds(trace_ids) if trace_ids else []
        if len(bounds) < len(trace_ids):
            # An insert reaches the index of the traces a moment after their spans.
            placed = pa.array([each[0] for each in bounds], pa.string())
            self._seen_spans.forget(
                news.filter(pc.invert(pc.is_in(news["trace_id"].cast(pa.string()), placed)))
            )
        added, changed = list[Table](), set(seconds)
        for begin, end in in_groups([each[1] for each in bounds], _APART_NS, _TRACES_MAX):
            loaded = self._load(bounds[begin:end], until_ns)
            if len(loaded.decisions):
                report.spans += len(loaded.spans)
                every, is_wanted = loaded.every_decision()
                done = attribute(every, loaded.spans, self._config)
                rows, is_first = self._write(done, loaded.stored, is_wanted, now_ns, report)
                self._reader.drop_superseded(loaded.superseded)
                # Of one that came since all that was written there can be nothing in its minute.
                is_first &= ints(every["received_ns"]) > self._written_ns
                added.append(rows.filter(pa.array(is_first)))
                changed.update(_seconds(rows.filter(pa.array(is_wanted & ~is_first))))
                seconds.update(_seconds(loaded.decisions))
        report.minutes_rewritten += self._minutes.write(changed, added)
        return seconds | changed

    def _load(self, bounds: Sequence[_Bounds], until_ns: int) -> Loaded:
        """Return the decisions that these traces touch, all their spans, and what is stored."""
        loaded, lessened = self._load_touched(bounds, until_ns)
        if lessened:
            bounds = sorted({*bounds, *lessened}, key=lambda each: each[1])
            loaded, _ = self._load_touched(bounds, until_ns)
        return loaded

    def _load_touched(
        self, bounds: Sequence[_Bounds], until_ns: int
    ) -> tuple[Loaded, list[_Bounds]]:
        """Return the same, and the traces whose own decisions may have less now.

        Until a decision comes, what names it or links to it is held for a part of another one in
        its trace.
        """
        trace_ids = [each[0] for each in bounds]
        around = min(each[1] for each in bounds), max(each[2] for each in bounds)
        spans = self._reader.spans(trace_ids, *around)
        named = _texts(spans["decision_id"])
        linked = _texts(pc.list_flatten(spans["link_traces"].combine_chunks()))
        decisions = self._reader.decisions(
            [*trace_ids, *sorted(linked - set(trace_ids))],
            sorted(named - set(trace_ids)),
            around,
            until_ns,
        )
        decisions, superseded = one_each(decisions)
        stored = self._stored(decisions)
        if len(decisions) == 0:
            return Loaded(decisions, decisions, spans, stored, superseded), []
        more = self._companions(decisions, stored, until_ns) - set(trace_ids)
        others = self._reader.trace_bounds(sorted(more)) if more else []
        for begin, end in in_groups([each[1] for each in others], _APART_NS, _TRACES_MAX):
            group = others[begin:end]
            found = self._reader.spans(
                [each[0] for each in group], group[0][1], max(each[2] for each in group)
            )
            spans = pa.concat_tables([spans, found])
        companions = decisions.slice(0, 0)
        if others:
            around = min(each[1] for each in others), max(each[2] for each in others)
            theirs = self._reader.decisions([each[0] for each in others], [], around, until_ns)
            companions = without(one_each(theirs)[0], decisions)
        has_new = len(stored) < len(decisions)
        theirs_too = _texts(companions["trace_id"]) if has_new else set()
        return (
            Loaded(decisions, companions, spans, stored, superseded),
            [each for each in others if each[0] in theirs_too],
        )

    def _stored(self, decisions: Table) -> Table:
        """Return what was written of decisions; of one that came since then there is nothing."""
        old = decisions.filter(pc.less_equal(decisions["received_ns"], self._written_ns))
        if self._nothing is not None and not len(old):
            return self._nothing
        stored = self._reader.attributions(
            old["ingress_ns"].to_pylist(), old["decision_id"].to_pylist()
        )
        self._nothing = stored.slice(0, 0)
        return stored

    def _companions(self, decisions: Table, stored: Table, until_ns: int) -> set[str]:
        """Return every trace that these decisions are made of, as far as is known."""
        began_ns, received_ns = (
            pc.min(decisions[name]).as_py() for name in ("ingress_ns", "received_ns")
        )
        after_ns = max(began_ns, received_ns - _ROOT_LATE_NS) - _CLOCKS_APART_NS
        own = pc.unique(decisions["trace_id"])
        # Asked every time: the span that is linked to may be what has come in now.
        traces = self._reader.linking_traces(own, after_ns, until_ns) | _texts(own)
        known_ids = stored["decision_id"].to_pylist()
        if known_ids:
            traces |= self._reader.known_traces(stored["ingress_ns"].to_pylist(), known_ids)
        # Whoever names what is known by its id was found then, or was touched when it came.
        is_known = pc.is_in(decisions["decision_id"], pa.array(known_ids, pa.string()))
        new = decisions.filter(pc.invert(is_known))
        if len(new):
            traces |= self._reader.foreign_traces(new, after_ns, until_ns)
        return traces

    def _write(
        self,
        done: Attributed,
        stored: Table,
        is_wanted: Bools,
        now_ns: int,
        report: AttributionReport,
    ) -> tuple[Table, Bools]:
        """Write what differs; return the rows of all, and which are of decisions that had none."""
        rows = attribution_rows(done)
        found = revisions_of(rows, stored)
        report.count(found.of(is_wanted))
        found = replace(found, is_new=found.is_new & is_wanted)
        is_first: Bools = found.is_new & (found.revision == 1)
        if not found.is_new.any():
            return rows, is_first
        client = self._store.client()
        paths = path_rows(done, found.revision, found.is_new)
        # What a revision changed goes first: the spans that it is told from are replaced next.
        self._insert_differences(self._differences(rows, found, paths), now_ns)
        # Spans before attributions: whoever finds an attribution finds its spans.
        client.insert_arrow("path_spans", paths)
        client.insert_arrow("path_columns", compact_rows(done, found.revision, found.is_new))
        self._insert(rows, found, now_ns)
        return rows, is_first

    def _differences(self, rows: Table, found: Revisions, paths: Table) -> Table:
        revised = rows.filter(pa.array(found.is_revised))
        ids = revised["decision_id"].to_pylist()
        known = self._reader.known_spans(revised["ingress_ns"].to_pylist(), ids) if ids else {}
        assembled: dict[DecisionKey, set[str]] = {}
        ours = paths.filter(pc.is_in(paths["decision_id"], pa.array(ids, pa.string())))
        columns = (ours[name].to_pylist() for name in ("ingress_ns", "decision_id", "span_id"))
        for ingress_ns, decision_id, span_id in zip(*columns, strict=True):
            assembled.setdefault((ingress_ns, decision_id), set()).add(span_id)
        return revision_rows(rows, found, known, assembled)

    def _insert_differences(self, rows: Table, now_ns: int) -> None:
        if len(rows):
            self._store.client().insert_arrow("attribution_revisions", _computed(rows, now_ns))

    def _insert(self, rows: Table, found: Revisions, now_ns: int) -> None:
        rows = rows.append_column("revision", pa.array(found.revision).cast(pa.uint32()))
        rows = _computed(rows, now_ns).filter(pa.array(found.is_new))
        self._store.client().insert_arrow("attributions", rows)

    def _seconds_of_new_outcomes(self, after_ns: int, until_ns: int) -> set[int]:
        """Return when the decisions began whose outcome became known, was amended or was taken."""
        touched = self._reader.touched_outcomes(after_ns, until_ns, self._config.rate_days_max)
        news = self._seen_outcomes.news(touched)
        outcomes, ids, keys = (
            sorted(_texts(news[name])) for name in ("outcome_id", "decision_id", "outcome_key")
        )
        seconds: set[int] = set()
        for begin in range(0, len(outcomes), _TRACES_MAX):
            part = slice(begin, begin + _TRACES_MAX)
            seconds.update(self._reader.outcome_seconds(ids[part], keys[part]))
            counted = self._reader.outcome_matches(outcomes[part])
            seconds.update(second_ns for second_ns, _ in counted.values())
        return seconds


def _computed(rows: Table, now_ns: int) -> Table:
    return rows.append_column("computed_ns", pa.array([now_ns] * len(rows), pa.uint64()))


def _seconds(decisions: Table) -> list[int]:
    """Return the second in which each began."""
    began = ints(decisions["ingress_ns"])
    found: list[int] = (began - began % NS_PER_S).tolist()
    return found


def _texts(column: Column) -> set[str]:
    return set(pc.unique(column).to_pylist()) - {"", None}
