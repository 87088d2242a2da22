"""I/O: keeps path columns, `attributions` and minutes of the decisions of some traces."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.compact.rows import best_kernel, compact_rows, recomputed_rows
from attribution.core.config import AttributionConfig
from attribution.jobs.report import AttributionReport
from attribution.path.columns import Column, Table, ints
from attribution.path.loaded import Loaded, one_each, without
from attribution.path.membership import NAMED_NS_MAX
from attribution.path.revisions import Revisions, revision_rows, revisions_of
from attribution.path.rows import attribute, attribution_rows
from attribution.path.spans import Bools
from attribution.path.split import Attributed
from attribution.read.reader import Reader
from attribution.read.window import (
    LONG_NS,
    MINUTES_MAX,
    Bounds,
    ReceivedWindow,
    SpanTimes,
    in_groups,
)
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections

# Traces this far apart are read apart, so that neither reads the hours between them.
APART_NS = 10 * NS_PER_MINUTE
TRACES_MAX = 60_000
# A trace that names a decision by id or link may have come in before its root did, which was sent
# late. None comes in before the decision began, but by as much as clocks are apart.
_CLOCKS_APART_NS = NS_PER_MINUTE
# No decision is in an insert twice: to look for it copies each row once more, half of an insert.
_DISTINCT: Final = {"optimize_on_insert": 0}


@dataclass(slots=True)
class Written:
    """The seconds of decisions that were looked at, and what their minutes have to be told."""

    seconds: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)  # whose decisions may be others than they were
    added: list[Table] = field(default_factory=list)  # of decisions that had none before


class DecisionWriter:
    """The one writer of `path_columns`, `attributions` and of what late spans changed.

    Args:
        config: classes, reference latencies.
        store: where everything is read and written.
        reader: of what is stored.
        written_ns: of decisions received by then something may be written.
    """

    def __init__(
        self, config: AttributionConfig, store: Connections, reader: Reader, written_ns: int
    ) -> None:
        self._config = config
        self._store = store
        self._reader = reader
        self.written_ns = written_ns
        self._nothing: Table | None = None  # no rows of `attributions`

    def attribute(
        self,
        bounds: Sequence[Bounds],
        received: ReceivedWindow,
        now_ns: int,
        report: AttributionReport,
        written: Written,
        *,
        minutes: Collection[int] = (),
        apart: bool = False,
    ) -> None:
        """Attribute the decisions of these traces, of which are their seconds in `written` then.

        Args:
            bounds: of the traces.
            received: in which they were; no decision that was received later is looked at.
            now_ns: the instant of this run.
            report: counts them.
            written: is added to.
            minutes: in which their spans began, counted from the epoch: nothing else is read. None:
                all from the first instant to the last.
            apart: whether the traces are hours apart.
        """
        loaded = self._load(bounds, received, minutes)
        if apart and _is_tied(bounds, loaded):
            # What shares an id or a link is read with what happened around it, and nothing else.
            for begin, end in in_groups([each.first_ns for each in bounds], APART_NS, TRACES_MAX):
                self.attribute(
                    bounds[begin:end], received, now_ns, report, written, minutes=minutes
                )
            return
        if not len(loaded.decisions):
            return
        report.spans += len(loaded.spans)
        every, is_wanted = loaded.every_decision()
        attributed = attribute(every, loaded.spans, self._config)
        rows, is_first = self._write(attributed, loaded.stored, is_wanted, now_ns, report)
        self._reader.drop_superseded(loaded.superseded)
        # Of one that came since all that was written there can be nothing in its minute.
        is_first &= ints(every["received_ns"]) > self.written_ns
        written.added.append(rows.filter(pa.array(is_first)))
        written.changed.update(_seconds(rows.filter(pa.array(is_wanted & ~is_first))))
        written.seconds.update(_seconds(loaded.decisions))

    def recompute(
        self, from_ns: int, to_ns: int, now_ns: int, report: AttributionReport
    ) -> set[int]:
        """Attribute the decisions that began in [from, to) from their columns; return seconds."""
        segments = best_kernel()
        stored = self._reader.attributions_between(from_ns, to_ns)
        seconds: set[int] = set()
        for chunk in self._reader.path_columns(from_ns, to_ns):
            rows = recomputed_rows(chunk, segments)
            revisions = revisions_of(rows, stored)
            # What was lost comes back under no lower revision than its spans have.
            revision = np.maximum(revisions.revision, ints(chunk["revision"]))
            revisions = replace(revisions, revision=revision)
            report.count(revisions)
            report.spans += pc.sum(rows["span_count"]).as_py()
            if revisions.is_new.any():
                self._insert_differences(revision_rows(rows, revisions, {}, {}), now_ns)
                self._insert(rows, revisions, now_ns)
            seconds.update(_seconds(rows))
        return seconds

    def _load(
        self, bounds: Sequence[Bounds], received: ReceivedWindow, minutes: Collection[int]
    ) -> Loaded:
        """Return the decisions that these traces touch, all their spans, and what is stored."""
        loaded, lessened = self._load_touched(bounds, received, minutes)
        if lessened:
            bounds = sorted({*bounds, *lessened}, key=lambda each: each.first_ns)
            more = self._minutes(lessened) if minutes else set()
            minutes = {*minutes, *more} if more else ()
            loaded, _ = self._load_touched(bounds, received, minutes)
        return loaded

    def _load_touched(
        self, bounds: Sequence[Bounds], received: ReceivedWindow, minutes: Collection[int]
    ) -> tuple[Loaded, list[Bounds]]:
        """Return what these traces touch, and those whose own decisions may have less now.

        Until a decision comes, what names it or links to it is held for a part of another one in
        its trace.
        """
        trace_ids = [each.trace_id for each in bounds]
        traces = set(trace_ids)
        in_minutes = sorted(minutes)
        spans = self._reader.spans(
            trace_ids, *_extent(bounds), minutes=in_minutes, received=received
        )
        decisions, superseded = one_each(self._decisions_of(bounds, spans, received, in_minutes))
        stored = self._stored(decisions)
        if len(decisions) == 0:
            return Loaded(decisions, decisions, spans, stored, superseded), []
        more = self._companions(decisions, stored, received) - traces
        others, their_spans = self._whole_traces(more, received)
        companions = decisions.slice(0, 0)
        if others:
            theirs = self._decisions_of(others, pa.concat_tables(their_spans), received)
            companions = without(one_each(theirs)[0], decisions)
        # What a companion may be a part of instead: a batch links to what several decisions sent.
        companion_traces = _texts(companions["trace_id"])
        further, further_spans = self._whole_traces(companion_traces - more - traces, received)
        lessened = companion_traces if len(stored) < len(decisions) else set()
        return (
            Loaded(
                decisions,
                companions,
                pa.concat_tables([spans, *their_spans, *further_spans]),
                stored,
                superseded,
            ),
            [each for each in [*others, *further] if each.trace_id in lessened],
        )

    def _decisions_of(
        self,
        bounds: Sequence[Bounds],
        spans: Table,
        received: ReceivedWindow,
        minutes: Sequence[int] = (),
    ) -> Table:
        """Return the decisions of some traces, and those that spans of these name or link to."""
        traces = [each.trace_id for each in bounds]
        linked = _texts(pc.list_flatten(spans["link_traces"].combine_chunks()))
        return self._reader.decisions(
            traces,
            *_extent(bounds),
            received,
            far_traces=sorted(linked - set(traces)),
            decision_ids=sorted(_texts(spans["decision_id"]) - set(traces)),
            minutes=minutes,
        )

    def _whole_traces(
        self, traces: AbstractSet[str], received: ReceivedWindow
    ) -> tuple[list[Bounds], list[Table]]:
        """Return some traces by time, and all of their spans."""
        bounds = self._reader.trace_bounds(sorted(traces), received) if traces else []
        tables = []
        for begin, end in in_groups([each.first_ns for each in bounds], APART_NS, TRACES_MAX):
            group = bounds[begin:end]
            first_ns, last_ns = _extent(group)
            minutes = sorted(self._minutes(group)) if last_ns - first_ns > LONG_NS else ()
            trace_ids = [each.trace_id for each in group]
            tables.append(
                self._reader.spans(trace_ids, first_ns, last_ns, minutes=minutes, received=received)
            )
        return bounds, tables

    def _minutes(self, bounds: Sequence[Bounds]) -> set[int]:
        """Return the minutes in which spans of these traces began; none if these are too many."""
        by_trace = self._reader.trace_minutes(bounds)
        every = set[int]().union(*by_trace.values())
        return every if len(by_trace) == len(bounds) and len(every) <= MINUTES_MAX else set()

    def _stored(self, decisions: Table) -> Table:
        """Return what was written of decisions; of one that came since then there is nothing."""
        old = decisions.filter(pc.less_equal(decisions["received_ns"], self.written_ns))
        if self._nothing is not None and not len(old):
            return self._nothing
        stored = self._reader.attributions(
            old["ingress_ns"].to_pylist(), old["decision_id"].to_pylist()
        )
        self._nothing = stored.slice(0, 0)
        return stored

    def _companions(self, decisions: Table, stored: Table, received: ReceivedWindow) -> set[str]:
        """Return every trace that these decisions are made of, as far as is known."""
        began = pc.min_max(decisions["ingress_ns"]).as_py()
        span_times = SpanTimes(
            after_ns=max(began["min"] - _CLOCKS_APART_NS, 0),
            until_ns=received.until_ns,
            from_ns=max(began["min"] - NAMED_NS_MAX, 0),
            to_ns=began["max"] + NAMED_NS_MAX,
        )
        own_traces = pc.unique(decisions["trace_id"])
        # Asked every time: the span that is linked to may be what has come in now.
        traces = self._reader.linking_traces(own_traces, span_times, received)
        traces |= _texts(own_traces)
        known_ids = stored["decision_id"].to_pylist()
        if known_ids:
            traces |= self._reader.known_traces(stored["ingress_ns"].to_pylist(), known_ids)
        # Whoever names what is known by its id was found then, or was touched when it came.
        is_known = pc.is_in(decisions["decision_id"], pa.array(known_ids, pa.string()))
        new = decisions.filter(pc.invert(is_known))
        if len(new):
            traces |= self._reader.foreign_traces(new, span_times, received)
        return traces

    def _write(
        self,
        attributed: Attributed,
        stored: Table,
        is_wanted: Bools,
        now_ns: int,
        report: AttributionReport,
    ) -> tuple[Table, Bools]:
        """Write what differs; return the rows of all, and which are of decisions that had none."""
        rows = attribution_rows(attributed)
        revisions = revisions_of(rows, stored)
        report.count(revisions.only(is_wanted))
        revisions = replace(revisions, is_new=revisions.is_new & is_wanted)
        is_first: Bools = revisions.is_new & (revisions.revision == 1)
        if not revisions.is_new.any():
            return rows, is_first
        client = self._store.client()
        paths = compact_rows(attributed, revisions.revision, revisions.is_new)
        # What a revision changed goes first: the spans that it is told from are replaced next.
        self._insert_differences(self._differences(rows, revisions, paths), now_ns)
        # Spans before attributions: whoever finds an attribution finds its spans.
        client.insert_arrow("path_columns", paths, settings=_DISTINCT)
        self._insert(rows, revisions, now_ns)
        return rows, is_first

    def _differences(self, rows: Table, revisions: Revisions, paths: Table) -> Table:
        revised = rows.filter(pa.array(revisions.is_revised))
        ids = revised["decision_id"].to_pylist()
        known_spans = (
            self._reader.known_spans(revised["ingress_ns"].to_pylist(), ids) if ids else {}
        )
        ours = paths.filter(pc.is_in(paths["decision_id"], pa.array(ids, pa.string())))
        columns = (ours[name].to_pylist() for name in ("ingress_ns", "decision_id", "span_id"))
        assembled = {
            (ingress_ns, decision_id): {f"{each:016x}" for each in span_ids}
            for ingress_ns, decision_id, span_ids in zip(*columns, strict=True)
        }
        return revision_rows(rows, revisions, known_spans, assembled)

    def _insert_differences(self, rows: Table, now_ns: int) -> None:
        if len(rows):
            self._store.client().insert_arrow("attribution_revisions", _computed(rows, now_ns))

    def _insert(self, rows: Table, revisions: Revisions, now_ns: int) -> None:
        rows = rows.append_column("revision", pa.array(revisions.revision).cast(pa.uint32()))
        rows = _computed(rows, now_ns).filter(pa.array(revisions.is_new))
        self._store.client().insert_arrow("attributions", rows, settings=_DISTINCT)


def _computed(rows: Table, now_ns: int) -> Table:
    return rows.append_column("computed_ns", pa.array([now_ns] * len(rows), pa.uint64()))


def _seconds(decisions: Table) -> list[int]:
    """Return the second in which each began."""
    began = ints(decisions["ingress_ns"])
    seconds: list[int] = (began - began % NS_PER_S).tolist()
    return seconds


def _extent(bounds: Sequence[Bounds]) -> tuple[int, int]:
    """Return when the first and the last span of these traces began."""
    return min(each.first_ns for each in bounds), max(each.last_ns for each in bounds)


def _texts(column: Column) -> set[str]:
    return set(pc.unique(column).to_pylist()) - {"", None}


def _is_tied(bounds: Sequence[Bounds], loaded: Loaded) -> bool:
    """Return whether anything but these traces was found, or one id twice."""
    traces = {each.trace_id for each in bounds}
    decisions = loaded.decisions
    return (
        bool((_texts(decisions["trace_id"]) | _texts(loaded.spans["trace_id"])) - traces)
        or len(loaded.companions) > 0
        or len(pc.unique(decisions["decision_id"])) < len(decisions)
    )
