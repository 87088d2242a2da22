"""I/O: what the job reads of traces from the store, one method a file of `sql/`."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Column, Table, traces_with_repeats
from attribution.path.membership import NAMED_NS_MAX
from attribution.read.outcomes import OutcomeReader
from attribution.read.window import (
    LONG_NS,
    Bounds,
    ReceivedWindow,
    SpanTimes,
    bounds_of,
    minutes_of,
    named_traces,
)
from collector.core.config import AttributesConfig
from collector.core.times import FOREVER_NS
from collector.store.connect import Connections

_NOTHING_RECEIVED = ReceivedWindow.empty(0)


class TraceReader(OutcomeReader):
    """Typed access to spans and to the decisions that they are of; answers are Arrow tables."""

    def __init__(self, store: Connections, attributes: AttributesConfig) -> None:
        super().__init__(store)
        self._attributes = attributes

    def touched_spans(
        self, after_ns: int, until_ns: int, withdrawn_after_ns: int
    ) -> tuple[Table, ReceivedWindow]:
        """Return the traces of which spans or decisions were received in (after, until].

        With a hash of what was, and how many spans. And of those that were taken out of the sums
        since `withdrawn_after_ns`, or put back. Beside them the window by which the traces with
        spans are found again.
        """
        touched = self._table(
            "touched_spans",
            after_ns=after_ns,
            until_ns=until_ns,
            withdrawn_after_ns=withdrawn_after_ns,
        )
        traces = touched.filter(pc.greater(touched["spans"], 0))["trace_id"].combine_chunks()
        return touched, ReceivedWindow(after_ns, until_ns, traces)

    def trace_bounds(self, trace_ids: Sequence[str], received: ReceivedWindow) -> list[Bounds]:
        """Return when the first and the last span of each of these traces began, by time.

        Args:
            trace_ids: of the traces.
            received: by which those of them that were received in it are asked for.
        """
        query = received.filter_for(pa.array(trace_ids, pa.string()))
        return bounds_of(query.rows(self._table("trace_bounds", **query.parameters)))

    def trace_minutes(self, bounds: Sequence[Bounds]) -> dict[str, set[int]]:
        """Return the minutes in which spans of each of these traces began, from the epoch.

        Without a trace that has them in too many.
        """
        long = [each.trace_id for each in bounds if each.last_ns - each.first_ns > LONG_NS]
        places: dict[str, list[Bounds]] = {each.trace_id: [each] for each in bounds}
        if long:
            places |= {trace_id: [] for trace_id in long}
            for place in bounds_of(self._table("trace_places", trace_ids=long)):
                places[place.trace_id].append(place)
        minutes = ((trace_id, minutes_of(each)) for trace_id, each in places.items())
        return {trace_id: each for trace_id, each in minutes if each is not None}

    def late_traces(self, after_ns: int, until_ns: int, before_ns: int) -> list[Bounds]:
        """Return the bounds of traces touched in (after, until] that began before an instant."""
        times = {"after_ns": after_ns, "until_ns": until_ns, "before_ns": before_ns}
        return bounds_of(self._table("late_traces", **times))

    def spans(
        self,
        trace_ids: Sequence[str],
        from_ns: int,
        to_ns: int,
        *,
        minutes: Sequence[int] = (),
        received: ReceivedWindow = _NOTHING_RECEIVED,
    ) -> Table:
        """Return every span of these traces that started in [from, to].

        `content` tells spans of one id apart, and is 0 of all others.

        Args:
            trace_ids: of the traces.
            from_ns: first start.
            to_ns: last start.
            minutes: in which they started, counted from the epoch; none for all.
            received: by which those of the traces that were received in it are asked for.
        """
        bounds = {"from_ns": from_ns, "to_ns": to_ns}
        query = received.filter_for(pa.array(trace_ids, pa.string()))
        spans = query.rows(
            self._table("spans", **query.parameters, minutes=list(minutes), **bounds)
        )
        repeated = traces_with_repeats(spans)
        if not len(repeated):
            return spans
        name = self._attributes.name
        whole = self._table(
            "whole_spans",
            trace_ids=repeated.to_pylist(),
            class_name=name("latency.class"),
            stage_name=name("decision.stage"),
            blocking_name=name("latency.blocking"),
            id_name=name("decision.id"),
            **bounds,
        )
        others = pc.invert(pc.is_in(spans["trace_id"], value_set=repeated))
        return pa.concat_tables([spans.filter(others), whole.cast(spans.schema)])

    def decisions(
        self,
        trace_ids: Sequence[str],
        from_ns: int,
        to_ns: int,
        received: ReceivedWindow,
        *,
        far_traces: Sequence[str] = (),
        decision_ids: Sequence[str] = (),
        minutes: Sequence[int] = (),
    ) -> Table:
        """Return the decisions of these traces or ids.

        Args:
            trace_ids: all of whose spans started in [from, to].
            from_ns: first start.
            to_ns: last start.
            received: by its end the roots were received; by it those of the traces that were
                received in it are asked for.
            far_traces: whose spans may have started a day before or after.
            decision_ids: of decisions that may have.
            minutes: in which roots of the traces began, if that is known.
        """
        bounds = {
            # A stamp may lie before its root's start by the whole length of a decision, which is
            # shorter.
            "from_ns": max(from_ns - NAMED_NS_MAX, 0),
            "to_ns": to_ns + NAMED_NS_MAX,
            "until_ns": received.until_ns,
        }
        near_ids = pa.array(trace_ids, pa.string())
        query = received.filter_for(near_ids)
        roots = {"decision_ids": [], "root_from_ns": from_ns, "root_to_ns": to_ns}
        roots["minutes"] = list(minutes)
        near = query.rows(self._table("decisions", **query.parameters, **roots, **bounds))
        if not far_traces and not decision_ids:
            return near
        far_query = named_traces(pa.array(far_traces, pa.string()))
        roots = {"decision_ids": list(decision_ids), "root_from_ns": 0, "root_to_ns": FOREVER_NS}
        roots["minutes"] = []
        far = self._table("decisions", **far_query.parameters, **roots, **bounds)
        is_near = pc.is_in(far["trace_id"], value_set=near_ids)
        return pa.concat_tables([near, far.filter(pc.invert(is_near))])

    def known_traces(self, ingress_ns: Sequence[int], decision_ids: Sequence[str]) -> set[str]:
        """Return the traces that these decisions were made of before."""
        rows = self._rows(
            "known_traces", ingress_ns=list(ingress_ns), decision_ids=list(decision_ids)
        )
        return {str(row[0]) for row in rows}

    def known_spans(
        self, ingress_ns: Sequence[int], decision_ids: Sequence[str]
    ) -> dict[tuple[int, str], set[str]]:
        """Return the spans that these decisions have at the revision in force."""
        rows = self._rows(
            "known_spans", ingress_ns=list(ingress_ns), decision_ids=list(decision_ids)
        )
        return {(int(began_ns), str(each)): set(span_ids) for began_ns, each, span_ids in rows}

    def foreign_traces(
        self, decisions: Table, span_times: SpanTimes, received: ReceivedWindow
    ) -> set[str]:
        """Return traces of which a span names one of these decisions.

        Args:
            decisions: whose ids are meant.
            span_times: when the span was received and began.
            received: by which those of the decisions that were received in it are asked for.
        """
        ids = decisions["decision_id"]
        received_ns = decisions["received_ns"]
        is_received = pc.and_(
            pc.greater(received_ns, received.after_ns),
            pc.less_equal(received_ns, received.until_ns),
        )
        rows = self._table(
            "foreign_traces",
            decision_ids=ids.filter(pc.invert(is_received)).to_pylist(),
            came_after_ns=received.after_ns,
            came_until_ns=received.until_ns,
            **span_times.parameters,
        )
        is_theirs = pc.is_in(rows["decision_id"], value_set=ids.combine_chunks())
        return set(rows.filter(is_theirs)["trace_id"].to_pylist())

    def linking_traces(
        self, trace_ids: Column, span_times: SpanTimes, received: ReceivedWindow
    ) -> set[str]:
        """Return traces of which a span links to one of these.

        Args:
            trace_ids: of the traces.
            span_times: when the span was received and began.
            received: by which those of the traces that were received in it are asked for.
        """
        query = received.filter_for(trace_ids)
        rows = self._table("linking_traces", **query.parameters, **span_times.parameters)
        return set(query.rows(rows, column="target")["trace_id"].to_pylist())
